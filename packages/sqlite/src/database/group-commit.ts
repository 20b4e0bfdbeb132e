import { setImmediate } from 'node:timers/promises'
import type { Backoff } from '@turnstore/core/adapter'
import type { Connection } from './connection.js'
import { busyError, isBusy, storeError } from './sqlite-errors.js'
import { newBackoff } from './while-busy.js'

/** What to answer once a write is stored, and what is left to do for that. */
export interface Decision<T> {
  readonly answer: T
  readonly carryOut?: () => void
}

/** Of a write that may lose what is stored, and so waits until all of it was read. */
export const UNREAD: unique symbol = Symbol('unread')

/**
 * A write, run inside a transaction: it reads and decides, and throws where it must not happen, before
 * anything is written.
 * @param isRead whether what it asked for with `UNREAD` was done
 */
export type Write<T> = (isRead: boolean) => Decision<T> | typeof UNREAD

/** What is known from one transaction to the next. */
export interface Cache {
  /** Called first in each transaction. */
  check(): void
  /** Called when a transaction was rolled back. */
  forget(): void
}

interface Waiting {
  readonly deadline: number
  /** Null where it has to read first. */
  readonly decide: (isRead: boolean) => { readonly carryOut: (() => void) | undefined; readonly resolve: () => void } | null
  readonly reject: (error: unknown) => void
  /** Rejects where the write must not happen. */
  readonly read: () => Promise<unknown>
  reading: 'not needed' | 'needed' | 'done'
}

/** Longest stretch of writing, in milliseconds, before the rest of the process gets its turn. */
const SLICE_MS = 8

/** So many writes that come alone are tried before the rest of the process gets its turn, within that stretch. */
const MOST_ALONE = 16

/**
 * The writes that wait. Those that wait at the same moment go into one transaction: one commit and one
 * sync for all of them, each with its own success or failure.
 */
export class GroupCommit {
  readonly #connection: Connection
  readonly #cache: Cache
  readonly #timeoutMs: number
  readonly #queue: Waiting[] = []
  /** So many of the queue failed together and are run one by one, to find the one whose failure it is. */
  #suspects = 0
  #isDraining = false
  readonly #mayHurry: boolean
  /** Tried alone since the rest of the process had its turn; after some that came together, as many as may. */
  #alone = 0
  /** Until when more may follow: of large ones, a few take longer than the process should stand still. */
  #pause = 0

  /** @param mayHurry whether a commit of its own is so cheap that a write which comes alone need not wait for others */
  constructor(connection: Connection, cache: Cache, timeoutMs: number, mayHurry: boolean) {
    this.#connection = connection
    this.#cache = cache
    this.#timeoutMs = timeoutMs
    this.#mayHurry = mayHurry
  }

  /**
   * Writes are decided in the order of the calls. One that has to read first holds up those after it, though not the
   * process.
   */
  write<T>(write: Write<T>, read: () => Promise<unknown> = async () => {}): Promise<T> {
    return new Promise((resolve, reject) => {
      const decide: Waiting['decide'] = isRead => {
        const decision = write(isRead)
        if (decision === UNREAD) return null
        const { answer, carryOut } = decision
        return { carryOut, resolve: () => resolve(answer) }
      }
      this.#queue.push({ deadline: performance.now() + this.#timeoutMs, decide, reject, read, reading: 'not needed' })
      if (!this.#isDraining) void this.#drain()
    })
  }

  async #drain(): Promise<void> {
    this.#isDraining = true
    let backoff: Backoff | null = null
    while (this.#queue.length > 0) {
      await this.#others()
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

  /** The first of the queue, where it has to be read before it is decided. */
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

  /** Who calls at this moment comes along; so does, but after writes that came alone, whoever a timer or a socket wakes. */
  async #others(): Promise<void> {
    if (this.#mayHurry && this.#alone < MOST_ALONE && performance.now() < this.#pause) {
      this.#alone++
      return
    }
    this.#alone = 0
    await setImmediate()
    this.#pause = performance.now() + SLICE_MS
  }

  /** Commits the writes that wait, or the first of them. Gives the error where the database is busy. */
  #commitSome(): unknown {
    const most = this.#suspects > 0 ? 1 : this.#queue.length
    const settle: (() => void)[] = []
    try {
      this.#connection.write(() => {
        this.#cache.check()
        this.#performSome(most, settle)
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

  #performSome(most: number, settle: (() => void)[]): void {
    const end = performance.now() + SLICE_MS
    for (const waiting of this.#queue.slice(0, most)) {
      if (settle.length > 0 && performance.now() > end) return
      let decision: ReturnType<Waiting['decide']>
      try {
        decision = waiting.decide(waiting.reading === 'done')
      } catch (error) {
        settle.push(() => waiting.reject(storeError(error, this.#connection.path, 'not-stored')))
        // With the transaction, what the others wrote is gone.
        if (!this.#connection.inTransaction) throw error
        continue
      }
      if (decision === null) {
        waiting.reading = 'needed'
        return
      }
      settle.push(decision.resolve)
      decision.carryOut?.()
    }
  }

  /** The first of the queue failed together, and nothing of them is stored, unless the error says otherwise. */
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
    // In the order of their deadlines, since all wait equally long.
    const overdue = this.#queue.findIndex(({ deadline }) => deadline > now)
    const failure = busyError(busy, this.#timeoutMs)
    for (const { reject } of this.#take(overdue === -1 ? this.#queue.length : overdue)) reject(failure)
  }
}
