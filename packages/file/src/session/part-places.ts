import { idOfPart, type Part } from '@turnstore/core/adapter'
import type { PartsChange } from '../format/journal-entry.js'
import type { PartPlace } from './turn-places.js'

/**
 * Where the parts of one list are, with an index of their ids. A part keeps its number when another is removed, so a
 * step costs the same however long the list is. A part takes about 150 bytes of memory, whatever its size.
 */
export class PartPlaces<P extends Part> {
  /** By number. A removed part leaves a gap. */
  #ids: (string | null)[] = []
  #places: (PartPlace<P> | null)[] = []
  #count = 0
  /** The number of each id, or all its numbers, ascending, where an old record has it twice. Made with the first step. */
  #numbers: Map<string, number | readonly number[]> | null = null

  get count(): number {
    return this.#count
  }

  /** @param places of these parts, in their order */
  add(parts: readonly P[], places: readonly PartPlace<P>[]): void {
    parts.forEach((part, index) => this.#push(idOfPart(part), places[index] ?? { part }))
  }

  /** @param places of the parts that are put */
  apply({ remove, put }: PartsChange<P>, places: readonly PartPlace<P>[]): void {
    for (const id of remove) {
      const [first, ...others] = this.find(id)
      if (first === undefined) continue
      this.#ids[first] = null
      this.#places[first] = null
      this.#count--
      if (others.length === 0) this.#index().delete(id)
      else this.#index().set(id, others)
    }
    put.forEach((part, index) => {
      const id = idOfPart(part)
      const place = places[index] ?? { part }
      const last = this.find(id).at(-1)
      if (last === undefined) this.#push(id, place)
      else this.#places[last] = place
    })
  }

  #push(id: string, place: PartPlace<P>): void {
    const number = this.#ids.push(id) - 1
    this.#places.push(place)
    this.#count++
    if (this.#numbers !== null) this.#addNumber(this.#numbers, id, number)
  }

  /** The numbers of the parts with this id, ascending. */
  find(id: string): readonly number[] {
    const known = this.#index().get(id) ?? []
    return typeof known === 'number' ? [known] : known
  }

  #index(): Map<string, number | readonly number[]> {
    if (this.#numbers === null) {
      const numbers = new Map<string, number | readonly number[]>()
      this.#ids.forEach((id, number) => {
        if (id !== null) this.#addNumber(numbers, id, number)
      })
      this.#numbers = numbers
    }
    return this.#numbers
  }

  #addNumber(numbers: Map<string, number | readonly number[]>, id: string, number: number): void {
    const known = numbers.get(id)
    if (known === undefined) numbers.set(id, number)
    else numbers.set(id, [...(typeof known === 'number' ? [known] : known), number])
  }

  idOf(number: number): string | null {
    return this.#ids[number] ?? null
  }

  placeOf(number: number): PartPlace<P> | null {
    return this.#places[number] ?? null
  }

  /** How many parts have this number or a higher one. */
  countFrom(number: number): number {
    let count = 0
    for (let at = number; at < this.#ids.length; at++) if (this.#ids[at] !== null) count++
    return count
  }

  /** The places of the parts with these indexes, which do not count gaps. */
  slice(first = 0, end: number = this.#count): PartPlace<P>[] {
    if (this.#count < this.#ids.length) this.#closeGaps()
    return this.#places.slice(first, end).filter(place => place !== null)
  }

  #closeGaps(): void {
    this.#ids = this.#ids.filter(id => id !== null)
    this.#places = this.#places.filter(place => place !== null)
    this.#numbers = null
  }

  /** Changes the place of each part that has not been replaced since. */
  move(from: readonly PartPlace<P>[], to: readonly PartPlace<P>[]): void {
    const moved = new Map(from.map((place, index) => [place, to[index]]))
    this.#places = this.#places.map(place => (place === null ? null : (moved.get(place) ?? place)))
  }
}
