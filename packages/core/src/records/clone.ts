import { cloneJson, cloneJsonObject } from '../basics/json.js'
import type {
  AgentTransitionRecord,
  SessionRecord,
  SessionSummary,
  ToolCallRecord,
  TurnHead,
  TurnItem,
  TurnRecord,
} from './models.js'

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

/** All members at once: a tail copies its turns, and to copy each in two steps costs half as much again. */
export function cloneTurn(turn: TurnRecord): TurnRecord {
  return {
    ...turn,
    toolCalls: turn.toolCalls.map(cloneCall),
    items: turn.items.map(cloneItem),
    auditEventIds: [...turn.auditEventIds],
    metadata: cloneJsonObject(turn.metadata),
    ...cloneExtra(turn),
  }
}

/** A turn without its lists; other members are kept. */
export function cloneHead<Head extends TurnHead>(head: Head): Head {
  return {
    ...head,
    auditEventIds: [...head.auditEventIds],
    metadata: cloneJsonObject(head.metadata),
    ...cloneExtra(head),
  }
}

export function clonePart<Part extends ToolCallRecord | TurnItem>(part: Part): Part {
  return { ...part, ...('callId' in part ? cloneCall(part) : cloneItem(part)) }
}

function cloneCall(call: ToolCallRecord): ToolCallRecord {
  return {
    ...call,
    arguments: cloneJsonObject(call.arguments),
    result: cloneJson(call.result),
    sandboxContext: cloneJson(call.sandboxContext),
    metadata: cloneJsonObject(call.metadata),
    ...cloneExtra(call),
  }
}

function cloneItem(item: TurnItem): TurnItem {
  return { ...item, value: cloneJson(item.value), ...cloneExtra(item) }
}

export function cloneTransition(transition: AgentTransitionRecord): AgentTransitionRecord {
  return { ...transition, ...cloneExtra(transition) }
}

export function cloneSummary(summary: SessionSummary): SessionSummary {
  const { metadata, lastTurn } = summary
  return { ...summary, metadata: cloneJsonObject(metadata), lastTurn: lastTurn && { ...lastTurn } }
}

function cloneExtra({ extra }: Pick<SessionRecord, 'extra'>): Pick<SessionRecord, 'extra'> {
  return extra === undefined ? {} : { extra: cloneJsonObject(extra) }
}
