import { isTurnstoreError } from '@turnstore/core'
import { Backoff } from '@turnstore/core/adapter'
import { callFailed, failureOf, type Failure } from './postgres-errors.js'
import { ignoreIdleErrors, type PostgresPool, type Row } from './postgres-pool.js'

/** Thrown at the deadline of a call. */
class TimedOut extends Error {}

/**
 * The least time for another attempt, as a share of `timeoutMs`. An answer at the last moment would be late, as it takes a
 * new connection, and the outcome unknown without need.
 */
const LEAST_SHARE = 0.2

/** The rows of a statement, and whether an earlier attempt may have been carried out. */
export interface Answer {
  readonly rows: readonly Row[]
  readonly wasLost: boolean
}

/**
 * Runs statements with a deadline, over any pool. Each is one transaction. If the connection is lost, it is sent again
 * until then: statements that write recognize the repetition by their token.
 */
export class Database {
  readonly #pool: PostgresPool
  readonly #end: (() => Promise<void>) | null
  readonly #timeoutMs: number
  readonly #unsubscribe: () => void

  /** @param end closes the pool; null for one of the user's own */
  constructor(pool: PostgresPool, end: (() => Promise<void>) | null, timeoutMs: number) {
    this.#pool = pool
    this.#end = end
    this.#timeoutMs = timeoutMs
    this.#unsubscribe = ignoreIdleErrors(pool)
  }

  /** The deadline of a call that starts now, on the clock of `performance.now()`. */
  deadline(): number {
    return performance.now() + this.#timeoutMs
  }

  /** @throws `STORE_UNAVAILABLE` */
  async read(text: string, values: readonly unknown[], deadline: number): Promise<readonly Row[]> {
    return (await this.#untilDeadline('read', text, values, deadline)).rows
  }

  /** @throws `STORE_UNAVAILABLE`, `STORE_BUSY`, `CORRUPT_SESSION`, with an outcome */
  write(text: string, values: readonly unknown[], deadline: number): Promise<Answer> {
    return this.#untilDeadline('write', text, values, deadline)
  }

  async close(): Promise<void> {
    this.#unsubscribe()
    await this.#end?.()
  }

  async #untilDeadline(
    kind: 'read' | 'write',
    text: string,
    values: readonly unknown[],
    deadline: number,
  ): Promise<Answer> {
    let backoff: Backoff | null = null
    let wasLost = false
    let last: { failure: Failure; error: unknown } = { failure: { kind: 'lost', code: '' }, error: new TimedOut() }
    const fail = (): never => {
      const outcome = kind === 'read' ? undefined : wasLost ? 'unknown' : 'not-stored'
      throw callFailed(last.failure, last.error, outcome)
    }
    if (performance.now() >= deadline) fail()
    for (;;) {
      try {
        const { rows } = await within(deadline, this.#pool.query(text, [...values]))
        return { rows: rows.map(asRow), wasLost }
      } catch (error) {
        if (isTurnstoreError(error)) throw error
        last = { failure: failureOf(error), error }
        wasLost ||= last.failure.kind === 'lost'
        if (error instanceof TimedOut || last.failure.kind === 'refused') fail()
        backoff ??= new Backoff(deadline - performance.now())
        if (!(await backoff.wait()) || deadline - performance.now() < LEAST_SHARE * this.#timeoutMs) fail()
      }
    }
  }
}

/** Rejects at the deadline: a pool may wait forever. */
function within<T>(deadline: number, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new TimedOut()), Math.max(0, deadline - performance.now()))
    work.then(
      value => {
        clearTimeout(timer)
        resolve(value)
      },
      (error: unknown) => {
        clearTimeout(timer)
        reject(error)
      },
    )
  })
}

function asRow(row: unknown): Row {
  return isRow(row) ? row : {}
}

function isRow(row: unknown): row is Row {
  return typeof row === 'object' && row !== null
}
