import type { SessionStore } from '@turnstore/core'
import { fail } from '../checks/expect.js'
import { appendOf, sessionOf } from './samples.js'

export type MethodName = Exclude<keyof SessionStore, 'capabilities' | 'sessions' | 'watchSession' | symbol>

/** Options of an untyped caller. */
export type AnyOptions = Parameters<SessionStore['saveSession']>[1]

interface Method {
  readonly kind: 'read' | 'write'
  /** A call that succeeds on any open store, whatever it contains, except changeSession. */
  readonly call: (store: SessionStore, sessionId: string, options?: AnyOptions) => Promise<unknown>
}

/** Every method that takes options. The compiler checks that none is missing. */
export const methods: Readonly<Record<Exclude<MethodName, 'ready' | 'close'> | 'sessions' | 'watchSession', Method>> = {
  saveSession: { kind: 'write', call: (store, id, options) => store.saveSession(sessionOf(id), options) },
  changeSession: { kind: 'write', call: (store, id, options) => store.changeSession(id, appendOf('t'), options) },
  deleteSession: { kind: 'write', call: (store, id, options) => store.deleteSession(id, options) },
  loadSession: { kind: 'read', call: (store, id, options) => store.loadSession(id, options) },
  readTurns: { kind: 'read', call: (store, id, options) => store.readTurns(id, {}, options) },
  readParts: { kind: 'read', call: (store, id, options) => store.readParts(id, 't', { list: 'items' }, options) },
  loadSummary: { kind: 'read', call: (store, id, options) => store.loadSummary(id, options) },
  listSessions: { kind: 'read', call: (store, _id, options) => store.listSessions(options) },
  querySessions: { kind: 'read', call: (store, _id, options) => store.querySessions(options) },
  searchSessions: { kind: 'read', call: (store, _id, options) => store.searchSessions(searchOf(options)) },
  watchSession: { kind: 'read', call: (store, id, options) => firstOf(store.watchSession(id, options)) },
  sessions: { kind: 'read', call: (store, _id, options) => gather(store.sessions(options)) },
}

/** The options of an untyped caller as a query. What is no plain object stays as it is. */
function searchOf(options: AnyOptions): Parameters<SessionStore['searchSessions']>[0] {
  const given: object = { ...options }
  const isPlain = typeof options === 'object' && options !== null && Object.getPrototypeOf(options) === Object.prototype
  return options === undefined || isPlain ? { text: 'prompt', ...given } : untyped(options)
}

/** Methods that take a session id as their first argument or in the record. */
export const methodsOfOneSession = [
  'saveSession',
  'changeSession',
  'deleteSession',
  'loadSession',
  'readTurns',
  'readParts',
  'loadSummary',
  'watchSession',
] as const

/** Far more than any case stores. */
const MOST_ITEMS = 100_000

export async function gather<T>(items: AsyncIterable<T>): Promise<T[]> {
  const result: T[] = []
  for await (const item of items) {
    if (result.push(item) > MOST_ITEMS) fail(`an iteration has not ended after ${MOST_ITEMS} sessions`)
  }
  return result
}

/** The first item of an iteration, which is then left. */
export async function firstOf<T>(items: AsyncIterable<T>): Promise<T | undefined> {
  for await (const item of items) return item
  return undefined
}

/**
 * A value of an untyped caller. The runtime checks of a store are for such callers, so a case has to bypass the compiler
 * in this one place.
 */
export function untyped(value: unknown): never {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- this is what the function is for
  return value as never
}
