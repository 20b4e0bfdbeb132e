import { isDeepStrictEqual } from 'node:util'
import { applyChange, isTurnstoreError, type TimedChange, type SessionRecord, type TurnRange } from '@turnstore/core'
import { untyped } from '../samples/methods.js'
import type { CallOptions, Operation, Outcome } from './operations.js'

/*
 * A model of one session: a record or none. Changes use core's `applyChange`; everything else is implemented here
 * independently.
 */

/** A session at one moment; null if it does not exist. */
export type State = SessionRecord | null

interface Answer {
  readonly state: State
  readonly outcome: Outcome
}

/** The result of a call on a session and the state after it: the same object if nothing changed. */
export function answerOf(state: State, operation: Operation): Answer {
  const { method, options = {} } = operation
  if (method === 'saveSession') return saved(state, operation.record, options)
  const seen = visible(state, options)
  if (method === 'changeSession') return changed(state, seen, operation.change, options)
  if (method === 'readTurns') return gave(state, seen && pageOf(seen, operation.range))
  if (method === 'deleteSession') return gave(seen === null ? state : null, seen !== null)
  return gave(state, method === 'loadSession' ? seen : seen && summaryOf(seen))
}

/** Whether two outcomes are equal, ignoring error messages. */
export function sameOutcome(a: Outcome, b: Outcome): boolean {
  if (a.kind === 'failed' && b.kind === 'failed') return a.code === b.code && a.actualRevision === b.actualRevision
  return isDeepStrictEqual(a, b)
}

function visible(state: State, { workspaceId }: CallOptions): State {
  return state === null || (workspaceId !== undefined && state.workspaceId !== workspaceId) ? null : state
}

function changed(state: State, seen: State, change: TimedChange, { ifRevision }: CallOptions): Answer {
  if (seen === null) return failed(state, 'SESSION_NOT_FOUND')
  try {
    const { session, changed, deduplicated } = applyChange(seen, change, ifRevision === undefined ? {} : { ifRevision })
    const { revision, turns } = session
    return gave(changed ? session : state, { revision, turnCount: turns.length, deduplicated })
  } catch (error) {
    if (!isTurnstoreError(error)) throw error
    return failed(state, error.code, error.actualRevision)
  }
}

function saved(state: State, record: SessionRecord, { workspaceId, ifRevision }: CallOptions): Answer {
  if (workspaceId !== undefined && workspaceId !== record.workspaceId) return failed(state, 'INVALID_ARGUMENT')
  if (state !== null && state.workspaceId !== record.workspaceId) return failed(state, 'SESSION_EXISTS')
  const current = state?.revision ?? 0
  if (ifRevision !== undefined && ifRevision !== current) return failed(state, 'REVISION_CONFLICT', current)
  const revision = current + 1
  // Random records have members without a prototype, which stores accept but do not return.
  const plain: SessionRecord = untyped(JSON.parse(JSON.stringify(record)))
  return gave({ ...plain, revision }, revision)
}

function gave(state: State, value: unknown): Answer {
  return { state, outcome: { kind: 'gave', value } }
}

function failed(state: State, code: string, actualRevision?: number): Answer {
  return { state, outcome: { kind: 'failed', code, ...(actualRevision === undefined ? {} : { actualRevision }) } }
}

function pageOf({ turns, revision }: SessionRecord, range: TurnRange): unknown {
  const turnCount = turns.length
  const [first, end] = stretchOf(turns, range)
  return { turns: turns.slice(first, end), firstIndex: first, turnCount, revision }
}

function stretchOf(turns: SessionRecord['turns'], { last, turnId, from = 0, limit = Infinity }: TurnRange) {
  const { length } = turns
  if (last !== undefined) return [Math.max(0, length - last), length]
  if (turnId === undefined) return [Math.min(from, length), Math.min(from + limit, length)]
  const index = turns.findLastIndex(turn => turn.turnId === turnId)
  return index === -1 ? [length, length] : [index, index + 1]
}

function summaryOf({ turns, agentTransitions, extra: _extra, ...head }: SessionRecord): unknown {
  return { ...head, turnCount: turns.length, agentTransitionCount: agentTransitions.length }
}
