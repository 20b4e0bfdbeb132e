/*
 * The shapes of `@anthropic-ai/claude-agent-sdk` that this package implements, as its version 0.3.332 declares them. They
 * are declared here so that neither this package nor yours needs the SDK to compile. Our tests with the real SDK check
 * that the class fits its `SessionStore`.
 */

/** The transcript of a session, or with `subpath` that of one of its subagents. */
export interface SessionKey {
  /** What the sessions belong to: the SDK makes it of the working directory. */
  projectKey: string
  sessionId: string
  /** For the transcript of a subagent: `subagents/agent-…`. */
  subpath?: string
}

export type SubagentsKey = Pick<SessionKey, 'projectKey' | 'sessionId'>

/** A line of a transcript. */
export interface SessionStoreEntry {
  type: string
  uuid?: string
  timestamp?: string
  [name: string]: unknown
}

/** What the SDK shows of a session in a list. Only the SDK knows what `data` means. */
export interface SessionSummaryEntry {
  sessionId: string
  /** Milliseconds since 1970. */
  mtime: number
  data: Record<string, unknown>
}

/** The function of this name that the SDK exports. */
export type FoldSessionSummary = (
  previous: SessionSummaryEntry | undefined,
  key: SessionKey,
  entries: SessionStoreEntry[],
  options?: { mtime?: number },
) => SessionSummaryEntry
