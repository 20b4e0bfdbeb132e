/** Lets one after the other in, in the order in which they came. */
export class Mutex {
  #last: Promise<unknown> = Promise.resolve()

  run<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work, work)
    // The next one waits for this one, whatever becomes of it; its failure is its caller's.
    this.#last = result.catch(() => undefined)
    return result
  }
}
