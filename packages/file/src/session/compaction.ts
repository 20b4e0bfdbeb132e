import { renameSync } from 'node:fs'
import { identify } from '../disk/file-identity.js'
import type { Span } from '../disk/read-file.js'
import type { StagedFile } from '../disk/replace-file.js'
import { keepsBigIntegers } from '../format/exact-json.js'
import type { Lock } from '../locks/gate.js'
import { checkLock, removeFile, stageDocument } from './document-writer.js'
import type { SessionState } from './session-state.js'
import type { TurnIndex } from './turn-index.js'
import type { Snapshot } from './turn-places.js'

/** A smaller journal is not compacted before the session ends. */
const MIN_JOURNAL_BYTES = 256 * 1024

/** Merges the journal of one session into its document. */
export class Compaction {
  readonly #state: SessionState
  #running: Promise<void> | null = null
  #threshold = MIN_JOURNAL_BYTES
  /** The session ended and was not compacted since. */
  #hasEnded = false

  constructor(state: SessionState) {
    this.#state = state
  }

  /** Resolves when the running compaction is done. Null if none is running. */
  get running(): Promise<void> | null {
    return this.#running
  }

  /**
   * Starts a compaction in the background if the session ends or its journal has outgrown the document. Changes
   * after the end do not each start one.
   */
  startIfDue(index: TurnIndex, endsNow: boolean): void {
    this.#hasEnded ||= endsNow
    const { journalBytes, document } = index
    if (this.#running !== null || journalBytes === 0) return
    const hasOutgrown = journalBytes > this.#threshold && journalBytes > document.bytes
    if (!this.#hasEnded && !hasOutgrown) return
    this.#hasEnded = false
    this.#running = this.run()
      // The journal is still complete. The next attempt is made later.
      .catch(() => {
        this.#threshold = 2 * journalBytes
      })
      .finally(() => {
        this.#running = null
        // The session ended after this compaction had rotated the journal.
        if (this.#hasEnded && this.#state.index !== null) this.startIfDue(this.#state.index, false)
      })
  }

  /**
   * Rotates the journal under the lock, writes the new document without the lock, and puts it in place under the
   * lock, unless another process replaced the document meanwhile. Appends continue in a new journal.
   */
  async run(): Promise<void> {
    const snapshot = await this.#state.locked(lock => this.#rotate(lock))
    if (snapshot === null) return
    const { file, spans } = await stageDocument(this.#state.paths, snapshot)
    try {
      await this.#state.locked(lock => this.#putInPlace(snapshot, file, spans, lock))
    } finally {
      await file.discard()
    }
  }

  async #putInPlace(snapshot: Snapshot, file: StagedFile, spans: readonly Span[], lock: Lock): Promise<void> {
    // The document was replaced, with these changes or by another session, or it was deleted.
    if (identify(this.#state.paths.document)?.version !== snapshot.document.version) return
    checkLock(lock, this.#state.paths)
    await file.commit()
    removeFile(this.#state.paths.rotated)
    const document = identify(this.#state.paths.document)
    if (document === null) return
    this.#state.syncedDocument = document.version
    if (this.#state.index?.document.version === snapshot.document.version) {
      this.#state.index.rebase(snapshot, spans, { version: document.version, bytes: document.size })
    }
  }

  /** Moves the journal aside, so that the next change begins a new one. Null if there is nothing to compact. */
  async #rotate(lock: Lock): Promise<Snapshot | null> {
    const index = await this.#state.refreshToWrite()
    if (index === null || (index.journal === null && index.rotated === null)) return null
    if (index.hasBigIntegers && !keepsBigIntegers) return null
    // A rotated journal that is there already was left by a compaction that did not finish.
    if (index.rotated === null && index.journal !== null) {
      // Later changes build on this journal, but only the next one is synced with them.
      await this.#state.writer.sync(index.journal)
      this.#state.writer.close()
      checkLock(lock, this.#state.paths)
      renameSync(this.#state.paths.journal, this.#state.paths.rotated)
      index.rotated = index.journal
      index.rotated.path = this.#state.paths.rotated
      index.journal = null
    }
    return index.snapshot()
  }
}
