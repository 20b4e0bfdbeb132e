import type { JsonObject, SessionSummary } from '@turnstore/core'

/** A summary in the spelling of exported sessions. */
export function summaryJson(summary: SessionSummary): JsonObject {
  const { lastTurn } = summary
  return {
    session_id: summary.sessionId,
    workspace_id: summary.workspaceId,
    parent_session_id: summary.parentSessionId,
    agent_id: summary.agentId,
    created_at: summary.createdAt,
    updated_at: summary.updatedAt,
    metadata: summary.metadata,
    revision: summary.revision,
    turn_count: summary.turnCount,
    agent_transition_count: summary.agentTransitionCount,
    last_turn:
      lastTurn === null
        ? null
        : {
            turn_id: lastTurn.turnId,
            status: lastTurn.status,
            prompt: lastTurn.prompt,
            started_at: lastTurn.startedAt,
          },
  }
}
