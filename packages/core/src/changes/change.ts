import { TurnstoreError } from '../basics/errors.js'
import { checkId } from '../basics/ids.js'
import { type JsonObject, SizeBudget } from '../basics/json.js'
import type { Limits } from '../records/limits.js'
import type {
  AgentTransitionInput,
  AgentTransitionRecord,
  ToolCallInput,
  ToolCallRecord,
  TurnInput,
  TurnItem,
  TurnItemInput,
  TurnPatch,
  TurnRecord,
  TurnStatus,
} from '../records/models.js'
import { checkMembers, readFlag, readObject } from '../basics/arguments.js'
import {
  readItemInput,
  readMetadataInput,
  readNewTransition,
  readNewTurn,
  readToolCallInput,
  readTurnPatch,
} from '../records/record-input.js'
import { randomId } from '../basics/runtime.js'

/**
 * Changes a stored session without rewriting it. A change is atomic. Its members are applied in the order
 * listed here, and so are the members of a {@link TurnUpdate}. `applyChange` defines their effect.
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
  ifStatus?: TurnStatus
  set?: TurnPatch
  /** Top-level members of the turn's metadata to set, after `set`. */
  setMetadata?: JsonObject
  /** Top-level members of the turn's metadata to remove, after `setMetadata`. */
  unsetMetadata?: readonly string[]
  /** Ids of tool calls to remove. */
  removeToolCalls?: readonly string[]
  /** Ids of items to remove. */
  removeItems?: readonly string[]
  /** Adds tool calls, or replaces those with the same `callId`. A call without a `callId` gets a new one. */
  putToolCalls?: readonly ToolCallPut[]
  /** Adds items, or replaces those with the same `itemId`. An item without an `itemId` gets a new one. */
  putItems?: readonly TurnItemInput[]
}

export type ToolCallPut = ToolCallInput & {
  /**
   * Replace the call with this id even if it has finished and has another name or other arguments. Without it, that
   * fails with `CALL_ID_CONFLICT`.
   */
  replace?: boolean
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
  readonly setMetadata: JsonObject
  readonly unsetMetadata: readonly string[]
  readonly removeToolCalls: readonly string[]
  readonly removeItems: readonly string[]
  readonly putToolCalls: readonly { readonly call: ToolCallRecord; readonly replace: boolean }[]
  readonly putItems: readonly TurnItem[]
  /** At most so many bytes of JSON has what is put: seldom does anyone have to measure exactly. */
  readonly putBytesAtMost: number
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
 * @param now gives the time of the change, unless it has one of its own
 * @throws `INVALID_ARGUMENT`, `INVALID_ID`, `INVALID_RECORD`
 */
export function readChange(source: SessionChange, limits: Limits, now?: () => string): CheckedChange {
  checkMembers(source, 'change', members)
  const { keepTurns, agentId, updatedAt = now?.(), unsetMetadata, setMetadata } = source
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
    unsetMetadata: texts(unsetMetadata, 'change.unsetMetadata'),
    agentId,
    reopen: readFlag(source.reopen, 'change.reopen'),
    updatedAt,
  }
}

function readTurnUpdate(source: unknown, limits: Limits, what: string): CheckedTurnUpdate {
  const members = readObject(source, what, updateMembers)
  const { turnId, ifStatus, set, setMetadata } = members
  if (typeof turnId !== 'string') throw new TurnstoreError('INVALID_ARGUMENT', `${what}.turnId must be a string`)
  if (ifStatus !== undefined && typeof ifStatus !== 'string') {
    throw new TurnstoreError('INVALID_ARGUMENT', `${what}.ifStatus must be a string`)
  }
  const put = new SizeBudget(Infinity)
  return {
    turnId,
    ifStatus,
    set: set === undefined ? {} : readTurnPatch(set, limits, `${what}.set`),
    setMetadata:
      setMetadata === undefined
        ? {}
        : readMetadataInput(setMetadata, { ...limits, metadataBytes: limits.partBytes }, `${what}.setMetadata`),
    unsetMetadata: texts(members.unsetMetadata, `${what}.unsetMetadata`),
    removeToolCalls: texts(members.removeToolCalls, `${what}.removeToolCalls`),
    removeItems: texts(members.removeItems, `${what}.removeItems`),
    putToolCalls: list(members.putToolCalls, `${what}.putToolCalls`).map((call, index) =>
      readToolCallPut(call, limits, `${what}.putToolCalls[${index}]`, put),
    ),
    putItems: list(members.putItems, `${what}.putItems`).map((item, index) => {
      const place = `${what}.putItems[${index}]`
      const read = readItemInput(item, limits, place, randomId, put)
      checkId(read.itemId, `${place}.itemId`)
      return read
    }),
    // Evaluated after the members above.
    putBytesAtMost: put.atMost,
  }
}

const updateMembers = [
  'turnId',
  'ifStatus',
  'set',
  'setMetadata',
  'unsetMetadata',
  'removeToolCalls',
  'removeItems',
  'putToolCalls',
  'putItems',
]

function readToolCallPut(
  source: unknown,
  limits: Limits,
  what: string,
  put: SizeBudget,
): { call: ToolCallRecord; replace: boolean } {
  const { replace, call: record } = withoutReplace(source)
  const call = readToolCallInput(record, limits, what, randomId, put)
  checkId(call.callId, `${what}.callId`)
  return { call, replace: readFlag(replace, `${what}.replace`) }
}

function withoutReplace(source: unknown): { replace: unknown; call: unknown } {
  if (typeof source !== 'object' || source === null || !Object.hasOwn(source, 'replace')) {
    return { replace: undefined, call: source }
  }
  const { replace, ...call }: { replace?: unknown } = source
  return { replace, call }
}

function list(value: unknown, what: string): readonly unknown[] {
  if (value === undefined) return []
  if (!Array.isArray(value)) throw new TurnstoreError('INVALID_ARGUMENT', `${what} must be an array`)
  return Array.from<unknown>(value)
}

function texts(value: unknown, what: string): string[] {
  return list(value, what).map(text => {
    if (typeof text !== 'string') throw new TurnstoreError('INVALID_ARGUMENT', `${what} must be an array of strings`)
    return text
  })
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
