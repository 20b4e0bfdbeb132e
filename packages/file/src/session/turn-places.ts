import type { SessionRecord, ToolCallRecord, TurnHead, TurnItem, TurnRecord } from '@turnstore/core'
import type { Part } from '@turnstore/core/adapter'
import type { Span } from '../disk/read-file.js'
import type { SessionPaths } from '../folder/layout.js'
import type { JournalHeader } from '../format/journal-entry.js'
import type { Remembered } from '../format/remembered.js'

/** The document that an index was read from. */
export interface DocumentVersion {
  readonly version: string
  readonly bytes: number
}

/** The files that places are in. */
export interface SessionFiles {
  readonly paths: SessionPaths
  readonly document: DocumentVersion
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
  /** What a writer has decided but not written yet, to follow `size`. Later changes of the same batch may read it. */
  unwritten: readonly Buffer[]
}

export function newJournalFile(identity: string, path: string): JournalFile {
  const nothingRead = { header: null, isStale: false, isNeeded: false, end: 0, last: null, size: 0, torn: false }
  return { identity, path, ...nothingRead, syncedTo: 0, unwritten: [] }
}

/** Bytes of a journal. */
export interface RecordSpan extends Span {
  readonly journal: JournalFile
}

/** Bytes of the document or of a journal. */
export type Place = Span | RecordSpan

/** Where a part of a turn is: in a file or, until it is written or while a compaction moves things, in memory. */
export type PartPlace<P extends Part = Part> = Place | { readonly part: P }

/** Where the head of a turn is. In a document, what is around its lists: together the JSON of a turn without parts. */
export type HeadPlace = { readonly places: readonly Place[] } | { readonly head: TurnHead }

/** A turn in one piece: in a file, or in memory if no turn can be cut out of the document's form. */
export type WholeTurn =
  | { readonly turnId: string; readonly span: Place }
  | { readonly turnId: string; readonly turn: TurnRecord }

/** A turn whose head and parts have places of their own, at one moment. */
export interface TurnPieces {
  readonly turnId: string
  readonly head: HeadPlace
  readonly toolCalls: readonly PartPlace<ToolCallRecord>[]
  readonly items: readonly PartPlace<TurnItem>[]
}

export type TurnPlace = WholeTurn | TurnPieces

/** A session without its turns, and where each turn is. */
export interface SessionContent {
  readonly head: SessionRecord
  readonly remembered: Remembered
  readonly places: readonly TurnPlace[]
}

/** A session at one moment. */
export interface Snapshot extends SessionContent, SessionFiles {}

/** Where a turn is in a document that was written, and its pieces if they were known before. */
export interface WrittenTurn {
  readonly span: Span
  readonly pieces: WrittenPieces | null
}

export interface WrittenPieces {
  readonly head: readonly Span[]
  readonly toolCalls: readonly Span[]
  readonly items: readonly Span[]
}

/** The files' bytes that make up a turn. */
export function placesIn(place: TurnPlace): readonly Place[] {
  if ('head' in place) {
    return [...placesOfHead(place.head), ...placesOfParts(place.toolCalls), ...placesOfParts(place.items)]
  }
  return 'span' in place ? [place.span] : []
}

export function placesOfHead(head: HeadPlace): readonly Place[] {
  return 'head' in head ? [] : head.places
}

export function placesOfParts(parts: readonly PartPlace[]): readonly Place[] {
  return parts.flatMap(place => ('part' in place ? [] : [place]))
}

export function bytesOf(places: readonly Place[]): number {
  return places.reduce((sum, { length }) => sum + length, 0)
}
