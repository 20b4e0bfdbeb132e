import { type ChangeResult, isEnded } from '@turnstore/core'
import {
  type ChangePlan,
  type Condition,
  inScope,
  type CheckedChange,
  planChange,
  resultOf,
  sessionNotFound,
} from '@turnstore/core/adapter'
import { syncFolder } from '../disk/folders.js'
import { writeError } from '../folder/file-errors.js'
import type { Lock } from '../locks/gate.js'
import { BatchQueue, type Waiting } from './batch-queue.js'
import type { Compaction } from './compaction.js'
import { checkLock, rewriteDocument } from './document-writer.js'
import { JournalBatch } from './journal-batch.js'
import type { SessionState } from './session-state.js'
import type { TurnIndex } from './turn-index.js'

interface WaitingChange extends Waiting {
  readonly change: CheckedChange
  readonly condition: Condition
  readonly resolve: (result: ChangeResult) => void
}

/** The most changes that share one sync. */
const BATCH = 256

/**
 * Group commit for the changes of one session. Changes that wait at the same time are decided one after the
 * other, written with one call and synced once. Each has its own success or failure.
 */
export class ChangeQueue {
  readonly #state: SessionState
  readonly #compaction: Compaction
  readonly #queue: BatchQueue<WaitingChange>
  /** A change of the last batch has ended the session. */
  #endsNow = false

  constructor(state: SessionState, compaction: Compaction) {
    this.#state = state
    this.#compaction = compaction
    this.#queue = new BatchQueue(
      BATCH,
      take => this.#performNext(take),
      () => {
        if (this.#state.isReleased) this.#state.writer.close()
      },
    )
  }

  /** Resolves when the queue is empty. Null if it is. */
  get drained(): Promise<void> | null {
    return this.#queue.drained
  }

  change(change: CheckedChange, condition: Condition): Promise<ChangeResult> {
    return new Promise((resolve, reject) => this.#queue.add({ change, condition, resolve, reject }))
  }

  async #performNext(take: () => WaitingChange[]): Promise<void> {
    let lock: Lock
    try {
      // Before taking the lock, so that the first read of a long session keeps no other process waiting.
      if (this.#state.index === null) await this.#state.current()
      lock = await this.#state.folder.locks.acquire(this.#state.paths.sessionId, this.#state.folder.timeoutMs)
    } catch (error) {
      throw writeError(error, 'not-stored')
    }
    let written: TurnIndex | null
    this.#endsNow = false
    try {
      written = await this.#commit(take(), lock)
    } finally {
      lock.release()
    }
    if (written !== null && !this.#state.isReleased) this.#compaction.startIfDue(written, this.#endsNow)
  }

  /** Returns the index after the changes, or null if a document or nothing was written. */
  async #commit(batch: readonly WaitingChange[], lock: Lock): Promise<TurnIndex | null> {
    const answers: (() => void)[] = []
    let index: TurnIndex | null
    try {
      index = await this.#state.exclusively(() => this.#decideAndWrite(batch, answers, lock))
      if (index !== null) await this.#sync(index)
      // The last look before the answers: nobody will find what went into a journal that was moved away.
      if (index !== null && index.journal !== null) this.#state.writer.checkInPlace(index.journal)
    } catch (error) {
      this.#state.index = null
      this.#state.writer.close()
      for (const { reject } of batch) reject(writeError(error))
      await this.#abandonJournal(lock)
      return null
    }
    for (const answer of answers) answer()
    return index
  }

  /**
   * After a failed sync, the disk may lack what the page cache still shows, and another process that adds to the
   * journal would sync it with success. So the session is written to a new document, now, while the lock is held,
   * or else with the next change.
   */
  async #abandonJournal(lock: Lock): Promise<void> {
    if (!this.#state.isJournalSuspect) return
    try {
      await this.#state.exclusively(async () => {
        const index = await this.#state.refreshToWrite()
        if (index !== null) await rewriteDocument(this.#state, index, lock)
      })
    } catch {
      // The disk still fails. The callers have their errors, and the next change tries again.
      this.#state.index = null
    }
  }

  /** Returns the index that must be synced before any answer, or null if nothing must. */
  async #decideAndWrite(
    batch: readonly WaitingChange[],
    answers: (() => void)[],
    lock: Lock,
  ): Promise<TurnIndex | null> {
    const rewinds = batch.some(({ change }) => change.keepTurns !== undefined)
    const index = await (rewinds ? this.#state.rereadToWrite() : this.#state.refreshToWrite())
    if (index === null) {
      for (const { reject } of batch) reject(sessionNotFound(this.#state.paths.sessionId))
      return null
    }
    const wasEnded = isEnded(index.head)
    const rewrites = this.#state.isJournalSuspect || rewinds
    const journal = rewrites ? null : new JournalBatch(index, this.#state.writer)
    let isChanged = this.#state.isJournalSuspect
    for (const { change, condition, resolve, reject } of batch) {
      let plan: ChangePlan
      try {
        if (!inScope(index.head, condition.scope)) throw sessionNotFound(this.#state.paths.sessionId)
        plan = planChange(index, change, condition.ifRevision, this.#state.folder.limits)
      } catch (error) {
        // Not before the others are stored: it may have failed because of one of them.
        answers.push(() => reject(error))
        continue
      }
      answers.push(() => resolve(resultOf(plan)))
      if (!plan.changed) continue
      isChanged = true
      if (journal === null) {
        index.applyPlan(plan)
      } else {
        await journal.begin()
        journal.add(plan, change)
      }
    }
    if (!isChanged) return index
    if (journal === null) {
      await rewriteDocument(this.#state, index, lock)
      return null
    }
    checkLock(lock, this.#state.paths)
    journal.write()
    this.#endsNow ||= !wasEnded && isEnded(index.head)
    return index
  }

  /** Also syncs what another process wrote and did not live to sync, since these changes may build on it. */
  async #sync(index: TurnIndex): Promise<void> {
    if (this.#state.syncedDocument !== index.document.version) {
      await syncFolder(this.#state.paths.folder)
      this.#state.syncedDocument = index.document.version
    }
    if (index.journal === null) return
    try {
      await this.#state.writer.sync(index.journal)
    } catch (error) {
      this.#state.isJournalSuspect = true
      throw error
    }
  }
}
