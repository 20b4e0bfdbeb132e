/**
 * Ids in the order of their places, found in constant time: the turns of a session in memory, by id. Old records may
 * have an id twice.
 */
export class IdPlaces {
  readonly #ids: string[] = []
  /** A number unless the id occurs more than once: half the memory of an array for each. */
  readonly #places = new Map<string, number | number[]>()

  get length(): number {
    return this.#ids.length
  }

  /** Adds an id at the end. */
  push(id: string): void {
    const place = this.#ids.push(id) - 1
    const known = this.#places.get(id)
    if (known === undefined) this.#places.set(id, place)
    else if (typeof known === 'number') this.#places.set(id, [known, place])
    else known.push(place)
  }

  /** The last place with this id among the first `before`, or -1. */
  last(id: string, before: number = this.length): number {
    const known = this.#places.get(id) ?? -1
    if (typeof known === 'number') return known < before ? known : -1
    return known.findLast(place => place < before) ?? -1
  }

  /** The first place with this id, or -1. */
  first(id: string): number {
    const known = this.#places.get(id) ?? -1
    return typeof known === 'number' ? known : (known[0] ?? -1)
  }

  /** Keeps the first `length` places. Costs what it drops. */
  truncate(length: number): void {
    for (const id of this.#ids.splice(length).toReversed()) {
      const known = this.#places.get(id)
      if (typeof known !== 'object') {
        this.#places.delete(id)
        continue
      }
      known.pop()
      const [only] = known
      if (known.length === 1 && only !== undefined) this.#places.set(id, only)
    }
  }
}
