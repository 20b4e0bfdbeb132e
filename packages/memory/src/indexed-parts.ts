import { idOfPart, type Part, type PartsPlan, type StoredPart, storedPart } from '@turnstore/core/adapter'

/** A list of parts with an index of their ids, so that the cost of a step does not grow with the list. */
export class IndexedParts<P extends Part> {
  /** By place. A removed part leaves a gap, so that no other part moves. */
  #parts: (P | null)[]
  #count: number
  /** The place of each id, or all its places, ascending, where an old record has it twice. Built with the first step. */
  #places: Map<string, number | number[]> | null = null

  /** Takes ownership of the parts. */
  constructor(parts: P[]) {
    this.#parts = parts
    this.#count = parts.length
  }

  get count(): number {
    return this.#count
  }

  /** All of them, in their order. */
  all(): P[] {
    return this.#parts.filter(part => part !== null)
  }

  /** The parts with these indexes. */
  slice(first: number, end: number): P[] {
    if (this.#count < this.#parts.length) this.#closeGaps()
    return this.#parts.slice(first, end).filter(part => part !== null)
  }

  find(id: string): StoredPart[] {
    return this.#placesOf(id).flatMap(place => {
      const part = this.#parts[place]
      return part === null || part === undefined ? [] : [storedPart(part, place)]
    })
  }

  #placesOf(id: string): readonly number[] {
    const known = this.#index().get(id) ?? []
    return typeof known === 'number' ? [known] : known
  }

  countFrom(place: number): number {
    return this.#parts.slice(place).filter(part => part !== null).length
  }

  /** Takes ownership of the parts of the plan. */
  apply({ removed, replaced, added }: PartsPlan<P>): void {
    for (const { place, part } of replaced) this.#parts[place] = part
    for (const { place } of removed) this.#remove(place)
    for (const { part } of added) this.#add(part)
  }

  #remove(place: number): void {
    const part = this.#parts[place]
    if (part === null || part === undefined) return
    const id = idOfPart(part)
    const places = this.#placesOf(id).filter(other => other !== place)
    if (places.length === 0) this.#index().delete(id)
    else this.#index().set(id, places)
    this.#parts[place] = null
    this.#count--
  }

  #add(part: P): void {
    const place = this.#parts.push(part) - 1
    this.#count++
    if (this.#places !== null) addPlace(this.#places, part, place)
  }

  #index(): Map<string, number | number[]> {
    if (this.#places === null) {
      this.#places = new Map()
      for (const [place, part] of this.#parts.entries()) if (part !== null) addPlace(this.#places, part, place)
    }
    return this.#places
  }

  #closeGaps(): void {
    this.#parts = this.all()
    this.#places = null
  }
}

function addPlace(places: Map<string, number | number[]>, part: Part, place: number): void {
  const id = idOfPart(part)
  const known = places.get(id)
  if (known === undefined) places.set(id, place)
  else if (typeof known === 'number') places.set(id, [known, place])
  else known.push(place)
}
