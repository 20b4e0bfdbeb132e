import { TurnstoreError } from '../basics/errors.js'
import { checkId } from '../basics/ids.js'
import type { JsonObject } from '../basics/json.js'
import type { Limits } from '../records/limits.js'
import type {
  AgentTransitionInput,
  AgentTransitionRecord,
  ToolCallInput,
  ToolCallRecord,
  TurnInput,
  TurnPatch,
  TurnRecord,
} from '../records/models.js'
import { checkMembers, readFlag, readObject } from '../basics/arguments.js'
import {
  readMetadataInput,
  readNewTransition,
  readNewTurn,
  readToolCallInput,
  readTurnPatch,
} from '../records/record-input.js'
import { randomId } from '../basics/runtime.js'

/**
 * Changes a stored session without rewriting it. A change is atomic. Its members are applied in the order
 * listed here. `applyChange` defines their effect.
 */
export interface SessionChange {
  /** Rewind: keep the first n turns. Drop the rest, and the agent transitions recorded in them. */
  keepTurns?: number
  updateTurns?: readonly TurnUpdate[]
  /** Turns to append. `turnId` is the idempotency key. */
  appendTurns?: readonly (TurnInput & Pick<TurnRecord, 'turnId'>)[]
  /** `transitionId` is the idempotency key. A transition without one is always appended. */
  appendAgentTransitions?: readonly AgentTransitionInput[]
  /** Top-level metadata members to set. */
  setMetadata?: JsonObject
  /** Top-level metadata members to remove, after `setMetadata`. */
  unsetMetadata?: readonly string[]
  /** The session's agent. An agent transition does not change it. */
  agentId?: string | null
  /** If the change adds a turn, the session is no longer ended, unless `setMetadata` sets `ended`. */
  reopen?: boolean
  /**
   * ISO 8601; default: the time of the call. The session keeps the later of this and its own `updatedAt`, so the time
   * never goes back.
   */
  updatedAt?: string
}

/** A change with its time. */
export interface TimedChange extends SessionChange {
  updatedAt: string
}

export interface TurnUpdate {
  turnId: string
  /** Apply this update only while the turn has this status. Otherwise, the result lists the turn as `skipped`. */
  ifStatus?: string
  set?: TurnPatch
  /** Adds tool calls, or replaces those with the same `callId`. A call without a `callId` gets a new one. */
  putToolCalls?: readonly ToolCallInput[]
}

/** The result of a change. */
export interface ChangeResult {
  revision: number
  turnCount: number
  /** Ids of appended turns that the session already had. */
  deduplicated: string[]
  /** Ids of turns whose update had another `ifStatus` than the turn. Only set if there are any. */
  skipped?: string[]
  /** Set if the change created the session. */
  created?: true
  /** Set if the store remembered the change by its `idempotencyKey`: the rest is the first result. */
  replayed?: true
}

/** A change as hooks receive it: copied, checked and complete. The hook owns its turns and tool calls. */
export interface CheckedChange {
  readonly keepTurns: number | undefined
  readonly updateTurns: readonly CheckedTurnUpdate[]
  readonly appendTurns: readonly TurnRecord[]
  readonly appendAgentTransitions: readonly AgentTransitionRecord[]
  readonly setMetadata: JsonObject
  readonly unsetMetadata: readonly string[]
  readonly agentId: string | null | undefined
  readonly reopen: boolean
  readonly updatedAt: string
}

export interface CheckedTurnUpdate {
  readonly turnId: string
  readonly ifStatus: string | undefined
  readonly set: TurnPatch
  readonly putToolCalls: readonly ToolCallRecord[]
}

const members = [
  'keepTurns',
  'updateTurns',
  'appendTurns',
  'appendAgentTransitions',
  'setMetadata',
  'unsetMetadata',
  'agentId',
  'reopen',
  'updatedAt',
]

/**
 * Copies and checks the caller's change.
 * @param now the time of the change, unless it has one of its own
 * @throws `INVALID_ARGUMENT`, `INVALID_ID`, `INVALID_RECORD`
 */
export function readChange(source: SessionChange, limits: Limits, now?: string): CheckedChange {
  checkMembers(source, 'change', members)
  const { keepTurns, agentId, updatedAt = now, unsetMetadata, setMetadata } = source
  if (keepTurns !== undefined && !(Number.isSafeInteger(keepTurns) && keepTurns >= 0)) {
    throw new TurnstoreError('INVALID_ARGUMENT', 'change.keepTurns must be a whole number of at least 0')
  }
  if (typeof updatedAt !== 'string') {
    throw new TurnstoreError('INVALID_ARGUMENT', 'change.updatedAt must be a string: an ISO 8601 time')
  }
  if (agentId !== undefined && agentId !== null) checkId(agentId, 'change.agentId')
  return {
    keepTurns,
    updateTurns: list(source.updateTurns, 'change.updateTurns').map((update, index) =>
      readTurnUpdate(update, limits, `change.updateTurns[${index}]`),
    ),
    appendTurns: list(source.appendTurns, 'change.appendTurns').map((turn, index) =>
      readNewTurn(turn, limits, `change.appendTurns[${index}]`),
    ),
    appendAgentTransitions: list(source.appendAgentTransitions, 'change.appendAgentTransitions').map(
      (transition, index) => readNewTransition(transition, limits, `change.appendAgentTransitions[${index}]`),
    ),
    setMetadata: setMetadata === undefined ? {} : readMetadataInput(setMetadata, limits, 'change.setMetadata'),
    unsetMetadata: list(unsetMetadata, 'change.unsetMetadata').map(readKey),
    agentId,
    reopen: readFlag(source.reopen, 'change.reopen'),
    updatedAt,
  }
}

function readTurnUpdate(source: unknown, limits: Limits, what: string): CheckedTurnUpdate {
  const { turnId, ifStatus, set, putToolCalls } = readObject(source, what, [
    'turnId',
    'ifStatus',
    'set',
    'putToolCalls',
  ])
  if (typeof turnId !== 'string') throw new TurnstoreError('INVALID_ARGUMENT', `${what}.turnId must be a string`)
  if (ifStatus !== undefined && typeof ifStatus !== 'string') {
    throw new TurnstoreError('INVALID_ARGUMENT', `${what}.ifStatus must be a string`)
  }
  return {
    turnId,
    ifStatus,
    set: set === undefined ? {} : readTurnPatch(set, limits, `${what}.set`),
    putToolCalls: list(putToolCalls, `${what}.putToolCalls`).map((call, index) =>
      readToolCallInput(call, limits, `${what}.putToolCalls[${index}]`, randomId),
    ),
  }
}

function list(value: unknown, what: string): readonly unknown[] {
  if (value === undefined) return []
  if (!Array.isArray(value)) throw new TurnstoreError('INVALID_ARGUMENT', `${what} must be an array`)
  return Array.from<unknown>(value)
}

function readKey(key: unknown): string {
  if (typeof key !== 'string')
    throw new TurnstoreError('INVALID_ARGUMENT', 'change.unsetMetadata must be an array of strings')
  return key
}

/** Whether a change only appends, and appends at least one turn. Only such a change can be recognised as a retry. */
export function onlyAppends(change: CheckedChange): boolean {
  return (
    change.appendTurns.length > 0 &&
    change.keepTurns === undefined &&
    change.updateTurns.length === 0 &&
    Object.keys(change.setMetadata).length === 0 &&
    change.unsetMetadata.length === 0 &&
    change.agentId === undefined
  )
}
