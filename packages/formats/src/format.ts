import type { JsonObject, MessageProblem, TurnRecord } from '@turnstore/core'

/** A format of transcripts: to turns, and back where there is a way. */
export interface Format {
  /** `chat`, `anthropic`, … The format of the items that hold the original messages. */
  readonly name: string
  /** For people. */
  readonly title: string
  /** Whether this is the format that `recognize` finds in the value. */
  recognizes(value: unknown): boolean
  /** Converts the messages of one conversation. */
  toTurns(messages: readonly unknown[], options?: ToTurnsOptions): TurnRecord[]
  /**
   * Converts the conversations of a file: of its JSON value, or of an array of the values of its lines. A list of messages
   * is one conversation, whose id is null.
   * @throws `INVALID_ARGUMENT` if the file is not of this format; `INVALID_RECORD` for the first problem, without
   *   `onProblem`
   */
  toSessions(file: unknown, options?: ToSessionsOptions): FormatSession[]
  /** Converts turns of any format. Formats of files have none, but for Claude Code's. */
  fromTurns?(turns: readonly TurnRecord[], options?: FromTurnsOptions): FromTurns
}

export interface ToTurnsOptions {
  /** The agent of all turns; default null. */
  agentId?: string | null
  /** Returns the id of a turn, given its index; default `t1`, `t2`, … */
  turnId?: (index: number) => string
  /** Called for each problem. Without it, the first problem throws. */
  onProblem?: (problem: MessageProblem) => void
}

export interface FromTurnsOptions {
  /** What to do with the response of a turn that is running or interrupted. Default: `drop`. */
  incomplete?: 'drop' | 'keep'
  /**
   * The id that new entries name, in formats where each entry names its session. Default: that of the entries before
   * them, or one made of the first turn's id.
   */
  sessionId?: string
}

export interface FromTurns {
  messages: JsonObject[]
  /** The system prompt, in formats that have it beside the messages. */
  system?: string
  /** What could not cross: each kind once, in alphabetical order. */
  lost: string[]
}

export interface ToSessionsOptions extends Omit<ToTurnsOptions, 'onProblem'> {
  /**
   * Called for each problem. The index is that of the message in its session; it is 0 for what is in no message.
   * Without it, the first problem throws.
   */
  onProblem?: (problem: MessageProblem & { session: number }) => void
}

/** A conversation of a file. */
export interface FormatSession {
  /** As in the file; null if it has none. */
  sessionId: string | null
  /** The session that it branches from. */
  parentSessionId: string | null
  /** ISO 8601; `''` if unknown. */
  createdAt: string
  updatedAt: string
  metadata: JsonObject
  turns: TurnRecord[]
}
