/** Runs tasks one at a time, in order of arrival. */
export class Mutex {
  #last: Promise<unknown> = Promise.resolve()

  run<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work, work)
    // A failure is reported to its own caller, and the next task runs anyway.
    this.#last = result.catch(() => undefined)
    return result
  }
}
