import { monotonicNow, sleep } from '../basics/runtime.js'

/**
 * Waiting between attempts: full jitter under a bound that doubles, so that writers who met once do
 * not meet again, until a deadline.
 */
export class Backoff {
  readonly #deadline: number
  readonly #longestMs: number
  #bound = 1

  /** @param longestMs the longest of the pauses */
  constructor(timeoutMs: number, longestMs = 64) {
    this.#deadline = monotonicNow() + timeoutMs
    this.#longestMs = longestMs
  }

  /** Waits, or gives false at once when the deadline has passed. */
  async wait(): Promise<boolean> {
    const left = this.#deadline - monotonicNow()
    if (left <= 0) return false
    await sleep(Math.min(left, Math.random() * this.#bound))
    this.#bound = Math.min(this.#bound * 2, this.#longestMs)
    return true
  }
}
