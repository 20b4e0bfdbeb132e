/**
 * Runs the changes of a session that read before they write one at a time. So they lose only to changes by other
 * processes.
 */
export class SessionQueue {
  readonly #tails = new Map<string, Promise<unknown>>()

  /** Whether a change is running or waiting. */
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
