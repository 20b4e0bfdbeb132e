import { type ChangeResult, isEnded } from '@turnstore/core'
import { type ChangePlan, type Condition, inScope, type NormalChange, planChange, resultOf, sessionNotFound } from '@turnstore/core/adapter'
import { JournalBatch } from './journal-batch.js'
import { rewriteDocument } from './document-writer.js'
import { writeError } from '../folder/file-errors.js'
import type { Compaction } from './compaction.js'
import type { Lock } from '../locks/gate.js'
import type { SessionState } from './session-state.js'
import { syncFolder } from '../disk/folders.js'
import type { TurnIndex } from './turn-index.js'

/** A change that waits to be written with the others that wait at the same moment. */
interface Waiting {
  readonly change: NormalChange
  readonly condition: Condition
  readonly deadline: number
  readonly resolve: (result: ChangeResult) => void
  readonly reject: (error: unknown) => void
}

/** Changes written with one sync at the most. */
const BATCH = 256

/**
 * The changes of one session that wait to be written. Those that wait at the same moment are decided
 * one after the other, written with one call and synced once, each with its own success or failure.
 */
export class ChangeQueue {
  readonly #session: SessionState
  readonly #compaction: Compaction
  readonly #queue: Waiting[] = []
  #draining: Promise<void> | null = null
  /** One of the changes that were written since the queue was empty has ended the session. */
  #endsNow = false

  constructor(session: SessionState, compaction: Compaction) {
    this.#session = session
    this.#compaction = compaction
  }

  /** Resolves when nothing waits any more; null where nothing does. */
  get drained(): Promise<void> | null {
    return this.#draining
  }

  change(change: NormalChange, condition: Condition): Promise<ChangeResult> {
    return new Promise((resolve, reject) => {
      const deadline = performance.now() + this.#session.folder.timeoutMs
      this.#queue.push({ change, condition, deadline, resolve, reject })
      this.#draining ??= this.#drain().catch((error: unknown) => this.#giveUp(error))
    })
  }

  async #drain(): Promise<void> {
    // Whoever calls from here on finds it under way, and whoever calls once it is not is told so in the same
    // moment in which the queue was seen empty: a change that came in between would wait for ever.
    await Promise.resolve()
    let written: TurnIndex | null = null
    while (this.#queue.length > 0) {
      let lock: Lock
      try {
        // Before the lock, so that nobody waits for us while we read a long session for the first time.
        if (this.#session.index === null) await this.#session.upToDate()
        lock = await this.#session.folder.locks.acquire(this.#session.paths.sessionId, { deadline: this.#queue[0]?.deadline ?? 0 })
      } catch (error) {
        this.#queue.shift()?.reject(writeError(error, 'not-stored'))
        continue
      }
      try {
        written = await this.#commit(this.#queue.splice(0, BATCH))
      } finally {
        lock.release()
      }
    }
    this.#draining = null
    if (this.#session.isReleased) this.#session.writer.close()
    else if (written !== null) this.#compaction.beginIfDue(written, this.#endsNow)
    this.#endsNow = false
  }

  /** Something failed that should not, such as letting go of the lock: nobody is left waiting. */
  #giveUp(error: unknown): void {
    this.#draining = null
    for (const { reject } of this.#queue.splice(0)) reject(writeError(error, 'not-stored'))
  }

  /** Gives the index as it is then, null where a document was written anew or nothing at all. */
  async #commit(batch: readonly Waiting[]): Promise<TurnIndex | null> {
    const answers: (() => void)[] = []
    let index: TurnIndex | null
    try {
      index = await this.#session.exclusively(() => this.#decideAndWrite(batch, answers))
      if (index !== null) await this.#sync(index)
    } catch (error) {
      this.#session.index = null
      this.#session.writer.close()
      for (const { reject } of batch) reject(writeError(error))
      await this.#abandonJournal()
      return null
    }
    for (const answer of answers) answer()
    return index
  }

  /**
   * After a failed sync the journal may lack on the disk what the page cache still shows, and another
   * process would sync what it adds with success. So nothing is to depend on it any more: what can be
   * read goes into a new document, now, while the lock is held, or else with the next change.
   */
  async #abandonJournal(): Promise<void> {
    if (!this.#session.distrustsJournal) return
    try {
      await this.#session.exclusively(async () => {
        const index = await this.#session.refreshToWrite()
        if (index !== null) await rewriteDocument(this.#session, index)
      })
    } catch {
      // The disk fails still. The callers were told already, and the next change tries again.
      this.#session.index = null
    }
  }

  /** Gives what has to be on the disk before anything is answered; null where all is. */
  async #decideAndWrite(batch: readonly Waiting[], answers: (() => void)[]): Promise<TurnIndex | null> {
    const rewinds = batch.some(({ change }) => change.keepTurns !== undefined)
    const index = await (rewinds ? this.#session.readAnewToWrite() : this.#session.refreshToWrite())
    if (index === null) {
      for (const { reject } of batch) reject(sessionNotFound(this.#session.paths.sessionId))
      return null
    }
    const wasEnded = isEnded(index.head)
    const rewrites = this.#session.distrustsJournal || rewinds
    const journal = rewrites ? null : new JournalBatch(index, this.#session.writer)
    let changed = this.#session.distrustsJournal
    for (const { change, condition, resolve, reject } of batch) {
      let plan: ChangePlan
      try {
        if (!inScope(index.head, condition.scope)) throw sessionNotFound(this.#session.paths.sessionId)
        plan = planChange(index, change, condition.ifRevision, this.#session.folder.limits)
      } catch (error) {
        // With the others: what it fails on may be what one before it is about to write.
        answers.push(() => reject(error))
        continue
      }
      answers.push(() => resolve(resultOf(plan)))
      if (!plan.changed) continue
      changed = true
      if (journal === null) {
        index.applyPlan(plan)
      } else {
        await journal.begin()
        journal.add(plan, change)
      }
    }
    if (!changed) return index
    if (journal === null) {
      await rewriteDocument(this.#session, index)
      return null
    }
    journal.write()
    this.#endsNow ||= !wasEnded && isEnded(index.head)
    return index
  }

  /**
   * What is acknowledged now may build on what another process wrote and did not live to sync, so that
   * goes to the disk with it.
   */
  async #sync(index: TurnIndex): Promise<void> {
    if (this.#session.settledDocument !== index.document.version) {
      await syncFolder(this.#session.paths.folder)
      this.#session.settledDocument = index.document.version
    }
    if (index.journal === null) return
    try {
      await this.#session.writer.sync(index.journal)
    } catch (error) {
      this.#session.distrustsJournal = true
      throw error
    }
  }
}
