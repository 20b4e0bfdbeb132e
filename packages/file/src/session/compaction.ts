import { renameSync } from 'node:fs'
import type { Span } from '../format/document.js'
import { removeFile, stageDocument } from './document-writer.js'
import { keepsBigIntegers } from '../format/exact-json.js'
import { identify } from '../disk/file-identity.js'
import type { OpenSession } from './session-state.js'
import type { StagedFile } from '../disk/replace-file.js'
import type { SessionIndex, Snapshot } from './turn-index.js'

/** A journal is folded when it has outgrown the document, and this. */
const FOLD_BYTES = 256 * 1024

/** Turns document and journal of one session into one plain document again. */
export class Folding {
  readonly #session: OpenSession
  #underWay: Promise<void> | null = null
  #foldAt = FOLD_BYTES
  /** The session has ended, and was not folded since. */
  #hasEnded = false

  constructor(session: OpenSession) {
    this.#session = session
  }

  /** Resolves when no fold is under way any more; null where none is. */
  get underWay(): Promise<void> | null {
    return this.#underWay
  }

  /**
   * Begins to fold, beside everything else, where it is time: when the session ends, and whenever its
   * journal has outgrown the document. One that goes on after its end is not folded for each change.
   */
  beginIfDue(index: SessionIndex, endsNow: boolean): void {
    this.#hasEnded ||= endsNow
    const { journalBytes, document } = index
    if (this.#underWay !== null || journalBytes === 0) return
    const hasOutgrown = journalBytes > this.#foldAt && journalBytes > document.bytes
    if (!this.#hasEnded && !hasOutgrown) return
    this.#hasEnded = false
    this.#underWay = this.fold()
      // A fold that fails leaves the journal, and that is complete. The next one tries again, later.
      .catch(() => {
        this.#foldAt = 2 * journalBytes
      })
      .finally(() => {
        this.#underWay = null
        // It ended after that fold had sealed the journal.
        if (this.#hasEnded && this.#session.index !== null) this.beginIfDue(this.#session.index, false)
      })
  }

  /**
   * Folds the journal into the document, beside the appends: seals it under the lock, writes the new
   * document with no lock held, and puts it in its place under the lock, if nobody else did meanwhile.
   */
  async fold(): Promise<void> {
    const sealed = await this.#session.locked(() => this.#seal())
    if (sealed === null) return
    const { file, spans } = await stageDocument(this.#session.paths, sealed)
    try {
      await this.#session.locked(() => this.#putInPlace(sealed, file, spans))
    } finally {
      await file.discard()
    }
  }

  async #putInPlace(sealed: Snapshot, file: StagedFile, spans: readonly Span[]): Promise<void> {
    // Somebody wrote the document anew, with all that we would write or without our session.
    if (identify(this.#session.paths.document)?.version !== sealed.document.version) return
    await file.commit()
    removeFile(this.#session.paths.sealed)
    const document = identify(this.#session.paths.document)
    if (document === null) return
    this.#session.settledDocument = document.version
    if (this.#session.index?.document.version === sealed.document.version) {
      this.#session.index.rebase(sealed, spans, { version: document.version, bytes: document.size })
    }
  }

  /** A journal moved aside takes no more changes; a new one begins with the next. */
  async #seal(): Promise<Snapshot | null> {
    const index = await this.#session.refreshToWrite()
    if (index === null || (index.journal === null && index.sealed === null)) return null
    if (index.hasBigIntegers && !keepsBigIntegers) return null
    // One that is sealed already is what a fold left that did not come to its end.
    if (index.sealed === null && index.journal !== null) {
      // What is acknowledged from now on builds on it, and only the next journal is synced then.
      await this.#session.writer.sync(index.journal)
      this.#session.writer.close()
      renameSync(this.#session.paths.journal, this.#session.paths.sealed)
      index.sealed = index.journal
      index.sealed.path = this.#session.paths.sealed
      index.journal = null
    }
    return index.snapshot()
  }
}
