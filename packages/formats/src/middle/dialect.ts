import type { ChatMessage, JsonObject } from '@turnstore/core'
import type { ReadMessage, Tell } from '@turnstore/core/adapter'
import type { Usage } from './usage.js'

/** What a message of any format says: the middle between two formats. */
export interface Reading {
  /** What it says, in order, with content in the parts of chat completions. */
  readonly said: readonly ReadMessage[]
  /** The model's thoughts. They are kept in the item, and no other format takes them. */
  readonly thoughts?: readonly string[]
  /** Other text that was understood and has no place in a turn: titles, summaries, copies of what is said. */
  readonly asides?: readonly string[]
  /** ISO 8601. */
  readonly time?: string
  readonly model?: string
  readonly usage?: Usage
  /** Messages with the same key report one usage together, each the whole. */
  readonly usageKey?: string
  /** The user has stopped what the assistant did. */
  readonly isStop?: boolean
}

/** Where a reader reports what it does not understand, and what no other format can take. */
export interface Report {
  /** A problem of the message. */
  readonly tell: Tell
  /** A kind of thing that is lost when the message is rendered in another format. */
  readonly lose: (what: string) => void
}

/** Whether a message has the shape of a format: it cannot have it, it may, or it can have no other. */
export type Fit = 'no' | 'could' | 'sure'

/** Reads one message. */
export type Read = (message: JsonObject, report: Report) => Reading

/** What reads the messages of one conversation, in order. */
export function readerOf(dialect: Dialect): Read {
  return dialect.begin?.() ?? dialect.read
}

/** How one format writes what was said. One file each. */
export interface Dialect {
  /** The format of items. */
  readonly name: string
  readonly title: string
  /** Members, at any depth, whose text nobody said: what the tool notes beside the messages. The item keeps them. */
  readonly facts: ReadonlySet<string>
  read: Read
  /** Begins to read a conversation, for formats whose messages depend on those before them. */
  begin?(): Read
  write?(messages: readonly ChatMessage[], options: WriteOptions): Written
}

/** A format of messages in a list. */
export interface MessageDialect extends Dialect {
  fit(message: JsonObject): Fit
}

export interface WriteOptions {
  /** The beginning of new message ids, different for every call. */
  readonly idPrefix: string
  /** The results that are errors, among the messages. */
  readonly failed: ReadonlySet<ChatMessage>
  /** What was rendered before, for formats whose entries refer to the one before them. */
  readonly before: readonly JsonObject[]
  /** When the first of the turns began; `''` if unknown. */
  readonly startedAt: string
  /** The session, for formats whose entries name it. */
  readonly sessionId?: string
  readonly lose: (what: string) => void
}

export interface Written {
  readonly messages: JsonObject[]
  /** The system prompt, for formats whose messages have none. */
  readonly system?: string
}

/** One conversation of a file. */
export interface Conversation {
  readonly sessionId: string | null
  readonly parentSessionId: string | null
  readonly createdAt: string
  readonly updatedAt: string
  readonly metadata: JsonObject
  /** Messages, entries or events, as the file has them. */
  readonly messages: readonly unknown[]
  /** What of the file stands in none of its messages. */
  readonly problems: readonly string[]
}

/** A format of files. */
export interface FileDialect extends Dialect {
  /**
   * What a file consists of. A record is a whole conversation, or several: each must be of this format. A line is a
   * message or an event: those that are of no format are reported and kept.
   */
  readonly unit: 'record' | 'line'
  /** Which records or lines of a file are of this format, given all of them. */
  belonging(units: readonly unknown[]): (unit: JsonObject) => boolean
  /** The conversations of a file. */
  split(units: readonly JsonObject[]): Conversation[]
}
