import type { JsonObject, JsonValue } from '../basics/json.js'
import { beginningOf } from '../basics/text.js'

/** The wire format version that this code writes, and the highest that it reads. */
export const SCHEMA_VERSION = 1

/**
 * Unknown keys, for example from a newer version. Stores keep them and write them back unchanged, in
 * sessions, turns, tool calls and agent transitions. Omitted if there are none. Never contains a known key.
 */
interface Extensible {
  extra?: JsonObject
}

/** A conversation with its whole history. */
export interface SessionRecord<Metadata = JsonObject> extends Extensible {
  sessionId: string
  /** The tenant; null for a session without one. It never changes. */
  workspaceId: string | null
  /** The session that this one was forked from, or null. */
  parentSessionId: string | null
  /** The agent that started the session, unless a change set another. An agent transition does not change it. */
  agentId: string | null
  /** ISO 8601, stored unchanged; `''` if unknown. */
  createdAt: string
  updatedAt: string
  turns: TurnRecord[]
  agentTransitions: AgentTransitionRecord[]
  metadata: Metadata
  /** Set by the store. Starts at 1; each save and each effective change adds exactly 1. */
  revision: number
}

/** The known words, or any other text. */
export type TurnStatus = 'success' | 'error' | 'cancelled' | 'running' | 'interrupted' | (string & {})

/** The known words, or any other text. */
export type ToolCallStatus = 'success' | 'error' | 'timeout' | 'skipped' | 'running' | (string & {})

/** A prompt, the agent's tool calls, and its response. */
export interface TurnRecord extends Extensible {
  turnId: string
  agentId: string | null
  prompt: string
  responseContent: string | null
  toolCalls: ToolCallRecord[]
  /** The messages, parts or events of the turn exactly as the agent's SDK had them. */
  items: TurnItem[]
  startedAt: string
  endedAt: string | null
  status: TurnStatus
  error: string | null
  auditEventIds: string[]
  metadata: JsonObject
}

export interface ToolCallRecord extends Extensible {
  callId: string
  toolName: string
  arguments: JsonObject
  result: JsonValue
  status: ToolCallStatus
  error: string | null
  durationMs: number | null
  sandboxContext: JsonValue
  metadata: JsonObject
}

/** One message, part or event of a turn, exactly as the agent's SDK had it. What is in an item is complete. */
export interface TurnItem extends Extensible {
  itemId: string
  /** Whose format the value has: `chat`, `openai-agents`, `ai-sdk`, `anthropic`, or your own. */
  format: string
  value: JsonValue
}

/** All members of a turn except its two lists. */
export type TurnHead = Omit<TurnRecord, 'toolCalls' | 'items'>

/** The lists of a turn. Each entry is a part, stored on its own: recording one costs the same however many there are. */
export type PartList = keyof Parts

/** What each list holds. */
export interface Parts {
  toolCalls: ToolCallRecord
  items: TurnItem
}

/** How many parts a turn has in each list. */
export interface PartCounts {
  toolCalls: number
  items: number
}

/** One agent passing the session to another. */
export interface AgentTransitionRecord extends Extensible {
  /** The idempotency key. Null in records of the reference, which has no such id. */
  transitionId: string | null
  fromAgent: string | null
  toAgent: string
  reason: string | null
  /** The turn in which it happened; `''` if unknown. */
  turnId: string
  timestamp: string
}

/** A session as listings return it: the counts of its turns and agent transitions instead of their contents. */
export interface SessionSummary<Metadata = JsonObject> {
  sessionId: string
  workspaceId: string | null
  parentSessionId: string | null
  agentId: string | null
  createdAt: string
  updatedAt: string
  metadata: Metadata
  revision: number
  turnCount: number
  agentTransitionCount: number
  /** Null for a session without turns. */
  lastTurn: LastTurn | null
}

/** What a listing tells of the last turn of a session. */
export interface LastTurn {
  turnId: string
  status: TurnStatus
  /** The first 200 UTF-16 units of the prompt, or 199 if a character would be cut in half. */
  prompt: string
  startedAt: string
}

/** A tool call as you pass it in. In a turn, a call without a `callId` gets `turnId:index`, also on a retry. */
export type ToolCallInput = Partial<ToolCallRecord> & Pick<ToolCallRecord, 'toolName'>

/** An item as you pass it in. In a turn, an item without an `itemId` gets `turnId:item:index`, also on a retry. */
export type TurnItemInput = Partial<TurnItem> & Pick<TurnItem, 'format' | 'value'>

/** A turn as you pass it in. Missing members get their defaults. */
export type TurnInput = Partial<TurnHead> & {
  toolCalls?: readonly ToolCallInput[]
  items?: readonly TurnItemInput[]
}

/** An agent transition as you pass it in. Missing members get their defaults. */
export type AgentTransitionInput = Partial<AgentTransitionRecord> & Pick<AgentTransitionRecord, 'toAgent'>

/** A session as you pass it to a store. Turns need ids, because a retry must find them again. */
export type SessionInput = Partial<Omit<SessionRecord, 'turns' | 'agentTransitions'>> &
  Pick<SessionRecord, 'sessionId'> & {
    turns?: readonly (TurnInput & Pick<TurnRecord, 'turnId'>)[]
    agentTransitions?: readonly AgentTransitionInput[]
  }

/** The summary of a record. Shares the record's metadata object. */
export function summaryOf(
  session: Omit<SessionRecord, 'turns'> & { turns?: readonly TurnHead[] },
  turnCount: number = session.turns?.length ?? 0,
  lastTurn: TurnHead | undefined = session.turns?.at(-1),
): SessionSummary {
  return {
    sessionId: session.sessionId,
    workspaceId: session.workspaceId,
    parentSessionId: session.parentSessionId,
    agentId: session.agentId,
    createdAt: session.createdAt,
    updatedAt: session.updatedAt,
    metadata: session.metadata,
    revision: session.revision,
    turnCount,
    agentTransitionCount: session.agentTransitions.length,
    lastTurn: lastTurn === undefined ? null : lastTurnOf(lastTurn),
  }
}

/** The longest prompt in a summary, in UTF-16 units. */
export const SUMMARY_PROMPT = 200

export function lastTurnOf({ turnId, status, prompt, startedAt }: LastTurn): LastTurn {
  return { turnId, status, prompt: beginningOf(prompt, SUMMARY_PROMPT), startedAt }
}

/** Whether the session was ended by `endSession` and not resumed since. */
export function isEnded(session: { readonly metadata: JsonObject }): boolean {
  return Object.hasOwn(session.metadata, 'ended') && session.metadata.ended === true
}

/** The members of a turn that an update can set. */
export type TurnPatch = Partial<Omit<TurnHead, 'turnId'>>
