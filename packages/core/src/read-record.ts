import { TurnstoreError } from './errors.js'
import { checkId } from './ids.js'
import type { TurnPatch } from './change.js'
import { isJsonObject, type JsonObject } from './json.js'
import type { Limits } from './limits.js'
import { copyInput, inputMembers, invalidRecord, type Members, shape, weighed, type What, wireMembers } from './members.js'
import { type AgentTransitionRecord, SCHEMA_VERSION, type SessionRecord, type ToolCallRecord, type TurnRecord } from './models.js'
import { utf8Length } from './text.js'
import { encodeSession, encodeToolCall, encodeTransition, encodeTurn } from './wire.js'

/*
 * What each record is made of, which of it is required and what is the default. One description
 * for both dialects: what a caller hands in and what stands on the wire.
 */

const turnShape = shape([
  'turnId',
  'agentId',
  'prompt',
  'responseContent',
  'toolCalls',
  'startedAt',
  'endedAt',
  'status',
  'error',
  'auditEventIds',
  'metadata',
])

/** Those of a turn that an update may set. */
export const turnPatchMembers: readonly string[] = [
  'agentId',
  'prompt',
  'responseContent',
  'startedAt',
  'endedAt',
  'status',
  'error',
  'auditEventIds',
  'metadata',
  'extra',
]
const patchShape = shape(turnPatchMembers.slice(0, -1), ['turn_id', 'tool_calls'])

const toolCallShape = shape([
  'callId',
  'toolName',
  'arguments',
  'result',
  'status',
  'error',
  'durationMs',
  'sandboxContext',
  'metadata',
])

const transitionShape = shape(['transitionId', 'fromAgent', 'toAgent', 'reason', 'turnId', 'timestamp'])

const sessionShape = shape(
  [
    'sessionId',
    'workspaceId',
    'parentSessionId',
    'agentId',
    'createdAt',
    'updatedAt',
    'turns',
    'agentTransitions',
    'metadata',
    'revision',
  ],
  ['schema_version'],
)

function readToolCall(members: Members, missingCallId?: string): ToolCallRecord {
  return {
    callId: members.text('callId', missingCallId),
    toolName: members.text('toolName'),
    arguments: members.object('arguments'),
    result: members.json('result'),
    status: members.text('status', 'success'),
    error: members.textOrNull('error'),
    durationMs: members.numberOrNull('durationMs'),
    sandboxContext: members.json('sandboxContext'),
    metadata: members.object('metadata'),
    ...members.extra(toolCallShape),
  }
}

function readTurn(members: Members): TurnRecord {
  const turnId = members.text('turnId')
  return {
    turnId,
    agentId: members.textOrNull('agentId'),
    prompt: members.text('prompt', ''),
    responseContent: members.textOrNull('responseContent'),
    toolCalls: members.list('toolCalls', (call, index) =>
      readToolCall(call, members.dialect === 'input' ? `${turnId}:${index}` : undefined),
    ),
    startedAt: members.text('startedAt', ''),
    endedAt: members.textOrNull('endedAt'),
    status: members.text('status', 'success'),
    error: members.textOrNull('error'),
    auditEventIds: members.texts('auditEventIds'),
    metadata: members.object('metadata'),
    ...members.extra(turnShape),
  }
}

function readTransition(members: Members): AgentTransitionRecord {
  return {
    transitionId: members.textOrNull('transitionId'),
    fromAgent: members.textOrNull('fromAgent'),
    toAgent: members.text('toAgent'),
    reason: members.textOrNull('reason'),
    turnId: members.text('turnId', ''),
    timestamp: members.text('timestamp', ''),
    ...members.extra(transitionShape),
  }
}

/** A session whose turns, transitions and metadata are read already: each of those is weighed by itself. */
function readSession(
  members: Members,
  turns: TurnRecord[],
  agentTransitions: AgentTransitionRecord[],
  metadata: JsonObject,
): SessionRecord {
  return {
    sessionId: members.text('sessionId'),
    workspaceId: members.textOrNull('workspaceId'),
    parentSessionId: members.textOrNull('parentSessionId'),
    agentId: members.textOrNull('agentId'),
    createdAt: members.text('createdAt', ''),
    updatedAt: members.text('updatedAt', ''),
    turns,
    agentTransitions,
    metadata,
    revision: members.numberOrNull('revision') ?? 1,
    ...members.extra(sessionShape),
  }
}

/*
 * The wire.
 */

/**
 * A turn as it stands on the wire. The result shares the JSON values of its source.
 * @throws `INVALID_RECORD`, naming the place and never the value
 */
export function decodeTurn(source: unknown, what: What = 'turn'): TurnRecord {
  return readTurn(wireMembers(source, what))
}

/** @throws `INVALID_RECORD` */
export function decodeToolCall(source: unknown, what = 'tool_call'): ToolCallRecord {
  return readToolCall(wireMembers(source, what))
}

/** @throws `INVALID_RECORD` */
export function decodeTransition(source: unknown, what: What = 'agent_transition'): AgentTransitionRecord {
  return readTransition(wireMembers(source, what))
}

/**
 * A session as it stands on the wire, in the reference's format and in ours: missing keys get their
 * defaults, unknown ones are kept in `extra`. The result shares the JSON values of its source.
 *
 * @throws `INVALID_RECORD`, naming the place and never the value; `SCHEMA_TOO_NEW`
 */
export function decodeSession(source: unknown, what = 'session'): SessionRecord {
  const members = wireMembers(source, what)
  checkSchemaVersion(members)
  const session = readSession(
    members,
    members.items('turns').map(({ source: turn, what: place }) => decodeTurn(turn, place)),
    members.items('agentTransitions').map(({ source: transition, what: place }) => decodeTransition(transition, place)),
    members.object('metadata'),
  )
  if (!Number.isSafeInteger(session.revision) || session.revision < 1) {
    members.fail('revision', 'must be a whole number of at least 1')
  }
  // The reference writes an empty workspace for none.
  if (session.workspaceId === '') session.workspaceId = null
  return session
}

/** First of all: of a newer format, nothing else may be judged. */
function checkSchemaVersion(members: Members): void {
  const version = members.numberOrNull('schemaVersion') ?? SCHEMA_VERSION
  if (version > SCHEMA_VERSION) {
    throw new TurnstoreError(
      'SCHEMA_TOO_NEW',
      `This session was written in version ${version} of the format; this version of Turnstore reads up to ${SCHEMA_VERSION}, a newer one is needed`,
    )
  }
  if (!Number.isSafeInteger(version) || version < 1) {
    members.fail('schemaVersion', 'must be a whole number of at least 1')
  }
}

/*
 * What a caller hands in.
 */

/**
 * A checked copy of a turn that a caller hands in, at most `limits.turnBytes` large. The id is any
 * string: what a change brings is held to the rules for ids by {@link readNewTurn}.
 * @throws `INVALID_RECORD`
 */
export function readTurnInput(source: unknown, limits: Limits, what: What = 'turn'): TurnRecord {
  return weighed(
    what,
    limits.turnBytes,
    scale => readTurn(inputMembers(source, what, limits, scale)),
    turn => jsonLength(encodeTurn(turn)),
  )
}

/** A turn that a change appends. @throws `INVALID_RECORD`, `INVALID_ID` */
export function readNewTurn(source: unknown, limits: Limits, what: string): TurnRecord {
  const turn = readTurnInput(source, limits, what)
  checkId(turn.turnId, `${what}.turnId`)
  if (turn.agentId !== null) checkId(turn.agentId, `${what}.agentId`)
  return turn
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
export function readTransitionInput(source: unknown, limits: Limits, what: What): AgentTransitionRecord {
  return weighed(
    what,
    limits.turnBytes,
    scale => readTransition(inputMembers(source, what, limits, scale)),
    transition => jsonLength(encodeTransition(transition)),
  )
}

/** A tool call that a change puts into a turn. @throws `INVALID_RECORD` */
export function readToolCallInput(source: unknown, limits: Limits, what: string, newId: () => string): ToolCallRecord {
  return weighed(
    what,
    limits.turnBytes,
    scale => {
      const members = inputMembers(source, what, limits, scale)
      return readToolCall(members, members.has('callId') ? undefined : newId())
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
  const session = weighed(
    what,
    limits.metadataBytes,
    scale => {
      const members = inputMembers(source, what, limits, scale)
      if (!members.has('workspaceId') && isJsonObject(source) && 'workspaceId' in source) {
        members.fail('workspaceId', 'is undefined; null means a session without a workspace')
      }
      return readSession(
        members,
        members.items('turns').map(({ source: turn, what: place }) => readTurnInput(turn, limits, place)),
        members.items('agentTransitions').map(({ source: transition, what: place }) => readTransitionInput(transition, limits, place)),
        members.weighedObject('metadata', limits.metadataBytes),
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
  return weighed(
    what,
    limits.metadataBytes,
    scale => {
      const copy = copyInput(source, what, limits, scale)
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

/**
 * Some members of a turn, as an update sets them: neither its id nor its tool calls.
 * @throws `INVALID_RECORD`, `INVALID_ID`
 */
export function readTurnPatch(source: unknown, limits: Limits, what: string): TurnPatch {
  return weighed(
    what,
    limits.turnBytes,
    scale => {
      const members = inputMembers(source, what, limits, scale)
      const { extra } = members.extra(patchShape)
      const agentId = members.has('agentId') ? members.textOrNull('agentId') : undefined
      if (typeof agentId === 'string') checkId(agentId, `${what}.agentId`)
      return {
        ...(agentId === undefined ? {} : { agentId }),
        ...(members.has('prompt') ? { prompt: members.text('prompt') } : {}),
        ...(members.has('responseContent') ? { responseContent: members.textOrNull('responseContent') } : {}),
        ...(members.has('startedAt') ? { startedAt: members.text('startedAt') } : {}),
        ...(members.has('endedAt') ? { endedAt: members.textOrNull('endedAt') } : {}),
        ...(members.has('status') ? { status: members.text('status') } : {}),
        ...(members.has('error') ? { error: members.textOrNull('error') } : {}),
        ...(members.has('auditEventIds') ? { auditEventIds: members.texts('auditEventIds') } : {}),
        ...(members.has('metadata') ? { metadata: members.object('metadata') } : {}),
        ...(members.has('extra') ? { extra: extra ?? {} } : {}),
      }
    },
    () => 0,
  )
}
