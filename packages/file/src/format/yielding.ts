import { setImmediate } from 'node:timers/promises'

const SLICE_MS = 5

/** Long work that yields to the event loop every few milliseconds. */
export class TimeSlice {
  #end = performance.now() + SLICE_MS

  get isOver(): boolean {
    return performance.now() > this.#end
  }

  /** Lets other work run, then begins the next slice. */
  async yield(): Promise<void> {
    await setImmediate()
    this.#end = performance.now() + SLICE_MS
  }
}
