import type { SessionRecord, TurnRecord } from '@turnstore/core'
import type { Span } from '../disk/read-file.js'
import type { JournalHeader } from '../format/journal-entry.js'
import type { Remembered } from '../format/remembered.js'

/** The document that an index was read from. */
export interface DocumentVersion {
  readonly version: string
  readonly bytes: number
}

/** A journal, as far as it has been read. */
export interface JournalFile {
  /** Device and inode. They stay when a compaction moves the journal; another file may get them after its removal. */
  readonly identity: string
  path: string
  /** Null until it was read. */
  header: JournalHeader | null
  /** It belongs to a deleted session and is never replayed. */
  isStale: boolean
  /** It has a change that the document lacks. So no process removes it while that document exists, and its inode is not reused. */
  isNeeded: boolean
  /** Where the next read continues. */
  end: number
  /** The front of the last record before `end`, which identifies the journal. */
  last: { readonly offset: number; readonly front: string } | null
  /** The size when it was read. Something unfinished may follow `end`. */
  size: number
  torn: boolean
  /** Bytes known to be on the disk. */
  syncedTo: number
}

export function newJournalFile(identity: string, path: string): JournalFile {
  const nothingRead = { header: null, isStale: false, isNeeded: false, end: 0, last: null, size: 0, torn: false }
  return { identity, path, ...nothingRead, syncedTo: 0 }
}

/** The payload of a record in a journal. */
export interface RecordSpan extends Span {
  readonly journal: JournalFile
}

/** A span of the document, or the payload of a record. */
export type Part = Span | RecordSpan

/** Where a turn is: its first version, and the records that changed it since. */
export interface TurnPlace {
  readonly turnId: string
  readonly base:
    | { readonly kind: 'document'; readonly span: Span | null; readonly item: number }
    | { readonly kind: 'record'; readonly span: RecordSpan; readonly item: number }
    | { readonly kind: 'value'; readonly turn: TurnRecord }
  readonly patches: readonly RecordSpan[]
}

/** A session without its turns, and where each turn is. */
export interface SessionContent {
  readonly head: SessionRecord
  readonly remembered: Remembered
  readonly places: readonly TurnPlace[]
}

/** A session at one moment. */
export interface Snapshot extends SessionContent {
  readonly document: DocumentVersion
}

export function placeOfValue(turn: TurnRecord): TurnPlace {
  return { turnId: turn.turnId, base: { kind: 'value', turn }, patches: [] }
}

/** Whether the turn is in a document of another form, which must be parsed as a whole. */
export function lacksSpan({ base }: TurnPlace): boolean {
  return base.kind === 'document' && base.span === null
}

/** The approximate size of a turn in JSON. */
export function bytesOf({ base, patches }: TurnPlace): number {
  const first = base.kind === 'value' ? 0 : (base.span?.length ?? 0)
  return patches.reduce((sum, { length }) => sum + length, first)
}
