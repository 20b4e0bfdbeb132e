import type { PartCounts, PartList, Parts, TurnHead, TurnRecord } from '@turnstore/core'
import { type StoredPart, turnBytes, type TurnPlan, type TurnView } from '@turnstore/core/adapter'
import { IndexedParts } from './indexed-parts.js'

/** A turn whose parts are indexed. */
export class IndexedTurn {
  #head: TurnHead
  readonly parts: { readonly [List in PartList]: IndexedParts<Parts[List]> }
  /** An upper bound of its size. Measured with the first step, and when it comes near the limit. */
  #bytesAtMost: number | null = null

  /** Takes ownership of the turn. */
  constructor({ toolCalls, items, ...head }: TurnRecord) {
    this.#head = head
    this.parts = { toolCalls: new IndexedParts(toolCalls), items: new IndexedParts(items) }
  }

  get head(): TurnHead {
    return this.#head
  }

  get partCounts(): PartCounts {
    return { toolCalls: this.parts.toolCalls.count, items: this.parts.items.count }
  }

  /** The turn as a record, which shares its values. */
  record(): TurnRecord {
    return { ...this.#head, toolCalls: this.parts.toolCalls.all(), items: this.parts.items.all() }
  }

  /** The turn as {@link TurnView}, at this index. */
  viewAt(index: number): TurnView {
    const measured = (): number => turnBytes(this.record())
    this.#bytesAtMost ??= measured()
    return {
      index,
      head: this.#head,
      partCounts: this.partCounts,
      get bytes() {
        return measured()
      },
      bytesAtMost: this.#bytesAtMost,
      findParts: (list: PartList, id: string): readonly StoredPart[] => this.parts[list].find(id),
      countFrom: (list, place) => this.parts[list].countFrom(place),
      whole: () => this.record(),
    }
  }

  /** Takes ownership of the records of the plan. */
  apply({ head, toolCalls, items, bytesAtMost }: TurnPlan): void {
    if (head !== undefined) this.#head = head
    this.parts.toolCalls.apply(toolCalls)
    this.parts.items.apply(items)
    this.#bytesAtMost = bytesAtMost
  }
}
