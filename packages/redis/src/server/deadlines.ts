/** A call that is waited for. */
interface Waiting {
  readonly deadline: number
  readonly expire: () => void
}

/** Ends calls at their deadlines, with one timer for all: nearly every call is over long before. */
export class Deadlines {
  readonly #waiting = new Set<Waiting>()
  #timer: NodeJS.Timeout | null = null
  /** When the timer fires, on the clock of `performance.now`. */
  #due = Infinity

  /** Calls `expire` at the deadline. Returns a function that prevents it. */
  add(deadline: number, expire: () => void): () => void {
    const waiting = { deadline, expire }
    this.#waiting.add(waiting)
    if (deadline < this.#due) this.#arm(deadline)
    else if (this.#waiting.size === 1) this.#timer?.ref()
    return () => {
      // Nothing to wait for must not keep the process alive.
      if (this.#waiting.delete(waiting) && this.#waiting.size === 0) this.#timer?.unref()
    }
  }

  #arm(deadline: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#due = deadline
    this.#timer = setTimeout(() => this.#fire(), Math.max(1, deadline - performance.now()))
  }

  #fire(): void {
    const now = performance.now()
    this.#timer = null
    this.#due = Infinity
    let next = Infinity
    for (const waiting of this.#waiting) {
      if (waiting.deadline <= now) {
        this.#waiting.delete(waiting)
        waiting.expire()
      } else next = Math.min(next, waiting.deadline)
    }
    if (next < this.#due) this.#arm(next)
  }
}
