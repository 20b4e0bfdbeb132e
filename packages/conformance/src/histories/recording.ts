import { type Caller, type Operation, type Outcome, perform } from './operations.js'
import type { Call } from './single-order.js'

/** Where calls are written down as they are made, with one clock for all callers of this process. */
export class Recording {
  readonly calls: Call[] = []
  #moments = 0
  readonly #places = new Map<string, number>()

  now(): number {
    return ++this.#moments
  }

  /** Makes a call and writes it down. A caller makes one after the other. */
  async record(who: string, operation: Operation, call: Caller): Promise<Outcome> {
    const began = this.now()
    const outcome = await perform(operation, call)
    this.add(who, operation, began, outcome)
    return outcome
  }

  /** Writes down what ends now. */
  add(who: string, operation: Operation, began: number, outcome: Outcome): void {
    const place = this.#places.get(who) ?? 0
    this.#places.set(who, place + 1)
    const ended = outcome.kind === 'unknown' ? Infinity : this.now()
    this.calls.push({ who, place, operation, outcome, began, ended })
  }
}
