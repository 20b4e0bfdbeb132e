import type { JsonObject } from '@turnstore/core'
import { canonicalJson } from '@turnstore/core/adapter'
import type { NewItem } from '../history/plan-addition.js'
import { asStored } from '../items/stored-item.js'

/**
 * The items of a run that are stored before the SDK writes them itself, at the end of the run. It may then write others:
 * what the SDK writes wins.
 */
export class WriteAhead {
  #items: { readonly itemId: string; readonly key: string }[] = []

  get length(): number {
    return this.#items.length
  }

  push(items: readonly NewItem[]): void {
    for (const { itemId, value } of items) this.#items.push({ itemId, key: canonicalJson(value) })
  }

  /** How many of the items that come are there already. */
  countSame(items: readonly JsonObject[]): number {
    const count = this.#items.findIndex(({ key }, index) => {
      const item = items[index]
      return item === undefined || canonicalJson(item) !== key
    })
    return count === -1 ? this.#items.length : count
  }

  /** Forgets the first of them, which the SDK has written by now. */
  settle(count: number): void {
    this.#items = this.#items.slice(count)
  }

  /** Forgets an item that is gone. */
  forget(id: string | null): void {
    this.#items = this.#items.filter(({ itemId }) => itemId !== id)
  }

  /** Forgets all, and returns their ids. */
  take(): Set<string> {
    const ids = new Set(this.#items.map(({ itemId }) => itemId))
    this.#items = []
    return ids
  }
}

/** Items of the model's input that the history does not have. */
export function newAmong(input: readonly JsonObject[], history: readonly JsonObject[]): JsonObject[] {
  const counts = new Map<string, number>()
  for (const item of history) {
    const key = canonicalJson(asStored(item))
    counts.set(key, (counts.get(key) ?? 0) + 1)
  }
  return input.filter(item => {
    const key = canonicalJson(item)
    const count = counts.get(key) ?? 0
    counts.set(key, count - 1)
    return count <= 0
  })
}
