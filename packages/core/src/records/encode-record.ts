import { type JsonObject, setMember } from '../basics/json.js'
import {
  type AgentTransitionRecord,
  SCHEMA_VERSION,
  type SessionRecord,
  type ToolCallRecord,
  type TurnHead,
  type TurnItem,
  type TurnRecord,
} from './models.js'

/*
 * The wire format is the reference's JSON: its keys in its order, then Turnstore's keys (items, parent_session_id,
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
  return encodeTurnWith(turn, turn.toolCalls.map(encodeToolCall), turn.items.map(encodeItem))
}

/** Encodes a turn without its lists. */
export function encodeTurnHead(head: TurnHead): JsonObject {
  const { tool_calls: _calls, ...encoded } = encodeTurnWith(head, [], [])
  return encoded
}

/** Encodes a turn whose parts are already encoded. */
export function encodeTurnWith(turn: TurnHead, toolCalls: JsonObject[], items: JsonObject[]): JsonObject {
  return withExtra(
    {
      turn_id: turn.turnId,
      agent_id: turn.agentId,
      prompt: turn.prompt,
      response_content: turn.responseContent,
      tool_calls: toolCalls,
      started_at: turn.startedAt,
      ended_at: turn.endedAt,
      status: turn.status,
      error: turn.error,
      audit_event_ids: turn.auditEventIds,
      metadata: turn.metadata,
      ...(items.length === 0 ? {} : { items }),
    },
    turn.extra,
  )
}

export function encodeItem(item: TurnItem): JsonObject {
  return withExtra({ item_id: item.itemId, format: item.format, value: item.value }, item.extra)
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
