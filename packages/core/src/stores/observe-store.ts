import { monotonicNow } from '../basics/runtime.js'
import { type ErrorCode, isTurnstoreError, type WriteOutcome } from '../basics/errors.js'

/** One call of a store that has ended. It has no ids and nothing of what is stored. */
export interface StoreOperation {
  /** `changeSession`, `readTurns`, … or a method of the adapter, such as `backup`. */
  readonly method: string
  readonly durationMs: number
  /** Null if the call succeeded. */
  readonly code: ErrorCode | null
  /** Of a write that failed: whether it is stored. */
  readonly outcome: WriteOutcome | null
  /** How many sessions, turns and parts the call wrote, or returned. Those that are 0 are missing. */
  readonly counts: { readonly sessions?: number; readonly turns?: number; readonly parts?: number }
}

/** A listing with `sessions` is one `querySessions` a page. */
const methods = [
  'saveSession',
  'loadSession',
  'changeSession',
  'deleteSession',
  'listSessions',
  'querySessions',
  'readTurns',
  'readParts',
  'loadSummary',
  'searchSessions',
]

/**
 * Replaces the public methods of one store, the adapter's own included, by those that report. Without a listener, a store
 * does not pay for it.
 */
export function observeStore(store: object, onOperation: (operation: StoreOperation) => void): void {
  for (const method of new Set([...methods, ...ownMethods(store)])) {
    const work: unknown = Reflect.get(store, method)
    if (typeof work !== 'function') continue
    const observed = (...args: unknown[]): unknown => {
      const started = monotonicNow()
      const report = (error: unknown, result: unknown): void => {
        const durationMs = monotonicNow() - started
        const { code = null, outcome = null } = isTurnstoreError(error) ? error : {}
        try {
          onOperation({ method, durationMs, code, outcome, counts: countsOf(method, args, result) })
        } catch {
          // A listener that fails must not fail the call: it is stored.
        }
      }
      const result: unknown = Reflect.apply(work, store, args)
      if (result instanceof Promise) {
        result.then(
          (value: unknown) => report(undefined, value),
          (error: unknown) => report(error, undefined),
        )
      }
      return result
    }
    Object.defineProperty(store, method, { value: observed, configurable: true, writable: true })
  }
}

/** Of the adapter's class. Hooks begin with `_`. */
function ownMethods(store: object): string[] {
  const prototype: unknown = Object.getPrototypeOf(store)
  if (typeof prototype !== 'object' || prototype === null) return []
  return Object.entries(Object.getOwnPropertyDescriptors(prototype))
    .filter(([name, { value }]) => typeof value === 'function' && !name.startsWith('_') && name !== 'constructor')
    .map(([name]) => name)
}

function countsOf(method: string, args: readonly unknown[], result: unknown): StoreOperation['counts'] {
  const isSave = method === 'saveSession'
  const source = isSave ? args[0] : result
  const change = method === 'changeSession' ? args[1] : undefined
  const counts = {
    sessions: lengthIn(source, 'sessions') + (Array.isArray(result) ? result.length : 0),
    turns: lengthIn(source, 'turns') + lengthIn(source, 'hits') + lengthIn(change, 'appendTurns'),
    parts: lengthIn(source, 'parts') + partsIn(change),
  }
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0))
}

function partsIn(change: unknown): number {
  const updates: unknown = memberOf(change, 'updateTurns')
  if (!Array.isArray(updates)) return 0
  return updates.reduce<number>(
    (sum, update) => sum + lengthIn(update, 'putToolCalls') + lengthIn(update, 'putItems'),
    0,
  )
}

function lengthIn(value: unknown, name: string): number {
  const list = memberOf(value, name)
  return Array.isArray(list) ? list.length : 0
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}
