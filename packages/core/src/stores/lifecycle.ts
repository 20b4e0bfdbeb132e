import { backendError, isTurnstoreError, TurnstoreError, withDetails } from '../basics/errors.js'
import { withOutcome } from '../basics/outcome.js'

/** One public method at work: what it is about, and what is left to do once its arguments are checked. */
export interface Operation<T> {
  readonly sessionId?: string
  run(): Promise<T>
}

/**
 * Opening, serving, closing: the states of a store, and what every public method goes through. It opens
 * the store at the first call, lets `close` wait for the calls under way, refuses those that come later,
 * and turns whatever goes wrong into a `TurnstoreError` that is safe to print.
 */
export class Lifecycle {
  readonly #openStore: () => Promise<void>
  readonly #closeStore: () => Promise<void>
  #state: 'new' | 'ready' | 'closing' | 'closed' = 'new'
  #opening: Promise<void> | null = null
  #closing: Promise<void> | null = null
  readonly #pending = new Set<Promise<unknown>>()

  /**
   * @param openStore called before the first call is served, and again if it failed
   * @param closeStore called once, when no call is under way any more
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
   * Runs one public method: `prepare` at once, so that arguments are copied when the call is made, the
   * rest when the store is ready. Whatever goes wrong becomes a rejection with a `TurnstoreError`,
   * that of a write with an outcome.
   */
  async perform<T>(kind: 'read' | 'write', prepare: () => Operation<T>): Promise<T> {
    let sessionId: string | undefined
    try {
      this.#checkOpen()
      const operation = prepareSafely(prepare)
      sessionId = operation.sessionId
      const result = this.#state === 'ready' ? operation.run() : this.#opened(kind).then(() => operation.run())
      this.#pending.add(result)
      try {
        return await result
      } finally {
        this.#pending.delete(result)
      }
    } catch (thrown) {
      const error = backendError(thrown)
      throw withDetails(error, {
        ...(sessionId === undefined ? {} : { sessionId }),
        // An adapter that knows better says so itself. Everything but a failing backend is a check
        // that failed before anything was written.
        ...(kind === 'write' ? { outcome: error.code === 'STORE_UNAVAILABLE' ? 'unknown' : 'not-stored' } : {}),
      })
    }
  }

  #checkOpen(): void {
    if (this.#state === 'closing' || this.#state === 'closed') {
      throw new TurnstoreError('STORE_CLOSED', `The store is ${this.#state}; open a new one`)
    }
  }

  /** Open, or why not; of a write also that nothing was written. */
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

/** A getter or a Proxy among the arguments may throw, and what it throws may quote anything. */
function prepareSafely<T>(prepare: () => T): T {
  try {
    return prepare()
  } catch (error) {
    if (isTurnstoreError(error)) throw error
    throw new TurnstoreError('INVALID_ARGUMENT', 'An argument threw when it was read')
  }
}

/** Does it now and says later how it went: an iteration reports what is wrong when it begins. */
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
