/** A caller that waits for its work to be done. */
export interface Waiting {
  readonly reject: (error: unknown) => void
}

/**
 * Group commit: work that waits at the same time is done together. What the work is, and what it costs, is up to the
 * owner of the queue.
 */
export class BatchQueue<Work extends Waiting> {
  readonly #most: number
  readonly #perform: (take: () => Work[]) => Promise<void>
  readonly #whenEmpty: () => void
  readonly #waiting: Work[] = []
  #draining: Promise<void> | null = null

  /**
   * @param most the most work that is done together
   * @param perform gets ready, calls `take` once, and does what it returns. If it throws before, the work that waited
   *   when it began is rejected; if it throws after, what it took
   */
  constructor(most: number, perform: (take: () => Work[]) => Promise<void>, whenEmpty: () => void = () => {}) {
    this.#most = most
    this.#perform = perform
    this.#whenEmpty = whenEmpty
  }

  /** Resolves when the queue is empty. Null if it is. */
  get drained(): Promise<void> | null {
    return this.#draining
  }

  add(work: Work): void {
    this.#waiting.push(work)
    this.#draining ??= this.#drain()
  }

  async #drain(): Promise<void> {
    // Lets `add` set #draining first. Below, it must be reset in the same tick in which the queue was found empty, or
    // work that is added in between would wait forever.
    await Promise.resolve()
    while (this.#waiting.length > 0) await this.#performNext(this.#waiting.length)
    this.#draining = null
    this.#whenEmpty()
  }

  async #performNext(waitedFromTheStart: number): Promise<void> {
    let taken: Work[] | null = null
    try {
      await this.#perform(() => (taken = this.#waiting.splice(0, this.#most)))
    } catch (error) {
      for (const { reject } of taken ?? this.#waiting.splice(0, waitedFromTheStart)) reject(error)
    }
  }
}
