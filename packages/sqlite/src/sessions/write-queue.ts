import { setImmediate } from 'node:timers/promises'
import { GroupCommit, type WaitingWrite } from '@turnstore/core/adapter'
import type { Connection } from '../database/connection.js'
import { busyError, isBusy, storeError } from '../database/sqlite-errors.js'
import { LONGEST_PAUSE_MS } from '../database/while-busy.js'
import type { LastSession } from './last-session-cache.js'
import type { Head } from './session-rows.js'

/** What to return once the write is stored, and how to store it. */
export interface Decision<T> {
  readonly answer: T
  /** Returns the head of the session that it leaves, or null. */
  readonly apply?: () => Head | null
}

/** Returned by a write that must read the whole session first, so that it loses nothing of a damaged one. */
export const UNREAD: unique symbol = Symbol('unread')

/**
 * A write, run inside a transaction: it reads and decides. If it must not happen it throws, before anything is written.
 * @param isRead whether the read that it requested with `UNREAD` is done
 */
export type Write<T> = (isRead: boolean) => Decision<T> | typeof UNREAD

interface Pending {
  readonly decide: Write<() => void>
  /** Rejects if the write must not happen. */
  readonly read: () => Promise<unknown>
  isRead: boolean
}

type Waiting = WaitingWrite<Pending, () => void>

/** Longest stretch of writing, in milliseconds, before it yields to the event loop. */
const SLICE_MS = 8

/** Most writes that commit alone before it yields to the event loop, within that stretch. */
const MOST_ALONE = 16

/** Writes that wait at the same time share one transaction, one commit and one sync. */
export class WriteQueue {
  readonly #connection: Connection
  readonly #last: LastSession
  readonly #timeoutMs: number
  readonly #mayHurry: boolean
  readonly #commits: GroupCommit<Pending, () => void>
  /** How many writes in a row have committed alone, and when it yields to the event loop at the latest. */
  #alone = 0
  #pause = 0

  /** @param mayHurry whether a write may commit without waiting one tick for others that would share the commit */
  constructor(connection: Connection, last: LastSession, timeoutMs: number, mayHurry: boolean) {
    this.#connection = connection
    this.#last = last
    this.#timeoutMs = timeoutMs
    this.#mayHurry = mayHurry
    this.#commits = new GroupCommit({
      timeoutMs,
      longestPauseMs: LONGEST_PAUSE_MS,
      gather: () => this.#waitForOthers(),
      commit: waiting => this.#commit(waiting),
    })
  }

  /** @param read what it reads before it decides, outside of the transaction, if it returns `UNREAD` */
  write<T>(write: Write<T>, read: () => Promise<unknown> = async () => {}): Promise<T> {
    return new Promise((resolve, reject) => {
      const decide: Pending['decide'] = isRead => {
        const decision = write(isRead)
        return decision === UNREAD ? UNREAD : { ...decision, answer: () => resolve(decision.answer) }
      }
      this.#commits.add({ decide, read, isRead: false }).then(answer => answer(), reject)
    })
  }

  /** Calls made in the same tick share the commit, as do calls from timers and sockets, unless writes come alone. */
  #waitForOthers(): void | Promise<void> {
    if (this.#mayHurry && this.#alone < MOST_ALONE && performance.now() < this.#pause) {
      this.#alone++
      return undefined
    }
    return this.#yield()
  }

  async #yield(): Promise<void> {
    this.#alone = 0
    await setImmediate()
    this.#pause = performance.now() + SLICE_MS
  }

  /** Commits the writes that wait, or the first of them. @throws `STORE_BUSY`, or why none of them is stored */
  #commit(waiting: readonly Waiting[]): void | Promise<void> {
    const settle: (() => void)[] = []
    try {
      this.#connection.write(() => this.#applySome(waiting, settle))
    } catch (error) {
      if (isBusy(error)) throw busyError(error, this.#timeoutMs)
      const failure = storeError(error, this.#connection.path, 'not-stored')
      if (failure.outcome === 'not-stored') throw failure
      for (const each of waiting.slice(0, settle.length)) each.reject(failure)
      return undefined
    }
    if (settle.length > 1) this.#alone = MOST_ALONE
    for (const done of settle) done()
    const [first] = waiting
    return settle.length === 0 && first !== undefined ? this.#read(first) : undefined
  }

  #applySome(waiting: readonly Waiting[], settle: (() => void)[]): void {
    const end = performance.now() + SLICE_MS
    for (const each of waiting) {
      if (settle.length > 0 && performance.now() > end) return
      let decision: ReturnType<Pending['decide']>
      try {
        decision = each.write.decide(each.write.isRead)
      } catch (error) {
        settle.push(() => each.reject(storeError(error, this.#connection.path, 'not-stored')))
        // SQLite ended the transaction, and the other writes are gone with it.
        if (!this.#connection.inTransaction) throw error
        continue
      }
      if (decision === UNREAD) return
      const { answer, apply } = decision
      settle.push(() => each.resolve(answer))
      if (apply !== undefined) this.#last.keep(apply())
    }
  }

  /** For a write that must read before it decides. */
  async #read(first: Waiting): Promise<void> {
    try {
      await first.write.read()
      first.write.isRead = true
    } catch (error) {
      first.reject(storeError(error, this.#connection.path, 'not-stored'))
    }
  }
}
