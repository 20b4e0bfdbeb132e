import { monotonicNow, sleep } from '../basics/runtime.js'

/**
 * Exponential backoff with full jitter, until a deadline. The jitter keeps two writers that collided
 * from colliding again.
 */
export class Backoff {
  readonly #deadline: number
  readonly #longestMs: number
  #bound = 1

  /** @param longestMs upper bound of a single pause, in milliseconds */
  constructor(timeoutMs: number, longestMs = 64) {
    this.#deadline = monotonicNow() + timeoutMs
    this.#longestMs = longestMs
  }

  /** Waits and resolves to true. After the deadline it resolves to false at once. */
  async wait(): Promise<boolean> {
    const left = this.#deadline - monotonicNow()
    if (left <= 0) return false
    await sleep(Math.min(left, Math.random() * this.#bound))
    this.#bound = Math.min(this.#bound * 2, this.#longestMs)
    return true
  }
}
