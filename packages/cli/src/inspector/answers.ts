import type {
  AgentTransitionRecord,
  DamagedSession,
  SearchField,
  SessionSummary,
  ToolCallRecord,
  TurnHeadRecord,
  TurnItem,
} from '@turnstore/core'

/*
 * What the page receives. Long texts are clipped, so that a page of turns or calls stays small however long they are; the
 * page asks for the whole when the reader does.
 */

export interface StoreAnswer {
  /** Without a user name or a password. */
  readonly label: string
  readonly isWritable: boolean
}

export interface SessionsAnswer {
  readonly sessions: readonly SessionSummary[]
  readonly cursor: string | null
  readonly damaged: readonly DamagedSession[]
}

/** A hit without the session's metadata, which may be large; but with its title. */
export interface HitAnswer {
  readonly sessionId: string
  readonly title: string
  readonly updatedAt: string
  readonly turnId: string
  readonly field: SearchField
  readonly snippet: string
  readonly ranges: readonly (readonly [start: number, end: number])[]
}

export interface SearchAnswer {
  readonly hits: readonly HitAnswer[]
  readonly cursor: string | null
}

/** The texts of a turn that may be clipped. */
export type TurnText = 'prompt' | 'responseContent' | 'error'

export interface TurnAnswer extends Omit<TurnHeadRecord, 'metadata' | 'extra' | 'auditEventIds'> {
  /** The lengths of the texts that are clipped. */
  readonly clipped: { readonly [Text in TurnText]?: number }
}

export interface TurnsAnswer {
  readonly items: readonly TurnAnswer[]
  readonly firstIndex: number
  readonly count: number
}

/** A tool call as its folded row shows it. */
export interface CallAnswer extends Pick<ToolCallRecord, 'callId' | 'toolName' | 'status' | 'error' | 'durationMs'> {
  /** The beginning of the arguments as JSON. */
  readonly preview: string
}

export interface CallsAnswer {
  readonly items: readonly CallAnswer[]
  readonly firstIndex: number
  readonly count: number
}

export interface ItemAnswer extends Pick<TurnItem, 'itemId' | 'format'> {
  readonly preview: string
}

export interface ItemsAnswer {
  readonly items: readonly ItemAnswer[]
  readonly firstIndex: number
  readonly count: number
}

export interface TransitionsAnswer {
  readonly transitions: readonly AgentTransitionRecord[]
}

/** A turn in time. */
export interface Span {
  readonly turnId: string
  readonly startedAt: string
  readonly endedAt: string | null
  readonly status: string
  readonly toolCalls: number
}

export interface SpansAnswer {
  readonly items: readonly Span[]
  readonly firstIndex: number
  readonly count: number
}

export interface ErrorAnswer {
  readonly code: string
  readonly message: string
}
