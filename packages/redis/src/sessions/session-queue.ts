/**
 * Changes of one session by this process that have to read before they write. One after the other they
 * do not overtake each other, so only those of other processes can.
 */
export class SessionQueue {
  readonly #tails = new Map<string, Promise<unknown>>()

  /** Whether something is under way or waits. */
  isBusy(sessionId: string): boolean {
    return this.#tails.has(sessionId)
  }

  async run<T>(sessionId: string, work: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(sessionId)
    const turn = before === undefined ? work() : before.then(work, work)
    this.#tails.set(sessionId, turn)
    try {
      return await turn
    } finally {
      if (this.#tails.get(sessionId) === turn) this.#tails.delete(sessionId)
    }
  }
}
