import type { JsonObject, JsonValue } from '../basics/json.js'

/** The version of the wire format that this code writes and the newest that it reads. */
export const SCHEMA_VERSION = 1

/**
 * Keys that a newer writer put beside ours, as they stood on the wire. They are kept and written
 * back, at each of the four levels. Missing where there are none; never holds a key of ours.
 */
interface Extensible {
  extra?: JsonObject
}

/** One conversation with its whole history. */
export interface SessionRecord extends Extensible {
  sessionId: string
  /** The tenant; null for a session without one. A session never moves to another. */
  workspaceId: string | null
  /** The session that this one was forked from. */
  parentSessionId: string | null
  /** The agent that the session began with, unless a change has set another. A handover does not alter it. */
  agentId: string | null
  /** ISO 8601, kept as it came; `''` where unknown. */
  createdAt: string
  updatedAt: string
  turns: TurnRecord[]
  agentTransitions: AgentTransitionRecord[]
  metadata: JsonObject
  /** Starts at 1 and is raised by exactly one by each save and each change. Set by the store. */
  revision: number
}

/** What somebody asked, what the agent did about it, and what it said. */
export interface TurnRecord extends Extensible {
  turnId: string
  agentId: string | null
  prompt: string
  responseContent: string | null
  toolCalls: ToolCallRecord[]
  startedAt: string
  endedAt: string | null
  /** `success`, `error`, `cancelled`, `running`, or a word of one's own. */
  status: string
  error: string | null
  auditEventIds: string[]
  metadata: JsonObject
}

export interface ToolCallRecord extends Extensible {
  callId: string
  toolName: string
  arguments: JsonObject
  result: JsonValue
  /** `success`, `error`, `timeout`, `skipped`, `running`, or a word of one's own. */
  status: string
  error: string | null
  durationMs: number | null
  sandboxContext: JsonValue
  metadata: JsonObject
}

/** One agent handing over to another. */
export interface AgentTransitionRecord extends Extensible {
  /** Makes recording it safe to retry. Null in records of the reference, which has no such id. */
  transitionId: string | null
  fromAgent: string | null
  toAgent: string
  reason: string | null
  /** The turn in which it happened; `''` where unknown. */
  turnId: string
  timestamp: string
}

/** What a listing shows of a session: all but its turns and transitions, which are counted. */
export interface SessionSummary {
  sessionId: string
  workspaceId: string | null
  parentSessionId: string | null
  agentId: string | null
  createdAt: string
  updatedAt: string
  metadata: JsonObject
  revision: number
  turnCount: number
  agentTransitionCount: number
}

/** A tool call as one may hand it in. Without a callId it gets `turnId:index`, the same again on a retry. */
export type ToolCallInput = Partial<ToolCallRecord> & Pick<ToolCallRecord, 'toolName'>

/** A turn as one may hand it in: what is missing gets its default. */
export type TurnInput = Partial<Omit<TurnRecord, 'toolCalls'>> & { toolCalls?: readonly ToolCallInput[] }

export type AgentTransitionInput = Partial<AgentTransitionRecord> & Pick<AgentTransitionRecord, 'toAgent'>

/** A session as one may hand it to a store: its turns need their ids, since a retry must find them again. */
export type SessionInput = Partial<Omit<SessionRecord, 'turns' | 'agentTransitions'>> &
  Pick<SessionRecord, 'sessionId'> & {
    turns?: readonly (TurnInput & Pick<TurnRecord, 'turnId'>)[]
    agentTransitions?: readonly AgentTransitionInput[]
  }

/** The summary of a whole record. Shares its metadata. */
export function summaryOf(session: SessionRecord): SessionSummary {
  return {
    sessionId: session.sessionId,
    workspaceId: session.workspaceId,
    parentSessionId: session.parentSessionId,
    agentId: session.agentId,
    createdAt: session.createdAt,
    updatedAt: session.updatedAt,
    metadata: session.metadata,
    revision: session.revision,
    turnCount: session.turns.length,
    agentTransitionCount: session.agentTransitions.length,
  }
}

/** Whether `endSession` has been called on it and no resume since. */
export function isEnded(session: { readonly metadata: JsonObject }): boolean {
  return Object.hasOwn(session.metadata, 'ended') && session.metadata.ended === true
}

/** The members of a turn that an update may set. */
export type TurnPatch = Partial<Omit<TurnRecord, 'turnId' | 'toolCalls'>>
