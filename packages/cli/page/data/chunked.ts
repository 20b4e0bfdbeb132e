import type { ErrorAnswer } from '../../src/inspector/answers.ts'
import { problemOf } from './api.ts'

interface Page<T> {
  readonly items: readonly T[]
  readonly firstIndex: number
  readonly count: number
}

/** A long list of the server, read in chunks as they come into view. */
export class Chunked<T> {
  count: number
  problem: ErrorAnswer | null = null
  readonly #items = new Map<number, T>()
  readonly #loading = new Set<number>()
  readonly read: (from: number, limit: number) => Promise<Page<T>>
  readonly #size: number
  readonly #changed: () => void

  constructor(
    count: number,
    size: number,
    changed: () => void,
    read: (from: number, limit: number) => Promise<Page<T>>,
  ) {
    this.count = count
    this.#size = size
    this.#changed = changed
    this.read = read
  }

  /** The item, or undefined until it is read. */
  at(index: number): T | undefined {
    const item = this.#items.get(index)
    if (item === undefined && index < this.count) void this.#load(Math.floor(index / this.#size) * this.#size)
    return item
  }

  /** The index of the first item that is read and meets the condition, or the count. */
  firstRead(condition: (item: T) => boolean): number {
    let first = this.count
    for (const [index, item] of this.#items) if (index < first && condition(item)) first = index
    return first
  }

  /** Reads again from an index on, as far as one chunk goes. What is further is read when it comes into view. */
  async refresh(from: number): Promise<void> {
    try {
      const page = await this.read(from, this.#size)
      for (const index of this.#items.keys()) if (index >= from + page.items.length) this.#items.delete(index)
      this.#take(page)
    } catch (error) {
      this.problem = problemOf(error)
      this.#changed()
    }
  }

  retry(): void {
    this.problem = null
    this.#loading.clear()
    this.#changed()
  }

  async #load(from: number): Promise<void> {
    // What failed is not tried again until the reader says so.
    if (this.#loading.has(from) || this.problem !== null) return
    this.#loading.add(from)
    try {
      this.#take(await this.read(from, this.#size))
    } catch (error) {
      this.problem = problemOf(error)
      this.#changed()
    } finally {
      this.#loading.delete(from)
    }
  }

  #take({ items, firstIndex, count }: Page<T>): void {
    for (const [index, item] of items.entries()) this.#items.set(firstIndex + index, item)
    this.count = count
    this.problem = null
    this.#changed()
  }
}
