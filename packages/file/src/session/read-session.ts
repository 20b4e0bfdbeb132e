import type { SessionPaths } from '../folder/layout.js'
import type { DocumentOutline } from '../format/document.js'
import { SyncReader } from './assemble-turns.js'
import { TurnIndex } from './turn-index.js'
import type { DocumentVersion, JournalFile, SessionFiles, Snapshot, WrittenTurn } from './turn-places.js'

/** A session as it was read: its index, and the files that this was read from. */
export class ReadSession implements SessionFiles {
  readonly index: TurnIndex
  readonly paths: SessionPaths
  document: DocumentVersion
  /** The journal that a compaction moved aside, and the one that is written. */
  rotated: JournalFile | null = null
  journal: JournalFile | null = null

  constructor(outline: DocumentOutline, document: DocumentVersion, paths: SessionPaths) {
    this.paths = paths
    this.document = document
    this.index = new TurnIndex(outline, new SyncReader(this))
  }

  /** The files that the places in the index are in now. */
  get files(): SessionFiles {
    return { paths: this.paths, document: this.document }
  }

  /** The size of both journals. */
  get journalBytes(): number {
    return (this.rotated?.end ?? 0) + (this.journal?.end ?? 0)
  }

  /** A copy for a compaction, which writes it while changes continue. */
  snapshot(): Snapshot {
    return { ...this.index.content(), ...this.files }
  }

  /** Switches to the document that a snapshot was written to. Later changes stay in the journal. */
  rebase(snapshot: Snapshot, written: readonly WrittenTurn[], document: DocumentVersion): void {
    this.index.rebase(snapshot, written)
    this.document = document
    this.rotated = null
    if (this.journal !== null) {
      const { revision, remembered } = this.index
      this.journal.isNeeded = revision > snapshot.head.revision || remembered.count > snapshot.remembered.count
    }
  }
}
