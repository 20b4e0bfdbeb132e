import { stageDocument } from './document-files.js'
import type { Hold } from './locked-commit.js'
import type { ReadSession } from './read-session.js'
import type { SessionOnDisk } from './session-on-disk.js'

/** A smaller journal is not compacted before the session ends. */
const MIN_JOURNAL_BYTES = 256 * 1024

/** Merges the journal of one session into its document: decides when, and goes through the steps. */
export class Compaction {
  readonly #disk: SessionOnDisk
  readonly #hold: Hold
  #running: Promise<void> | null = null
  #threshold = MIN_JOURNAL_BYTES
  /** The session ended and was not compacted since. */
  #hasEnded = false

  constructor(disk: SessionOnDisk, hold: Hold) {
    this.#disk = disk
    this.#hold = hold
  }

  /** Resolves when the running compaction is done. Null if none is running. */
  get running(): Promise<void> | null {
    return this.#running
  }

  /**
   * Starts a compaction in the background if the session ends or its journal has outgrown the document. Changes
   * after the end do not each start one.
   */
  startIfDue({ journalBytes, document }: ReadSession, endsNow: boolean): void {
    this.#hasEnded ||= endsNow
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
        const { known } = this.#disk
        if (this.#hasEnded && known !== null) this.startIfDue(known, false)
      })
  }

  /**
   * Rotates the journal under the lock, writes the new document without the lock, and puts it in place under the
   * lock. Appends continue in a new journal.
   */
  async run(): Promise<void> {
    const snapshot = await this.#hold(lock => this.#disk.rotate(lock))
    if (snapshot === null) return
    const { file, turns } = await stageDocument(snapshot)
    try {
      await this.#hold(lock => this.#disk.finishCompaction(snapshot, file, turns, lock))
    } finally {
      await file.discard()
    }
  }
}
