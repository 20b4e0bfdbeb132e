import { backendError, isTurnstoreError, TurnstoreError, withDetails } from '../basics/errors.js'
import { withOutcome } from '../basics/outcome.js'
import { orAborted, type Signal, throwIfAborted } from '../basics/signal.js'

/** A call whose arguments are checked: its session and the work to run. */
export interface Operation<T> {
  readonly sessionId?: string
  /** Of a read. Rejects it with the signal's reason. */
  readonly signal?: Signal | undefined
  run(): Promise<T>
}

/**
 * The states of a store. Every public method runs through it. It opens the store on the first call, makes
 * `close` wait for pending calls, refuses later calls, and converts every error to a `TurnstoreError` that is
 * safe to print.
 */
export class Lifecycle {
  readonly #openStore: () => Promise<void>
  readonly #closeStore: () => Promise<void>
  #state: 'new' | 'ready' | 'closing' | 'closed' = 'new'
  #opening: Promise<void> | null = null
  #closing: Promise<void> | null = null
  readonly #pending = new Set<Promise<unknown>>()

  /**
   * @param openStore runs before the first call, and again after a failure
   * @param closeStore runs once, when no call is pending
   */
  constructor(openStore: () => Promise<void>, closeStore: () => Promise<void>) {
    this.#openStore = openStore
    this.#closeStore = closeStore
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#state = 'closing'
    try {
      await Promise.allSettled(this.#pending)
      await this.#closeStore()
    } catch (error) {
      throw backendError(error)
    } finally {
      this.#state = 'closed'
    }
  }

  /**
   * Runs one public method. `prepare` runs synchronously and copies the arguments. The operation runs when
   * the store is open. Every error becomes a rejection with a `TurnstoreError`. For a write it has an
   * `outcome`.
   */
  async perform<T>(kind: 'read' | 'write', prepare: () => Operation<T>): Promise<T> {
    let sessionId: string | undefined
    let signal: Signal | undefined
    try {
      this.#checkOpen()
      const operation = prepareSafely(prepare)
      sessionId = operation.sessionId
      signal = operation.signal
      throwIfAborted(signal)
      const result = this.#state === 'ready' ? operation.run() : this.#opened(kind).then(() => operation.run())
      this.#pending.add(result)
      const end = (): void => void this.#pending.delete(result)
      if (signal !== undefined) {
        // A read that was given up stays pending until it has ended, so that `close` waits for it.
        result.then(end, end)
        return await orAborted(result, signal)
      }
      try {
        return await result
      } finally {
        end()
      }
    } catch (thrown) {
      if (signal?.aborted === true && thrown === signal.reason) throw thrown
      const error = backendError(thrown)
      throw withDetails(error, {
        ...(sessionId === undefined ? {} : { sessionId }),
        // An outcome set by the adapter takes precedence. Every other code means that a check failed
        // before the write.
        ...(kind === 'write' ? { outcome: error.code === 'STORE_UNAVAILABLE' ? 'unknown' : 'not-stored' } : {}),
      })
    }
  }

  #checkOpen(): void {
    if (this.#state === 'closing' || this.#state === 'closed') {
      throw new TurnstoreError('STORE_CLOSED', `The store is ${this.#state}; open a new one`)
    }
  }

  /** Opens the store. For a write, a failure means that nothing was written. */
  #opened(kind: 'read' | 'write'): Promise<void> {
    return kind === 'write' ? withOutcome('not-stored', () => this.#open()) : this.#open()
  }

  #open(): Promise<void> {
    this.#opening ??= this.#openStore().then(
      () => {
        if (this.#state === 'new') this.#state = 'ready'
      },
      (error: unknown) => {
        this.#opening = null
        throw backendError(error)
      },
    )
    return this.#opening
  }
}

/** A getter or a Proxy in the arguments may throw an error that quotes data. It is replaced. */
function prepareSafely<T>(prepare: () => T): T {
  try {
    return prepare()
  } catch (error) {
    if (isTurnstoreError(error)) throw error
    throw new TurnstoreError('INVALID_ARGUMENT', 'An argument threw when it was read')
  }
}

/** Runs `work` now, and returns or throws its result later, when an iteration starts. */
export function attempt<T>(work: () => T): () => T {
  try {
    const result = prepareSafely(work)
    return () => result
  } catch (error) {
    return () => {
      throw backendError(error)
    }
  }
}

/** An iteration that is made when it begins. If that throws, the first step of the iteration rejects. */
export function later<T>(begin: () => AsyncIterable<T>): AsyncIterable<T> {
  return {
    [Symbol.asyncIterator]() {
      try {
        return begin()[Symbol.asyncIterator]()
      } catch (error) {
        return { next: () => Promise.reject(error) }
      }
    },
  }
}
