import type { TurnPatch } from './models.js'
import { checkId, isValidId } from '../basics/ids.js'
import { checkReserved, copyInput, extraName, inputMembers, withinLimit } from './input-members.js'
import { isJsonObject, type JsonObject, SizeBudget } from '../basics/json.js'
import { hardLimits, type Limits } from './limits.js'
import { invalidRecord, shape, type Label, type Shape } from './members.js'
import type { AgentTransitionRecord, SessionRecord, ToolCallRecord, TurnItem, TurnRecord } from './models.js'
import { partIdOf } from './part-ids.js'
import { headBytes, itemBytes, jsonLength, toolCallBytes, turnBytes } from './part-sizes.js'
import {
  readItem,
  readSession,
  readToolCall,
  readTransition,
  readTurn,
  sessionNames,
  turnNames,
  turnShape,
} from './read-record.js'
import { encodeSession, encodeTransition } from './encode-record.js'

/*
 * Copies, checks and measures records from callers. Each turn and agent transition is measured separately.
 */

/**
 * Copies and checks a turn, up to `limits.turnBytes`, its head and each part up to `limits.partBytes`. Accepts any
 * string as an id. {@link readNewTurn} also checks the ids.
 * @throws `INVALID_RECORD`
 */
export function readTurnInput(source: unknown, limits: Limits, what: Label = 'turn'): TurnRecord {
  return withinLimit(
    what,
    limits.turnBytes,
    whole =>
      withinLimit(
        what,
        limits.partBytes,
        head => readTurn(inputMembers(source, what, limits, head, whole)),
        headBytes,
        whole,
      ),
    turnBytes,
  )
}

/** Copies and checks a turn that a change appends. @throws `INVALID_RECORD`, `INVALID_ID` */
export function readNewTurn(source: unknown, limits: Limits, what: string): TurnRecord {
  const turn = fillPartIds(readTurnInput(source, limits, what))
  checkId(turn.turnId, `${what}.turnId`)
  if (turn.agentId !== null) checkId(turn.agentId, `${what}.agentId`)
  // The labels are made only for an id that is refused.
  turn.toolCalls.forEach(({ callId }, index) => {
    if (!isValidId(callId)) checkId(callId, `${what}.toolCalls[${index}].callId`)
  })
  turn.items.forEach(({ itemId }, index) => {
    if (!isValidId(itemId)) checkId(itemId, `${what}.items[${index}].itemId`)
  })
  return turn
}

/**
 * Fills in empty ids of parts. Some providers send them, and all calls of a turn would count as one. A retry
 * gets the same ids. `saveSession` does not use this and keeps ids unchanged.
 */
export function fillPartIds(turn: TurnRecord): TurnRecord {
  if (turn.toolCalls.every(({ callId }) => callId !== '') && turn.items.every(({ itemId }) => itemId !== '')) {
    return turn
  }
  const toolCalls = turn.toolCalls.map((call, index) =>
    call.callId === '' ? { ...call, callId: partIdOf('toolCalls', turn.turnId, index) } : call,
  )
  const items = turn.items.map((item, index) =>
    item.itemId === '' ? { ...item, itemId: partIdOf('items', turn.turnId, index) } : item,
  )
  return { ...turn, toolCalls, items }
}

/** Copies and checks an agent transition that a change appends. @throws `INVALID_RECORD`, `INVALID_ID` */
export function readNewTransition(source: unknown, limits: Limits, what: string): AgentTransitionRecord {
  const transition = readTransitionInput(source, limits, what)
  const { transitionId, fromAgent, toAgent, turnId } = transition
  checkId(toAgent, `${what}.toAgent`)
  if (fromAgent !== null) checkId(fromAgent, `${what}.fromAgent`)
  if (transitionId !== null) checkId(transitionId, `${what}.transitionId`)
  if (turnId !== '') checkId(turnId, `${what}.turnId`)
  return transition
}

/** @throws `INVALID_RECORD` */
export function readTransitionInput(source: unknown, limits: Limits, what: Label): AgentTransitionRecord {
  return withinLimit(
    what,
    limits.partBytes,
    budget => readTransition(inputMembers(source, what, limits, budget)),
    transition => jsonLength(encodeTransition(transition)),
  )
}

/** Copies and checks a tool call that a change puts into a turn. @throws `INVALID_RECORD` */
export function readToolCallInput(
  source: unknown,
  limits: Limits,
  what: string,
  newId: () => string,
  whole?: SizeBudget,
): ToolCallRecord {
  return withinLimit(
    what,
    limits.partBytes,
    budget => {
      const call = readToolCall(inputMembers(source, what, limits, budget), () => '')
      return call.callId === '' ? { ...call, callId: newId() } : call
    },
    toolCallBytes,
    whole,
  )
}

/** Copies and checks an item that a change puts into a turn. @throws `INVALID_RECORD` */
export function readItemInput(
  source: unknown,
  limits: Limits,
  what: string,
  newId: () => string,
  whole?: SizeBudget,
): TurnItem {
  return withinLimit(
    what,
    limits.partBytes,
    budget => {
      const item = readItem(inputMembers(source, what, limits, budget), () => '')
      return item.itemId === '' ? { ...item, itemId: newId() } : item
    },
    itemBytes,
    whole,
  )
}

/**
 * Copies and checks a whole session. Accepts any ids of turns, agent transitions and agents, so that every
 * old file can be copied and forked.
 * @throws `INVALID_RECORD`, `INVALID_ID`
 */
export function readSessionInput(source: unknown, limits: Limits): SessionRecord {
  const what = 'session'
  const session = withinLimit(
    what,
    limits.metadataBytes,
    budget => {
      const members = inputMembers(source, what, limits, budget)
      if (!members.has(sessionNames.workspaceId) && isJsonObject(source) && 'workspaceId' in source) {
        members.fail(sessionNames.workspaceId, 'is undefined; use null for a session without a workspace')
      }
      return readSession(
        members,
        members.items(sessionNames.turns).map(({ source: turn, what: place }) => readTurnInput(turn, limits, place)),
        members
          .items(sessionNames.agentTransitions)
          .map(({ source: transition, what: place }) => readTransitionInput(transition, limits, place)),
        members.limitedObject(sessionNames.metadata, limits.metadataBytes),
      )
    },
    session => jsonLength(encodeSession({ ...session, turns: [], agentTransitions: [], metadata: {} })),
  )
  checkId(session.sessionId, 'sessionId')
  if (session.workspaceId !== null) checkId(session.workspaceId, 'workspaceId')
  if (session.parentSessionId !== null) checkId(session.parentSessionId, 'parentSessionId')
  return session
}

/**
 * Copies an object that is to be stored, such as the value of an item, and checks that it is JSON. Undefined members are
 * left out.
 * @param what names the object in errors
 * @throws `INVALID_RECORD` for anything else, such as a `Date`
 */
export function readJsonObject(source: unknown, what: string): JsonObject {
  const copy = copyInput(source, what, hardLimits, new SizeBudget(Infinity))
  return isJsonObject(copy) ? copy : fail(what, 'must be an object')
}

/** Copies and checks the metadata members that a change sets. @throws `INVALID_RECORD` */
export function readMetadataInput(source: unknown, limits: Limits, what: string): JsonObject {
  return withinLimit(
    what,
    limits.metadataBytes,
    budget => {
      const copy = copyInput(source, what, limits, budget)
      if (!isJsonObject(copy)) return fail(what, 'must be an object')
      checkReserved(copy, what)
      return copy
    },
    jsonLength,
  )
}

function fail(what: string, reason: string): never {
  throw invalidRecord(what, reason)
}

const { turnId: _turnId, toolCalls: _toolCalls, items: _items, ...patchNames } = turnNames
const patchShape: Shape = {
  ...shape(patchNames, turnNames.turnId, turnNames.toolCalls, turnNames.items),
  ...(turnShape.foreign && { foreign: turnShape.foreign }),
}

/** The members of a turn that an update can set. */
export const turnPatchMembers: readonly string[] = [...Object.keys(patchNames), 'extra']

/**
 * Copies and checks the members that an update sets. The id and the tool calls of a turn are not among them.
 * @throws `INVALID_RECORD`, `INVALID_ID`
 */
export function readTurnPatch(source: unknown, limits: Limits, what: string): TurnPatch {
  return withinLimit(
    what,
    limits.partBytes,
    budget => {
      const members = inputMembers(source, what, limits, budget)
      const { extra } = members.extra(patchShape)
      const agentId = members.has(patchNames.agentId) ? members.textOrNull(patchNames.agentId) : undefined
      if (typeof agentId === 'string') checkId(agentId, `${what}.agentId`)
      return {
        ...(agentId === undefined ? {} : { agentId }),
        ...(members.has(patchNames.prompt) ? { prompt: members.text(patchNames.prompt) } : {}),
        ...(members.has(patchNames.responseContent)
          ? { responseContent: members.textOrNull(patchNames.responseContent) }
          : {}),
        ...(members.has(patchNames.startedAt) ? { startedAt: members.text(patchNames.startedAt) } : {}),
        ...(members.has(patchNames.endedAt) ? { endedAt: members.textOrNull(patchNames.endedAt) } : {}),
        ...(members.has(patchNames.status) ? { status: members.text(patchNames.status) } : {}),
        ...(members.has(patchNames.error) ? { error: members.textOrNull(patchNames.error) } : {}),
        ...(members.has(patchNames.auditEventIds) ? { auditEventIds: members.texts(patchNames.auditEventIds) } : {}),
        ...(members.has(patchNames.metadata) ? { metadata: members.object(patchNames.metadata) } : {}),
        ...(members.has(extraName) ? { extra: extra ?? {} } : {}),
      }
    },
    () => 0,
  )
}
