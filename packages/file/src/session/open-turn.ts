import type { PartCounts, ToolCallRecord, TurnItem, TurnRecord } from '@turnstore/core'
import type { Part, PartsPlan, TurnPlan } from '@turnstore/core/adapter'
import type { PartsChange, TurnChange } from '../format/journal-entry.js'
import { PartPlaces } from './part-places.js'
import type { HeadPlace, PartPlace, TurnPieces, WrittenPieces } from './turn-places.js'

/** Where the pieces of a turn are. */
export interface PiecePlaces {
  readonly head: HeadPlace
  readonly toolCalls: readonly PartPlace<ToolCallRecord>[]
  readonly items: readonly PartPlace<TurnItem>[]
}

/** Where those of a change are, and how much it adds at most to the size of the turn. */
export type ChangedPlaces = Omit<PiecePlaces, 'head'> & { readonly head: HeadPlace | null; readonly bytes: number }

/** A turn whose head and parts have places of their own, so that a step looks at none but its own parts. */
export class OpenTurn {
  readonly turnId: string
  head: HeadPlace
  readonly toolCalls: PartPlaces<ToolCallRecord> = new PartPlaces()
  readonly items: PartPlaces<TurnItem> = new PartPlaces()
  /** An upper bound of its size as the limits count it. */
  bytesAtMost: number

  /** @param places of the head, and of the parts in their order; a part without a place stays in memory */
  constructor({ turnId, toolCalls, items }: TurnRecord, places: PiecePlaces, bytesAtMost: number) {
    this.turnId = turnId
    this.head = places.head
    this.toolCalls.add(toolCalls, places.toolCalls)
    this.items.add(items, places.items)
    this.bytesAtMost = bytesAtMost
  }

  get partCounts(): PartCounts {
    return { toolCalls: this.toolCalls.count, items: this.items.count }
  }

  apply({ toolCalls, items }: TurnChange, places: ChangedPlaces): void {
    this.toolCalls.apply(toolCalls, places.toolCalls)
    this.items.apply(items, places.items)
    if (places.head !== null) this.head = places.head
    this.bytesAtMost += places.bytes
  }

  /** What a plan does to it, as the journal has it. */
  changeOf({ turnId, head, toolCalls, items }: TurnPlan): TurnChange {
    return { turnId, head, toolCalls: changeOf(this.toolCalls, toolCalls), items: changeOf(this.items, items) }
  }

  pieces(): TurnPieces {
    const { turnId, head } = this
    return { turnId, head, toolCalls: this.toolCalls.slice(), items: this.items.slice() }
  }

  /** Whether it is as these pieces are. */
  isStill(pieces: TurnPieces): boolean {
    const { head, toolCalls, items } = this.pieces()
    return head === pieces.head && areSame(toolCalls, pieces.toolCalls) && areSame(items, pieces.items)
  }

  /** Switches to the document to which these pieces were written. What changed since stays where it is. */
  move(from: TurnPieces, to: WrittenPieces): void {
    if (this.head === from.head) this.head = { places: to.head }
    this.toolCalls.move(from.toolCalls, to.toolCalls)
    this.items.move(from.items, to.items)
  }
}

function changeOf<P extends Part>(parts: PartPlaces<P>, { removed, replaced, added }: PartsPlan<P>): PartsChange<P> {
  return {
    remove: removed.flatMap(({ place }) => parts.idOf(place) ?? []),
    put: [...replaced, ...added].map(({ part }) => part),
  }
}

function areSame(a: readonly PartPlace[], b: readonly PartPlace[]): boolean {
  return a.length === b.length && a.every((place, index) => place === b[index])
}
