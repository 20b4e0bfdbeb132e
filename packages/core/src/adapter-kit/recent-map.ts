/** A map of limited size that drops the entry used longest ago. For values that can be found out again. */
export class RecentMap<Value> {
  readonly #entries = new Map<string, Value>()
  readonly #limit: number

  constructor(limit: number) {
    this.#limit = limit
  }

  get(key: string): Value | undefined {
    const value = this.#entries.get(key)
    // Below half the limit nothing is about to be dropped, so the order does not matter.
    if (value !== undefined && this.#entries.size > this.#limit / 2) this.set(key, value)
    return value
  }

  set(key: string, value: Value): void {
    this.#entries.delete(key)
    this.#entries.set(key, value)
    const [oldest] = this.#entries.keys()
    if (this.#entries.size > this.#limit && oldest !== undefined) this.#entries.delete(oldest)
  }

  delete(key: string): void {
    this.#entries.delete(key)
  }

  values(): Iterable<Value> {
    return this.#entries.values()
  }
}
