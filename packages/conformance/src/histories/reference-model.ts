import { summaryOf } from './summary.js'
import { isDeepStrictEqual } from 'node:util'
import {
  applyChange,
  type ChangeResult,
  isTurnstoreError,
  type PartRange,
  type SessionRecord,
  type TimedChange,
  type TurnRange,
} from '@turnstore/core'
import { sessionOf } from '../samples/samples.js'
import { untyped } from '../samples/methods.js'
import type { CallOptions, Operation, Outcome } from './operations.js'

/*
 * A model of one session: a record and what it remembers, or none. Changes use core's `applyChange`; everything else is
 * implemented here independently.
 */

/** A session at one moment; null if it does not exist. */
export type State = { readonly session: SessionRecord; readonly remembered: readonly Remembered[] } | null

/** A change with an idempotency key. */
interface Remembered {
  readonly key: string
  /** What was passed, except what may differ in a repetition. */
  readonly passed: unknown
  readonly result: ChangeResult
}

/** How many changes with a key a session remembers. */
export const REMEMBERED = 256

interface Answer {
  readonly state: State
  readonly outcome: Outcome
}

export function stateOf(session: SessionRecord): State {
  return { session, remembered: [] }
}

/** The result of a call on a session and the state after it: the same object if nothing changed. */
export function answerOf(state: State, operation: Operation): Answer {
  const { method, options = {} } = operation
  if (method === 'saveSession') return saved(state, operation.record, options)
  if (method === 'changeSession') return changed(state, operation.id, operation.change, options)
  const seen = visible(state, options)
  if (method === 'readTurns') return gave(state, seen && pageOf(seen.session, operation.range, options))
  if (method === 'readParts') return gave(state, seen && partsOf(seen.session, operation.turnId, operation.range))
  if (method === 'deleteSession') return gave(seen === null ? state : null, seen !== null)
  return gave(state, seen && (method === 'loadSession' ? seen.session : summaryOf(seen.session)))
}

/** Whether two outcomes are equal, ignoring error messages. */
export function sameOutcome(a: Outcome, b: Outcome): boolean {
  if (a.kind === 'failed' && b.kind === 'failed') return a.code === b.code && a.actualRevision === b.actualRevision
  return isDeepStrictEqual(a, b)
}

function visible(state: State, { workspaceId }: CallOptions): State {
  return state === null || (workspaceId !== undefined && state.session.workspaceId !== workspaceId) ? null : state
}

function changed(state: State, id: string, change: TimedChange, options: CallOptions): Answer {
  const { idempotencyKey: key, createIfMissing, ifRevision } = options
  const workspaceId = options.workspaceId === undefined ? createIfMissing?.workspaceId : options.workspaceId
  const scope = createIfMissing === undefined ? options.workspaceId : (workspaceId ?? null)
  const seen = visible(state, scope === undefined ? {} : { workspaceId: scope })
  if (seen === null && (state !== null || createIfMissing === undefined)) {
    return failed(state, createIfMissing === undefined ? 'SESSION_NOT_FOUND' : 'SESSION_EXISTS')
  }
  const { updatedAt: _time, ...content } = change
  const passed = plain({ ...content, createIfMissing })
  const known = seen?.remembered.find(other => other.key === key)
  if (known !== undefined) {
    if (!isDeepStrictEqual(known.passed, passed)) return failed(state, 'IDEMPOTENCY_KEY_CONFLICT')
    return gave(state, { ...known.result, replayed: true })
  }
  try {
    const { session, isChanged, result } =
      seen === null
        ? created(id, change, { ...createIfMissing, workspaceId: scope ?? null })
        : applied(seen.session, change, ifRevision)
    const remembered = seen?.remembered ?? []
    if (key === undefined) return gave(isChanged ? { session, remembered } : state, result)
    return gave({ session, remembered: [...remembered, { key, passed, result }].slice(-REMEMBERED) }, result)
  } catch (error) {
    if (!isTurnstoreError(error)) throw error
    return failed(state, error.code, error.actualRevision)
  }
}

interface Applied {
  readonly session: SessionRecord
  readonly isChanged: boolean
  readonly result: ChangeResult
}

function applied(before: SessionRecord, change: TimedChange, ifRevision: number | undefined): Applied {
  const { session, changed, deduplicated, skipped } = applyChange(
    before,
    change,
    ifRevision === undefined ? {} : { ifRevision },
  )
  const { revision, turns } = changed ? session : before
  const result = { revision, turnCount: turns.length, deduplicated, ...(skipped && { skipped }) }
  return { session: changed ? session : before, isChanged: changed, result }
}

function created(id: string, { keepTurns: _keep, ...change }: TimedChange, members: Partial<SessionRecord>): Applied {
  const { updatedAt } = change
  const given: Partial<SessionRecord> = untyped(plain(members))
  const empty = sessionOf(id, { ...given, createdAt: updatedAt, updatedAt })
  const { session, result } = applied(empty, change, undefined)
  return { session: { ...session, revision: 1 }, isChanged: true, result: { ...result, revision: 1, created: true } }
}

function saved(state: State, record: SessionRecord, { workspaceId, ifRevision }: CallOptions): Answer {
  if (workspaceId !== undefined && workspaceId !== record.workspaceId) return failed(state, 'INVALID_ARGUMENT')
  if (state !== null && state.session.workspaceId !== record.workspaceId) return failed(state, 'SESSION_EXISTS')
  const current = state?.session.revision ?? 0
  if (ifRevision !== undefined && ifRevision !== current) return failed(state, 'REVISION_CONFLICT', current)
  const revision = current + 1
  const session: SessionRecord = untyped(plain(record))
  return gave({ session: { ...session, revision }, remembered: state?.remembered ?? [] }, revision)
}

/** Random records have members without a prototype, which stores accept but do not return. */
function plain(value: object): object {
  return untyped(JSON.parse(JSON.stringify(value)))
}

function gave(state: State, value: unknown): Answer {
  return { state, outcome: { kind: 'gave', value } }
}

function failed(state: State, code: string, actualRevision?: number): Answer {
  return { state, outcome: { kind: 'failed', code, ...(actualRevision === undefined ? {} : { actualRevision }) } }
}

function pageOf({ turns, revision }: SessionRecord, range: TurnRange, { parts }: CallOptions): unknown {
  const turnCount = turns.length
  const [first, end] = stretchOf(turns, range)
  const found: readonly object[] = turns.slice(first, end)
  const heads = turns.slice(first, end).map(({ toolCalls, items, ...head }) => {
    return { ...head, partCounts: { toolCalls: toolCalls.length, items: items.length } }
  })
  return { turns: parts === 'none' ? heads : found, firstIndex: first, turnCount, revision }
}

function stretchOf(turns: SessionRecord['turns'], { last, turnId, from = 0, limit = Infinity }: TurnRange) {
  const { length } = turns
  if (turnId === undefined) return rangeOf(length, last, from, limit)
  const index = turns.findLastIndex(turn => turn.turnId === turnId)
  return index === -1 ? [length, length] : [index, index + 1]
}

function partsOf({ turns, revision }: SessionRecord, turnId: string, range: PartRange): unknown {
  const turn = turns.findLast(turn => turn.turnId === turnId)
  if (turn === undefined) return null
  const { list, last, from = 0, limit = Infinity } = range
  const count = turn[list].length
  const [firstIndex, end] = rangeOf(count, last, from, limit)
  return { parts: turn[list].slice(firstIndex, end), firstIndex, count, revision }
}

function rangeOf(count: number, last: number | undefined, from: number, limit: number): [first: number, end: number] {
  if (last !== undefined) return [Math.max(0, count - last), count]
  return [Math.min(from, count), Math.min(from + limit, count)]
}
