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

export function cloneTurn(turn: TurnRecord): TurnRecord {
  return { ...cloneHead(turn), toolCalls: turn.toolCalls.map(clonePart), items: turn.items.map(clonePart) }
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
  const copied = 'callId' in part ? cloneCallValues(part) : { value: cloneJson(part.value) }
  return { ...part, ...copied, ...cloneExtra(part) }
}

function cloneCallValues(
  call: ToolCallRecord,
): Pick<ToolCallRecord, 'arguments' | 'result' | 'sandboxContext' | 'metadata'> {
  return {
    arguments: cloneJsonObject(call.arguments),
    result: cloneJson(call.result),
    sandboxContext: cloneJson(call.sandboxContext),
    metadata: cloneJsonObject(call.metadata),
  }
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
