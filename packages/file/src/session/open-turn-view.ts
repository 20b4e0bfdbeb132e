import type { PartCounts, PartList, ToolCallRecord, TurnHead, TurnRecord } from '@turnstore/core'
import { type Part, type StoredPart, storedPart, turnBytes, type TurnView } from '@turnstore/core/adapter'
import { type SyncReader, toItem, toToolCall } from './assemble-turns.js'
import type { OpenTurn } from './open-turn.js'
import type { PartPlaces } from './part-places.js'

/** An open turn, as a change looks at it. Reads only the parts whose ids the change names. */
export class OpenTurnView implements TurnView {
  readonly index: number
  readonly #turn: OpenTurn
  readonly #head: () => TurnHead
  readonly #reader: SyncReader

  constructor(index: number, turn: OpenTurn, head: () => TurnHead, reader: SyncReader) {
    this.index = index
    this.#turn = turn
    this.#head = head
    this.#reader = reader
  }

  get head(): TurnHead {
    return this.#head()
  }

  get partCounts(): PartCounts {
    return this.#turn.partCounts
  }

  get bytesAtMost(): number {
    return this.#turn.bytesAtMost
  }

  get bytes(): number {
    const turn = this.#turn
    turn.bytesAtMost = turnBytes(this.whole())
    return turn.bytesAtMost
  }

  findParts(list: PartList, id: string): StoredPart[] {
    return list === 'items'
      ? this.#find(this.#turn.items, id, toItem)
      : this.#find(this.#turn.toolCalls, id, toToolCall)
  }

  #find<P extends Part>(parts: PartPlaces<P>, id: string, decode: (value: unknown) => P): StoredPart[] {
    return parts.find(id).flatMap(number => {
      const place = parts.placeOf(number)
      return place === null ? [] : [new PlacedPart(number, () => this.#reader.part(place, decode))]
    })
  }

  countFrom(list: PartList, place: number): number {
    return this.#turn[list].countFrom(place)
  }

  /** A function of its own, which may be called without the view. */
  readonly whole = (): TurnRecord => this.#reader.turn(this.#turn.pieces())
}

/** A part that is read when its content is asked for. */
class PlacedPart implements StoredPart {
  readonly place: number
  readonly #read: () => Part
  #known: StoredPart | null = null

  constructor(place: number, read: () => Part) {
    this.place = place
    this.#read = read
  }

  get bytes(): number {
    return this.#part.bytes
  }

  equals(part: Part): boolean {
    return this.#part.equals(part)
  }

  isOtherCall(call: ToolCallRecord): boolean {
    return this.#part.isOtherCall(call)
  }

  get #part(): StoredPart {
    return (this.#known ??= storedPart(this.#read(), this.place))
  }
}
