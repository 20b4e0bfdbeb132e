import {
  type ChangeResult,
  decodeSession,
  encodeSession,
  type SessionRecord,
  type SessionSummary,
  type TurnPage,
  type TurnRecord,
} from '@turnstore/core'
import {
  cloneSession,
  cloneTurn,
  type Condition,
  type Deletion,
  inScope,
  isDamage,
  type CheckedChange,
  type CheckedTurnRange,
  resolveTurnRange,
  type Scope,
} from '@turnstore/core/adapter'
import { FilesChanged } from '../disk/read-file.js'
import type { SessionPaths } from '../folder/layout.js'
import { toPlainObject } from '../format/exact-json.js'
import { readTurnsAt, withDocumentTurns } from './assemble-turns.js'
import { ChangeQueue } from './change-queue.js'
import { Compaction } from './compaction.js'
import type { Lock } from '../locks/gate.js'
import { removeSession, replaceSession } from './document-writer.js'
import { plainSummary } from './read-summary.js'
import { journalMismatch, MAX_RETRIES } from './refresh-index.js'
import { SessionState, type StoreFolder } from './session-state.js'
import type { TurnIndex } from './turn-index.js'

/**
 * One session on disk: its document and journal, as a store reads and writes them.
 *
 * Readers take no lock. They read the document, then the journals, and check that the document is still the same.
 */
export class SessionFile {
  readonly paths: SessionPaths
  readonly #state: SessionState
  readonly #compaction: Compaction
  readonly #queue: ChangeQueue

  constructor(paths: SessionPaths, folder: StoreFolder) {
    this.paths = paths
    this.#state = new SessionState(paths, folder)
    this.#compaction = new Compaction(this.#state)
    this.#queue = new ChangeQueue(this.#state, this.#compaction)
  }

  /** The session without its turns, or null if it is not at these paths. */
  async summary(): Promise<SessionSummary | null> {
    return this.#read(async index => plainSummary(index))
  }

  async load(scope: Scope): Promise<SessionRecord | null> {
    return this.#read(async (index, documentTurns) => {
      if (!inScope(index.head, scope)) return null
      const { head, places, document } = index.snapshot()
      const turns = await readTurnsAt(withDocumentTurns(places, documentTurns), document, this.paths)
      // Encoding and decoding turns big integers anywhere in it into numbers.
      const whole = index.hasBigIntegers ? decodeSession(toPlainObject(encodeSession(head))) : cloneSession(head)
      return { ...whole, turns }
    })
  }

  async readTurns(range: CheckedTurnRange, scope: Scope): Promise<TurnPage | null> {
    return this.#read(async index => {
      if (!inScope(index.head, scope)) return null
      const { turnCount, revision } = index
      const { first, end } = resolveTurnRange(range, turnCount, id => index.lastIndexOf(id))
      const recent = index.recentTurns(first, end)
      if (recent !== null) return { turns: recent.map(cloneTurn), firstIndex: first, turnCount, revision }
      const places = index.places.slice(first, end)
      const turns = await readTurnsAt(places, index.document, this.paths)
      index.rememberTurns(first, places, turns)
      return { turns: turns.map(cloneTurn), firstIndex: first, turnCount, revision }
    })
  }

  /** Whether it was read and is not known to be gone. */
  get isKnown(): boolean {
    return this.#state.index !== null
  }

  /** Whether the session is at these paths. @param evenIfDamaged also if it cannot be read */
  async isHere(evenIfDamaged = false): Promise<boolean> {
    try {
      return this.isKnown || (await this.#state.current()) !== null
    } catch (error) {
      if (evenIfDamaged && isDamage(error)) return true
      throw error
    }
  }

  /** The number of turns in the index, for a limit on memory. */
  get indexedTurns(): number {
    return this.#state.index?.turnCount ?? 0
  }

  /** Reads from a current index, and again if the files changed meanwhile. */
  async #read<T>(
    read: (index: TurnIndex, documentTurns: readonly TurnRecord[] | null) => Promise<T>,
  ): Promise<T | null> {
    for (let retries = 0; ; retries++) {
      const index = await this.#state.current()
      if (index === null) return null
      try {
        return await read(index, index.takeDocumentTurns())
      } catch (error) {
        if (!(error instanceof FilesChanged)) throw error
        if (retries === MAX_RETRIES) throw journalMismatch(this.paths)
        if (this.#state.index === index) this.#state.index = null
      }
    }
  }

  /** Changes that wait at the same time are written together, each with its own success or failure. */
  change(change: CheckedChange, condition: Condition): Promise<ChangeResult> {
    return this.#queue.change(change, condition)
  }

  /** Creates or replaces the document as a whole. Returns its revision. The caller holds the lock. */
  replace(session: SessionRecord, condition: Condition, lock: Lock): Promise<number> {
    return replaceSession(this.#state, session, condition, lock)
  }

  /** Deletes the session if it is in the scope. The caller holds the lock. */
  remove(deletion: Deletion, lock: Lock): Promise<boolean> {
    return removeSession(this.#state, deletion, lock)
  }

  /** Whether no change or compaction is in progress. */
  get isIdle(): boolean {
    return this.#queue.drained === null && this.#compaction.running === null
  }

  /** Compacts the session and closes its files. */
  async close(): Promise<void> {
    await this.settle()
    // Twice, in case an unfinished compaction left a rotated journal beside the active one.
    for (let runs = 0; runs < 2; runs++) {
      const index = await this.#state.current()
      if (index !== null && index.journalBytes > 0) await this.#compaction.run()
    }
    this.release()
  }

  /** Waits for changes and compaction in progress, then closes the files. */
  async settle(): Promise<void> {
    await this.#queue.drained
    await this.#compaction.running
    this.release()
  }

  /** Closes the files. A caller may still use this object, which then closes them after each change. */
  release(): void {
    this.#state.release()
  }
}
