import { type ChangeResult, decodeSession, encodeSession, type SessionRecord, type SessionSummary, type TurnPage, type TurnRecord } from '@turnstore/core'
import { cloneSession, cloneTurn, type Condition, type Deletion, inScope, isDamage, type NormalChange, type NormalTurnRange, resolveTurnRange, type Scope } from '@turnstore/core/adapter'
import { ChangeQueue } from './change-queue.js'
import { removeSession, replaceSession } from './document-writer.js'
import { toPlainObject } from '../format/exact-json.js'
import { Compaction } from './compaction.js'
import { SessionState, type StoreFolder } from './session-state.js'
import type { TurnIndex } from './turn-index.js'
import type { SessionPaths } from '../folder/layout.js'
import { LOOKS, plainSummary, readTurnsAt, journalMismatch, withDocumentTurns } from './refresh-index.js'
import { FilesChanged } from './part-reader.js'

/**
 * One session on disk: its document and the journal beside it, as a store reads and writes them.
 *
 * Readers take no lock: they read the document, then the journals, and look whether the document is
 * still the same.
 */
export class SessionFile {
  readonly paths: SessionPaths
  readonly #open: SessionState
  readonly #compaction: Compaction
  readonly #queue: ChangeQueue

  constructor(paths: SessionPaths, folder: StoreFolder) {
    this.paths = paths
    this.#open = new SessionState(paths, folder)
    this.#compaction = new Compaction(this.#open)
    this.#queue = new ChangeQueue(this.#open, this.#compaction)
  }

  /** All but the turns; null where there is no such session here. */
  async summary(): Promise<SessionSummary | null> {
    return this.#read(async index => plainSummary(index))
  }

  async load(scope: Scope): Promise<SessionRecord | null> {
    return this.#read(async (index, documentTurns) => {
      if (!inScope(index.head, scope)) return null
      const { head, places, document } = index.snapshot()
      const turns = await readTurnsAt(withDocumentTurns(places, documentTurns), document, this.paths)
      // Through the wire, so that big integers anywhere in it become what a caller can take.
      const whole = index.hasBigIntegers ? decodeSession(toPlainObject(encodeSession(head))) : cloneSession(head)
      return { ...whole, turns }
    })
  }

  async readTurns(range: NormalTurnRange, scope: Scope): Promise<TurnPage | null> {
    return this.#read(async index => {
      if (!inScope(index.head, scope)) return null
      const { turnCount, revision } = index
      const { first, end } = resolveTurnRange(range, turnCount, id => index.lastIndexOf(id))
      const recent = index.recall(first, end)
      if (recent !== null) return { turns: recent.map(cloneTurn), firstIndex: first, turnCount, revision }
      const places = index.places.slice(first, end)
      const turns = await readTurnsAt(places, index.document, this.paths)
      index.rememberTurns(first, places, turns)
      return { turns: turns.map(cloneTurn), firstIndex: first, turnCount, revision }
    })
  }

  /** Whether it has been read, and is not known to be gone. */
  get isKnown(): boolean {
    return this.#open.index !== null
  }

  /** Whether the session is in this place. @param evenIfDamaged also where it cannot be read */
  async isHere(evenIfDamaged = false): Promise<boolean> {
    try {
      return this.isKnown || (await this.#open.upToDate()) !== null
    } catch (error) {
      if (evenIfDamaged && isDamage(error)) return true
      throw error
    }
  }

  /** How many turns are known by heart. */
  get weight(): number {
    return this.#open.index?.turnCount ?? 0
  }

  /** Reads from an index that is up to date, again where the files were moved meanwhile. */
  async #read<T>(
    read: (index: TurnIndex, documentTurns: readonly TurnRecord[] | null) => Promise<T>,
  ): Promise<T | null> {
    for (let look = 0; ; look++) {
      const index = await this.#open.upToDate()
      if (index === null) return null
      try {
        return await read(index, index.takeDocumentTurns())
      } catch (error) {
        if (!(error instanceof FilesChanged)) throw error
        if (look === LOOKS) throw journalMismatch(this.paths)
        if (this.#open.index === index) this.#open.index = null
      }
    }
  }

  /** Changes that wait at the same moment are written together, each with its own success or failure. */
  change(change: NormalChange, condition: Condition): Promise<ChangeResult> {
    return this.#queue.change(change, condition)
  }

  /** Creates the document or replaces it as a whole; gives its revision. The caller holds the lock. */
  replace(session: SessionRecord, condition: Condition): Promise<number> {
    return replaceSession(this.#open, session, condition)
  }

  /** Deletes the session, if it is in the scope. The caller holds the lock. */
  remove(deletion: Deletion): Promise<boolean> {
    return removeSession(this.#open, deletion)
  }

  /** Whether nothing is under way, so that it may be forgotten. */
  get isIdle(): boolean {
    return this.#queue.drained === null && this.#compaction.underWay === null
  }

  /** Compacts what is left, and lets go of the files. */
  async close(): Promise<void> {
    await this.settle()
    // Twice where a compaction that did not come to its end left a rotated journal beside the one that is written.
    for (let runs = 0; runs < 2; runs++) {
      const index = await this.#open.upToDate()
      if (index !== null && index.journalBytes > 0) await this.#compaction.run()
    }
    this.release()
  }

  /** Waits for what is under way, and lets go of the files. */
  async settle(): Promise<void> {
    await this.#queue.drained
    await this.#compaction.underWay
    this.release()
  }

  /** Lets go of the files. Who still holds this object may go on; then it lets go after each change. */
  release(): void {
    this.#open.release()
  }
}
