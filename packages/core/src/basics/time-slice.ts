import { monotonicNow, nextTurn } from './runtime.js'

/**
 * Long work that yields to the event loop every few milliseconds.
 *
 * @example
 * const slice = new TimeSlice()
 * for (const row of rows) {
 *   if (slice.isOver) await slice.yield()
 *   read(row)
 * }
 */
export class TimeSlice {
  readonly #milliseconds: number
  #end: number

  /** @param milliseconds the longest stretch of work before others run */
  constructor(milliseconds = 5) {
    this.#milliseconds = milliseconds
    this.#end = monotonicNow() + milliseconds
  }

  get isOver(): boolean {
    return monotonicNow() > this.#end
  }

  /** Lets other work run, then begins the next slice. */
  async yield(): Promise<void> {
    await nextTurn()
    this.#end = monotonicNow() + this.#milliseconds
  }
}
