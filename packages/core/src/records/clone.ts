import { cloneJson, cloneJsonObject } from '../basics/json.js'
import type { AgentTransitionRecord, SessionRecord, SessionSummary, ToolCallRecord, TurnItem, TurnRecord } from './models.js'

/*
 * Deep copies of valid records, for stores that keep objects in memory. Callers cannot modify stored data
 * through a copy.
 */

export function cloneSession(session: SessionRecord): SessionRecord {
  return {
    ...session,
    turns: session.turns.map(cloneTurn),
    agentTransitions: session.agentTransitions.map(cloneTransition),
    metadata: cloneJsonObject(session.metadata),
    ...cloneExtra(session),
  }
}

export function cloneTurn(turn: TurnRecord): TurnRecord {
  return {
    ...turn,
    toolCalls: turn.toolCalls.map(cloneToolCall),
    items: turn.items.map(cloneItem),
    auditEventIds: [...turn.auditEventIds],
    metadata: cloneJsonObject(turn.metadata),
    ...cloneExtra(turn),
  }
}

export function cloneItem(item: TurnItem): TurnItem {
  return { ...item, value: cloneJson(item.value), ...cloneExtra(item) }
}

export function cloneToolCall(call: ToolCallRecord): ToolCallRecord {
  return {
    ...call,
    arguments: cloneJsonObject(call.arguments),
    result: cloneJson(call.result),
    sandboxContext: cloneJson(call.sandboxContext),
    metadata: cloneJsonObject(call.metadata),
    ...cloneExtra(call),
  }
}

export function cloneTransition(transition: AgentTransitionRecord): AgentTransitionRecord {
  return { ...transition, ...cloneExtra(transition) }
}

export function cloneSummary(summary: SessionSummary): SessionSummary {
  return { ...summary, metadata: cloneJsonObject(summary.metadata) }
}

function cloneExtra({ extra }: Pick<SessionRecord, 'extra'>): Pick<SessionRecord, 'extra'> {
  return extra === undefined ? {} : { extra: cloneJsonObject(extra) }
}
