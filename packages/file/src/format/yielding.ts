import { setImmediate } from 'node:timers/promises'

/** Longest stretch of work before others get their turn, in milliseconds. */
const SLICE_MS = 5

/** Work that is cut into slice, so that the event loop does not stand still however long it takes. */
export class TimeSlice {
  #end = performance.now() + SLICE_MS

  get isOver(): boolean {
    return performance.now() > this.#end
  }

  /** Lets others run. */
  async next(): Promise<void> {
    await setImmediate()
    this.#end = performance.now() + SLICE_MS
  }
}
