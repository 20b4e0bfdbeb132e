import { renameSync } from 'node:fs'
import type { Span } from '../format/document.js'
import { removeFile, stageDocument } from './document-writer.js'
import { keepsBigIntegers } from '../format/exact-json.js'
import { identify } from '../disk/file-identity.js'
import type { SessionState } from './session-state.js'
import type { StagedFile } from '../disk/replace-file.js'
import type { TurnIndex, Snapshot } from './turn-index.js'

/** A journal is compacted when it has outgrown the document, and this. */
const MIN_JOURNAL_BYTES = 256 * 1024

/** Turns document and journal of one session into one plain document again. */
export class Compaction {
  readonly #session: SessionState
  #underWay: Promise<void> | null = null
  #threshold = MIN_JOURNAL_BYTES
  /** The session has ended, and was not compacted since. */
  #hasEnded = false

  constructor(session: SessionState) {
    this.#session = session
  }

  /** Resolves when no compaction is under way any more; null where none is. */
  get underWay(): Promise<void> | null {
    return this.#underWay
  }

  /**
   * Begins to compact, beside everything else, where it is time: when the session ends, and whenever its
   * journal has outgrown the document. One that goes on after its end is not compacted for each change.
   */
  beginIfDue(index: TurnIndex, endsNow: boolean): void {
    this.#hasEnded ||= endsNow
    const { journalBytes, document } = index
    if (this.#underWay !== null || journalBytes === 0) return
    const hasOutgrown = journalBytes > this.#threshold && journalBytes > document.bytes
    if (!this.#hasEnded && !hasOutgrown) return
    this.#hasEnded = false
    this.#underWay = this.run()
      // A compaction that fails leaves the journal, and that is complete. The next one tries again, later.
      .catch(() => {
        this.#threshold = 2 * journalBytes
      })
      .finally(() => {
        this.#underWay = null
        // It ended after that compaction had rotated the journal.
        if (this.#hasEnded && this.#session.index !== null) this.beginIfDue(this.#session.index, false)
      })
  }

  /**
   * Compacts the journal into the document, beside the appends: rotates it under the lock, writes the new
   * document with no lock held, and puts it in its place under the lock, if nobody else did meanwhile.
   */
  async run(): Promise<void> {
    const rotated = await this.#session.locked(() => this.#rotate())
    if (rotated === null) return
    const { file, spans } = await stageDocument(this.#session.paths, rotated)
    try {
      await this.#session.locked(() => this.#putInPlace(rotated, file, spans))
    } finally {
      await file.discard()
    }
  }

  async #putInPlace(rotated: Snapshot, file: StagedFile, spans: readonly Span[]): Promise<void> {
    // Somebody wrote the document anew, with all that we would write or without our session.
    if (identify(this.#session.paths.document)?.version !== rotated.document.version) return
    await file.commit()
    removeFile(this.#session.paths.rotated)
    const document = identify(this.#session.paths.document)
    if (document === null) return
    this.#session.settledDocument = document.version
    if (this.#session.index?.document.version === rotated.document.version) {
      this.#session.index.rebase(rotated, spans, { version: document.version, bytes: document.size })
    }
  }

  /** A journal moved aside takes no more changes; a new one begins with the next. */
  async #rotate(): Promise<Snapshot | null> {
    const index = await this.#session.refreshToWrite()
    if (index === null || (index.journal === null && index.rotated === null)) return null
    if (index.hasBigIntegers && !keepsBigIntegers) return null
    // One that is rotated already is what a compaction left that did not come to its end.
    if (index.rotated === null && index.journal !== null) {
      // What is acknowledged from now on builds on it, and only the next journal is synced then.
      await this.#session.writer.sync(index.journal)
      this.#session.writer.close()
      renameSync(this.#session.paths.journal, this.#session.paths.rotated)
      index.rotated = index.journal
      index.rotated.path = this.#session.paths.rotated
      index.journal = null
    }
    return index.snapshot()
  }
}
