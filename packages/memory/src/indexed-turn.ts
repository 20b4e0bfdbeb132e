import type { PartCounts, PartList, ToolCallRecord, TurnHead, TurnItem, TurnRecord } from '@turnstore/core'
import { type StoredPart, turnBytes, type TurnPlan, type TurnView } from '@turnstore/core/adapter'
import { IndexedParts } from './indexed-parts.js'

/** A turn whose parts are indexed. */
export class IndexedTurn {
  #head: TurnHead
  readonly toolCalls: IndexedParts<ToolCallRecord>
  readonly items: IndexedParts<TurnItem>
  /** Measured with the first step. */
  #bytes: number | null = null

  /** Takes ownership of the turn. */
  constructor({ toolCalls, items, ...head }: TurnRecord) {
    this.#head = head
    this.toolCalls = new IndexedParts(toolCalls)
    this.items = new IndexedParts(items)
  }

  get head(): TurnHead {
    return this.#head
  }

  get partCounts(): PartCounts {
    return { toolCalls: this.toolCalls.count, items: this.items.count }
  }

  get bytes(): number {
    return (this.#bytes ??= turnBytes(this.record()))
  }

  /** The turn as a record, which shares its values. */
  record(): TurnRecord {
    return { ...this.#head, toolCalls: this.toolCalls.all(), items: this.items.all() }
  }

  /** The turn as {@link TurnView}, at this index. */
  viewAt(index: number): TurnView {
    return {
      index,
      head: this.#head,
      partCounts: this.partCounts,
      bytes: this.bytes,
      findParts: (list: PartList, id: string): readonly StoredPart[] => this[list].find(id),
      countFrom: (list, place) => this[list].countFrom(place),
      whole: () => this.record(),
    }
  }

  /** Takes ownership of the records of the plan. */
  apply({ head, toolCalls, items, bytes }: TurnPlan): void {
    if (head !== undefined) this.#head = head
    this.toolCalls.apply(toolCalls)
    this.items.apply(items)
    this.#bytes = bytes
  }
}
