import type { TurnPatch } from './models.js'
import { checkId } from '../basics/ids.js'
import { copyInput, extraName, inputMembers, withinLimit } from './input-members.js'
import { isJsonObject, type JsonObject } from '../basics/json.js'
import type { Limits } from './limits.js'
import { invalidRecord, shape, type Label } from './members.js'
import type { AgentTransitionRecord, SessionRecord, ToolCallRecord, TurnRecord } from './models.js'
import {
  readSession,
  readToolCall,
  readTransition,
  readTurn,
  sessionNames,
  turnNames,
} from './read-record.js'
import { utf8Length } from '../basics/text.js'
import { encodeSession, encodeToolCall, encodeTransition, encodeTurn } from './wire.js'

/*
 * Records as callers hand them in: copied, checked and measured, each turn and transition by itself.
 */

/**
 * A checked copy of a turn that a caller hands in, at most `limits.turnBytes` large. The id is any
 * string: what a change brings is held to the rules for ids by {@link readNewTurn}.
 * @throws `INVALID_RECORD`
 */
export function readTurnInput(source: unknown, limits: Limits, what: Label = 'turn'): TurnRecord {
  return withinLimit(
    what,
    limits.turnBytes,
    budget => readTurn(inputMembers(source, what, limits, budget)),
    turn => jsonLength(encodeTurn(turn)),
  )
}

/** A turn that a change appends. @throws `INVALID_RECORD`, `INVALID_ID` */
export function readNewTurn(source: unknown, limits: Limits, what: string): TurnRecord {
  const turn = fillCallIds(readTurnInput(source, limits, what))
  checkId(turn.turnId, `${what}.turnId`)
  if (turn.agentId !== null) checkId(turn.agentId, `${what}.agentId`)
  return turn
}

/**
 * Some providers give calls an empty id. It counts as missing, since all calls of a turn would be one by it; the same
 * is filled in on a retry. Label is saved as a whole keeps its ids.
 */
export function fillCallIds(turn: TurnRecord): TurnRecord {
  if (turn.toolCalls.every(({ callId }) => callId !== '')) return turn
  const toolCalls = turn.toolCalls.map((call, index) => (call.callId === '' ? { ...call, callId: `${turn.turnId}:${index}` } : call))
  return { ...turn, toolCalls }
}

/** A transition that a change appends. @throws `INVALID_RECORD`, `INVALID_ID` */
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
    limits.turnBytes,
    budget => readTransition(inputMembers(source, what, limits, budget)),
    transition => jsonLength(encodeTransition(transition)),
  )
}

/** A tool call that a change puts into a turn. @throws `INVALID_RECORD` */
export function readToolCallInput(source: unknown, limits: Limits, what: string, newId: () => string): ToolCallRecord {
  return withinLimit(
    what,
    limits.turnBytes,
    budget => {
      const members = inputMembers(source, what, limits, budget)
      const call = readToolCall(members, '')
      return call.callId === '' ? { ...call, callId: newId() } : call
    },
    call => jsonLength(encodeToolCall(call)),
  )
}

/**
 * A checked copy of a whole session that a caller hands in. Turns, transitions and agents keep the
 * ids that they have, so that every old file can be copied and forked.
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
        members.fail(sessionNames.workspaceId, 'is undefined; null means a session without a workspace')
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

/** Members of metadata that a change sets. @throws `INVALID_RECORD` */
export function readMetadataInput(source: unknown, limits: Limits, what: string): JsonObject {
  return withinLimit(
    what,
    limits.metadataBytes,
    budget => {
      const copy = copyInput(source, what, limits, budget)
      return isJsonObject(copy) ? copy : fail(what, 'must be an object')
    },
    jsonLength,
  )
}

function fail(what: string, reason: string): never {
  throw invalidRecord(what, reason)
}

/** Bytes of a value as JSON in UTF-8, as the limits count them. */
export function jsonLength(value: JsonObject): number {
  return utf8Length(JSON.stringify(value))
}

const { turnId: _turnId, toolCalls: _toolCalls, ...patchNames } = turnNames
const patchShape = shape(patchNames, turnNames.turnId, turnNames.toolCalls)

/** Those of a turn that an update may set. */
export const turnPatchMembers: readonly string[] = [...Object.keys(patchNames), 'extra']

/**
 * Some members of a turn, as an update sets them: neither its id nor its tool calls.
 * @throws `INVALID_RECORD`, `INVALID_ID`
 */
export function readTurnPatch(source: unknown, limits: Limits, what: string): TurnPatch {
  return withinLimit(
    what,
    limits.turnBytes,
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
