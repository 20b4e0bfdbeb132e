import { setImmediate } from 'node:timers/promises'
import type { Backoff } from '@turnstore/core/adapter'
import type { Connection } from './connection.js'
import { busyError, isBusy, storeError } from './sqlite-errors.js'
import { newBackoff } from './while-busy.js'

/** What to return once the write is stored, and how to store it. */
export interface Decision<T> {
  readonly answer: T
  readonly apply?: () => void
}

/** Returned by a write that must read the whole session first, so that it loses nothing of a damaged one. */
export const UNREAD: unique symbol = Symbol('unread')

/**
 * A write, run inside a transaction: it reads and decides. If it must not happen it throws, before anything is written.
 * @param isRead whether the read that it requested with `UNREAD` is done
 */
export type Write<T> = (isRead: boolean) => Decision<T> | typeof UNREAD

/** What a handle remembers between transactions. */
export interface Cache {
  /** Called first in each transaction. */
  check(): void
  /** Called after a rollback. */
  forget(): void
}

interface Waiting {
  readonly deadline: number
  /** Null if it must read first. */
  readonly decide: (
    isRead: boolean,
  ) => { readonly apply: (() => void) | undefined; readonly resolve: () => void } | null
  readonly reject: (error: unknown) => void
  /** Rejects if the write must not happen. */
  readonly read: () => Promise<unknown>
  reading: 'not needed' | 'needed' | 'done'
}

/** Longest stretch of writing, in milliseconds, before it yields to the event loop. */
const SLICE_MS = 8

/** Most writes that commit alone before it yields to the event loop, within that stretch. */
const MOST_ALONE = 16

/**
 * The queue of writes. Writes that wait at the same time share one transaction, one commit and one sync. Each succeeds
 * or fails on its own.
 */
export class GroupCommit {
  readonly #connection: Connection
  readonly #cache: Cache
  readonly #timeoutMs: number
  readonly #queue: Waiting[] = []
  /** The first so many writes failed together. They run one by one, to find the one that fails. */
  #suspects = 0
  #isDraining = false
  readonly #mayHurry: boolean
  /** Writes committed alone since it last yielded. `MOST_ALONE` after a shared commit. */
  #alone = 0
  /** When to yield at the latest: a few large writes may block the process too long. */
  #pause = 0

  /** @param mayHurry whether a commit is so cheap that a single write need not wait for others to share it */
  constructor(connection: Connection, cache: Cache, timeoutMs: number, mayHurry: boolean) {
    this.#connection = connection
    this.#cache = cache
    this.#timeoutMs = timeoutMs
    this.#mayHurry = mayHurry
  }

  /**
   * Writes are decided in call order. One that must read first delays those after it, but does not block the process.
   */
  write<T>(write: Write<T>, read: () => Promise<unknown> = async () => {}): Promise<T> {
    return new Promise((resolve, reject) => {
      const decide: Waiting['decide'] = isRead => {
        const decision = write(isRead)
        if (decision === UNREAD) return null
        const { answer, apply } = decision
        return { apply, resolve: () => resolve(answer) }
      }
      this.#queue.push({ deadline: performance.now() + this.#timeoutMs, decide, reject, read, reading: 'not needed' })
      if (!this.#isDraining) void this.#drain()
    })
  }

  async #drain(): Promise<void> {
    this.#isDraining = true
    let backoff: Backoff | null = null
    while (this.#queue.length > 0) {
      await this.#waitForOthers()
      const busy = this.#commitSome()
      if (busy === null) {
        backoff = null
        await this.#readFirst()
        continue
      }
      this.#rejectOverdue(busy)
      backoff ??= newBackoff(this.#timeoutMs)
      if (!(await backoff.wait())) backoff = null
    }
    this.#isDraining = false
  }

  /** Lets the first write read, if it must before it decides. */
  async #readFirst(): Promise<void> {
    const [first] = this.#queue
    if (first?.reading !== 'needed') return
    try {
      await first.read()
      first.reading = 'done'
    } catch (error) {
      this.#take(1)
      first.reject(storeError(error, this.#connection.path, 'not-stored'))
    }
  }

  /** Calls made in the same tick share the commit, as do calls from timers and sockets, unless writes come alone. */
  async #waitForOthers(): Promise<void> {
    if (this.#mayHurry && this.#alone < MOST_ALONE && performance.now() < this.#pause) {
      this.#alone++
      return
    }
    this.#alone = 0
    await setImmediate()
    this.#pause = performance.now() + SLICE_MS
  }

  /** Commits the writes that wait, or the first of them. Returns the error if the database is busy. */
  #commitSome(): unknown {
    const most = this.#suspects > 0 ? 1 : this.#queue.length
    const settle: (() => void)[] = []
    try {
      this.#connection.write(() => {
        this.#cache.check()
        this.#applySome(most, settle)
      })
    } catch (error) {
      this.#cache.forget()
      if (isBusy(error)) return error
      this.#fail(Math.max(settle.length, 1), error)
      return null
    }
    this.#take(settle.length)
    if (settle.length > 1) this.#alone = MOST_ALONE
    for (const done of settle) done()
    return null
  }

  #applySome(most: number, settle: (() => void)[]): void {
    const end = performance.now() + SLICE_MS
    for (const waiting of this.#queue.slice(0, most)) {
      if (settle.length > 0 && performance.now() > end) return
      let decision: ReturnType<Waiting['decide']>
      try {
        decision = waiting.decide(waiting.reading === 'done')
      } catch (error) {
        settle.push(() => waiting.reject(storeError(error, this.#connection.path, 'not-stored')))
        // SQLite ended the transaction, and the other writes are gone with it.
        if (!this.#connection.inTransaction) throw error
        continue
      }
      if (decision === null) {
        waiting.reading = 'needed'
        return
      }
      settle.push(decision.resolve)
      decision.apply?.()
    }
  }

  /** The first `count` writes failed together. None is stored, unless the error says otherwise. */
  #fail(count: number, error: unknown): void {
    const failure = storeError(error, this.#connection.path, 'not-stored')
    if (count > 1 && failure.outcome === 'not-stored') this.#suspects = count
    else for (const { reject } of this.#take(count)) reject(failure)
  }

  #take(count: number): Waiting[] {
    this.#suspects = Math.max(0, this.#suspects - count)
    return this.#queue.splice(0, count)
  }

  #rejectOverdue(busy: unknown): void {
    const now = performance.now()
    // The queue is in the order of the deadlines, since all wait equally long.
    const overdue = this.#queue.findIndex(({ deadline }) => deadline > now)
    const failure = busyError(busy, this.#timeoutMs)
    for (const { reject } of this.#take(overdue === -1 ? this.#queue.length : overdue)) reject(failure)
  }
}
