/** Runs the tasks of one key one at a time, in order of arrival. Tasks of different keys run side by side. */
export class KeyedMutex {
  readonly #tails = new Map<string, Promise<unknown>>()

  /** Whether a task of this key is running or waiting. */
  isBusy(key: string): boolean {
    return this.#tails.has(key)
  }

  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(key)
    const task = before === undefined ? work() : before.then(work, work)
    this.#tails.set(key, task)
    try {
      return await task
    } finally {
      if (this.#tails.get(key) === task) this.#tails.delete(key)
    }
  }
}
