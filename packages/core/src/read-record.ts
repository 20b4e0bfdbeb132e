import type { JsonObject } from './json.js'
import { type Members, shape } from './members.js'
import type { AgentTransitionRecord, SessionRecord, ToolCallRecord, TurnRecord } from './models.js'

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

export function readToolCall(members: Members, missingCallId?: string): ToolCallRecord {
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

export function readTurn(members: Members): TurnRecord {
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

export function readTransition(members: Members): AgentTransitionRecord {
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
export function readSession(
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
