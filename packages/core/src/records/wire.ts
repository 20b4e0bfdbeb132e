import { TurnstoreError } from '../basics/errors.js'
import { type JsonObject, setMember } from '../basics/json.js'
import type { Members, Label } from './members.js'
import {
  type AgentTransitionRecord,
  SCHEMA_VERSION,
  type SessionRecord,
  type ToolCallRecord,
  type TurnRecord,
} from './models.js'
import { readSession, readToolCall, readTransition, readTurn, schemaVersionName, sessionNames } from './read-record.js'
import { wireMembers } from './wire-members.js'

/*
 * The wire format is the reference's JSON: its keys in its order, then Turnstore's keys (parent_session_id,
 * revision, schema_version, transition_id), then unknown keys. Encoded and decoded records share JSON values
 * with their source.
 */

/** Encodes a session to the wire format. The result shares JSON values with the session. */
export function encodeSession(session: SessionRecord): JsonObject {
  return encodeSessionHead(session, session.turns.map(encodeTurn))
}

/** Encodes a session whose turns are already encoded. */
export function encodeSessionHead(session: Omit<SessionRecord, 'turns'>, turns: JsonObject[]): JsonObject {
  return withExtra(
    {
      session_id: session.sessionId,
      workspace_id: session.workspaceId,
      created_at: session.createdAt,
      updated_at: session.updatedAt,
      agent_id: session.agentId,
      turns,
      agent_transitions: session.agentTransitions.map(encodeTransition),
      metadata: session.metadata,
      parent_session_id: session.parentSessionId,
      revision: session.revision,
      schema_version: SCHEMA_VERSION,
    },
    session.extra,
  )
}

export function encodeTurn(turn: TurnRecord): JsonObject {
  return withExtra(
    {
      turn_id: turn.turnId,
      agent_id: turn.agentId,
      prompt: turn.prompt,
      response_content: turn.responseContent,
      tool_calls: turn.toolCalls.map(encodeToolCall),
      started_at: turn.startedAt,
      ended_at: turn.endedAt,
      status: turn.status,
      error: turn.error,
      audit_event_ids: turn.auditEventIds,
      metadata: turn.metadata,
    },
    turn.extra,
  )
}

export function encodeToolCall(call: ToolCallRecord): JsonObject {
  return withExtra(
    {
      call_id: call.callId,
      tool_name: call.toolName,
      arguments: call.arguments,
      result: call.result,
      status: call.status,
      error: call.error,
      duration_ms: call.durationMs,
      sandbox_context: call.sandboxContext,
      metadata: call.metadata,
    },
    call.extra,
  )
}

export function encodeTransition(transition: AgentTransitionRecord): JsonObject {
  return withExtra(
    {
      from_agent: transition.fromAgent,
      to_agent: transition.toAgent,
      reason: transition.reason,
      turn_id: transition.turnId,
      timestamp: transition.timestamp,
      // The reference's records have no id and must be written back without one.
      ...(transition.transitionId === null ? {} : { transition_id: transition.transitionId }),
    },
    transition.extra,
  )
}

function withExtra(record: JsonObject, extra: JsonObject | undefined): JsonObject {
  if (extra === undefined) return record
  for (const [key, value] of Object.entries(extra)) setMember(record, key, value)
  return record
}

/**
 * Decodes a turn from the wire format. The result shares JSON values with the source.
 * @throws `INVALID_RECORD` with the path, never the value
 */
export function decodeTurn(source: unknown, what: Label = 'turn'): TurnRecord {
  return readTurn(wireMembers(source, what))
}

/** @throws `INVALID_RECORD` */
export function decodeToolCall(source: unknown, what = 'tool_call'): ToolCallRecord {
  return readToolCall(wireMembers(source, what))
}

/** @throws `INVALID_RECORD` */
export function decodeTransition(source: unknown, what: Label = 'agent_transition'): AgentTransitionRecord {
  return readTransition(wireMembers(source, what))
}

/**
 * Decodes a session from the wire format, also as the reference writes it. Missing keys get their defaults,
 * unknown keys are kept in `extra`. The result shares JSON values with the source.
 *
 * @throws `INVALID_RECORD` with the path, never the value; `SCHEMA_TOO_NEW`
 */
export function decodeSession(source: unknown, what = 'session'): SessionRecord {
  const members = wireMembers(source, what)
  checkSchemaVersion(members)
  const session = readSession(
    members,
    members.items(sessionNames.turns).map(({ source: turn, what: place }) => decodeTurn(turn, place)),
    members
      .items(sessionNames.agentTransitions)
      .map(({ source: transition, what: place }) => decodeTransition(transition, place)),
    members.object(sessionNames.metadata),
  )
  if (!Number.isSafeInteger(session.revision) || session.revision < 1) {
    members.fail(sessionNames.revision, 'must be a whole number of at least 1')
  }
  // The reference writes '' for a session without a workspace.
  if (session.workspaceId === '') session.workspaceId = null
  return session
}

/** Must run first: the other checks do not apply to a newer format. */
function checkSchemaVersion(members: Members): void {
  const version = members.numberOrNull(schemaVersionName) ?? SCHEMA_VERSION
  if (version > SCHEMA_VERSION) {
    throw new TurnstoreError(
      'SCHEMA_TOO_NEW',
      `This session has format version ${version}; this version of Turnstore reads up to version ${SCHEMA_VERSION}. Upgrade Turnstore`,
    )
  }
  if (!Number.isSafeInteger(version) || version < 1) {
    members.fail(schemaVersionName, 'must be a whole number of at least 1')
  }
}
