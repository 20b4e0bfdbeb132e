import { type Caller, type Operation, type Outcome, perform } from './operations.js'
import type { Call } from './single-order.js'

/** Records calls, with one clock for all callers in this process. */
export class Recording {
  readonly calls: Call[] = []
  #moments = 0
  readonly #places = new Map<string, number>()

  now(): number {
    return ++this.#moments
  }

  /** Makes and records a call. A caller makes one call after the other. */
  async record(who: string, operation: Operation, call: Caller): Promise<Outcome> {
    const began = this.now()
    const outcome = await perform(operation, call)
    this.add(who, operation, began, outcome)
    return outcome
  }

  /** Records the end of a call. */
  add(who: string, operation: Operation, began: number, outcome: Outcome): void {
    const place = this.#places.get(who) ?? 0
    this.#places.set(who, place + 1)
    const ended = outcome.kind === 'unknown' ? Infinity : this.now()
    this.calls.push({ who, place, operation, outcome, began, ended })
  }
}
