import { isTurnstoreError } from '../basics/errors.js'
import { monotonicNow } from '../basics/runtime.js'
import { Backoff } from './backoff.js'

/** A write that waits for its commit. */
export class WaitingWrite<Write, Result> {
  readonly write: Write
  /** The time on the clock of `performance.now()` at which the caller's patience ends. */
  readonly deadline: number
  readonly #resolve: (result: Result) => void
  readonly #reject: (error: unknown) => void
  #isSettled = false

  constructor(write: Write, deadline: number, resolve: (result: Result) => void, reject: (error: unknown) => void) {
    this.write = write
    this.deadline = deadline
    this.#resolve = resolve
    this.#reject = reject
  }

  get isSettled(): boolean {
    return this.#isSettled
  }

  /** Gives the caller its result. Call it once the write is stored, never before. */
  resolve(result: Result): void {
    this.#isSettled = true
    this.#resolve(result)
  }

  reject(error: unknown): void {
    this.#isSettled = true
    this.#reject(error)
  }
}

/** How a store commits. Everything else about the queue is the same in every store. */
export interface CommitPolicy<Write, Result> {
  /** How long a write waits while the store is busy, in milliseconds. */
  readonly timeoutMs: number

  /**
   * Commits writes from the front of the queue together, as many as it likes, and settles each: a write that must
   * not happen is rejected alone. `waiting` is the queue itself: writes that arrive while this awaits are at its end.
   *
   * If it throws, nothing that it has not settled is stored, and what happens next depends on the error:
   * - `STORE_BUSY`: it is called again after a pause, until the deadline of each write. Then the write gets the error.
   * - with the outcome `not-stored`: one write may have spoilt the commit of all, so they are tried one by one.
   * - any other error rejects all writes that it was given.
   */
  commit(waiting: readonly WaitingWrite<Write, Result>[]): void | Promise<void>

  /** Runs before each commit, so that others can join it: writes of the same tick always do. */
  gather?(): void | Promise<void>

  /** The longest pause between two attempts while the store is busy, in milliseconds. */
  readonly longestPauseMs?: number

  /** Runs when the queue is empty, in the same tick. */
  idle?(): void
}

/**
 * Group commit: writes that wait at the same time share one commit, and each succeeds or fails on its own. One commit
 * runs at a time, so a write that arrives meanwhile joins the next one.
 *
 * @example
 * const writes = new GroupCommit<string, number>({
 *   timeoutMs: 10_000,
 *   async commit(waiting) {
 *     const batch = waiting.slice(0, 256)
 *     await file.appendFile(batch.map(({ write }) => write).join(''))
 *     await file.sync()
 *     for (const each of batch) each.resolve(each.write.length)
 *   },
 * })
 * await writes.add('a line\n')
 */
export class GroupCommit<Write, Result> {
  readonly #policy: CommitPolicy<Write, Result>
  readonly #queue: WaitingWrite<Write, Result>[] = []
  /** The first so many writes failed together. They run one by one, to find the one that fails. */
  #suspects = 0
  #draining: Promise<void> | null = null

  constructor(policy: CommitPolicy<Write, Result>) {
    this.#policy = policy
  }

  /** Resolves when the queue is empty. Null if it is. */
  get drained(): Promise<void> | null {
    return this.#draining
  }

  /** @param deadline on the clock of `performance.now()`; by default `timeoutMs` from now */
  add(write: Write, deadline: number = monotonicNow() + this.#policy.timeoutMs): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#queue.push(new WaitingWrite(write, deadline, resolve, reject))
      this.#draining ??= this.#drain()
    })
  }

  async #drain(): Promise<void> {
    const { timeoutMs, longestPauseMs } = this.#policy
    let backoff: Backoff | null = null
    while (this.#queue.length > 0) {
      const isBusy = await this.#commitSome()
      if (!isBusy) {
        backoff = null
        continue
      }
      backoff ??= new Backoff(timeoutMs, longestPauseMs)
      if (!(await backoff.wait())) backoff = null
    }
    // In the same tick in which the queue was found empty, or a write in between would wait forever.
    this.#draining = null
    this.#policy.idle?.()
  }

  /** Resolves to true if the store is busy. */
  async #commitSome(): Promise<boolean> {
    let isBusy = false
    try {
      // Also without a policy this awaits: `add` notes that it drains, and writes of the same tick come along.
      await this.#policy.gather?.()
      await this.#policy.commit(this.#suspects > 0 ? this.#queue.slice(0, 1) : this.#queue)
    } catch (error) {
      isBusy = isTurnstoreError(error, 'STORE_BUSY')
      if (isBusy) this.#rejectOverdue(error)
      else this.#fail(error)
    }
    const left = this.#queue.findIndex(({ isSettled }) => !isSettled)
    const settled = left === -1 ? this.#queue.length : left
    this.#queue.splice(0, settled)
    this.#suspects = Math.max(0, this.#suspects - settled)
    return isBusy
  }

  #fail(error: unknown): void {
    const given = (this.#suspects > 0 ? this.#queue.slice(0, 1) : this.#queue).filter(({ isSettled }) => !isSettled)
    if (given.length > 1 && isTurnstoreError(error) && error.outcome === 'not-stored')
      this.#suspects = this.#queue.length
    else for (const each of given) each.reject(error)
  }

  #rejectOverdue(error: unknown): void {
    const now = monotonicNow()
    for (const each of this.#queue) if (each.deadline <= now) each.reject(error)
  }
}
