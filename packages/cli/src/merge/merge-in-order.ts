import { type SessionRecord, type SessionStore, type MergeResult, mergeSession } from '@turnstore/core'
import { KeyedMutex } from '@turnstore/core/adapter'

/** The most merges at once. */
const MOST = 64

/** The most input, in bytes, that waits in memory for its merge, beyond one record. */
const MOST_BYTES = 16 * 1024 * 1024

/** The result of a merge. Throws the error of a merge that failed. */
export type Merged = () => MergeResult

interface Running {
  /** Bytes of the input read before it. */
  readonly bytes: number
  readonly finish: () => Promise<void>
}

/**
 * Merges several sessions at once, so that they share the commits of the store. Results are handled in the order of
 * the input, and merges of one session run in that order.
 */
export class MergeInOrder {
  readonly #store: SessionStore
  readonly #answer: (work: Promise<void>) => Promise<void>
  readonly #sessions = new KeyedMutex()
  readonly #running: Running[] = []
  #bytes = 0
  #pending = 0

  /** @param answer watches a wait for the store */
  constructor(store: SessionStore, answer: (work: Promise<void>) => Promise<void>) {
    this.#store = store
    this.#answer = answer
  }

  /**
   * Begins a merge, and waits while too many are running.
   * @param session null for input that is not merged, but is handled in order too
   * @param bytes bytes of the input read so far
   * @throws what `handle` throws, of this or an earlier merge. The merges that had begun are handled before.
   */
  async add(session: SessionRecord | null, bytes: number, handle: (merged: Merged | null) => void): Promise<void> {
    const merging = session === null ? null : outcomeOf(this.#merge(session))
    const isWrite = session !== null
    if (isWrite) this.#pending++
    const finish = async (): Promise<void> => {
      const merged = await merging
      if (isWrite) this.#pending--
      handle(merged)
    }
    this.#running.push({ bytes: this.#bytes, finish })
    this.#bytes = bytes
    while (this.#isFull()) await this.#finishFirst()
  }

  /** The number of merges that began, and whose results were not handled. */
  get pending(): number {
    return this.#pending
  }

  /** Waits for all merges. */
  async finish(): Promise<void> {
    while (this.#running.length > 0) await this.#finishFirst()
  }

  #merge(session: SessionRecord): Promise<MergeResult> {
    return this.#sessions.run(session.sessionId, () => mergeSession(this.#store, session))
  }

  #isFull(): boolean {
    const [first] = this.#running
    return first !== undefined && (this.#running.length >= MOST || this.#bytes - first.bytes > MOST_BYTES)
  }

  async #finishFirst(): Promise<void> {
    try {
      const first = this.#running.shift()
      if (first !== undefined) await this.#answer(first.finish())
    } catch (error) {
      // The others began before, and what they did counts.
      for (const { finish } of this.#running.splice(0)) await finish().catch(() => {})
      throw error
    }
  }
}

async function outcomeOf(merging: Promise<MergeResult>): Promise<Merged> {
  try {
    const result = await merging
    return () => result
  } catch (error) {
    return () => {
      throw error
    }
  }
}
