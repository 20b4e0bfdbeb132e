import { isOtherCall, type Part, type StoredPart, type TurnView } from '../../changes/turn-view.js'
import { utf8Length } from '../../basics/text.js'
import type { PartCounts, PartList, ToolCallRecord, TurnHead, TurnRecord } from '../../records/models.js'
import { samePart } from '../../records/same-record.js'
import { count, type Row, text } from './columns.js'
import { countsOf, readPart } from './stored-turns.js'

/** What a change may ask about an opened turn. Each answer is one indexed read. */
export interface OpenTurnSource {
  head(): TurnHead
  /** The parts with an id, by place, with `seq`, `place`, `part_id` and `body`. */
  partsWithId(list: PartList, partId: string): readonly Row[]
  /** How many parts are at a place and after it. */
  countFrom(list: PartList, place: number): number
  whole(): TurnRecord
}

/** An opened turn as `planChange` asks about it. What it asks is read then, so it costs what it is. */
export class OpenTurnView implements TurnView {
  readonly index: number
  readonly partCounts: PartCounts
  readonly bytes: number
  readonly #source: OpenTurnSource
  #head: TurnHead | null = null

  /** @param row `seq`, `tool_calls`, `items`, `bytes` */
  constructor(row: Row, source: OpenTurnSource) {
    this.index = count(row, 'seq')
    this.partCounts = countsOf(row)
    this.bytes = count(row, 'bytes')
    this.#source = source
  }

  get head(): TurnHead {
    return (this.#head ??= this.#source.head())
  }

  findParts(list: PartList, id: string): readonly StoredPart[] {
    return this.#source.partsWithId(list, id).map(row => new RowPart(list, row))
  }

  countFrom(list: PartList, place: number): number {
    return this.#source.countFrom(list, place)
  }

  whole(): TurnRecord {
    return this.#source.whole()
  }
}

/** A part that is decoded when it is compared. */
class RowPart implements StoredPart {
  readonly place: number
  readonly #list: PartList
  readonly #row: Row
  #part: Part | null = null

  constructor(list: PartList, row: Row) {
    this.place = count(row, 'place')
    this.#list = list
    this.#row = row
  }

  get bytes(): number {
    return utf8Length(text(this.#row, 'body'))
  }

  get #stored(): Part {
    return (this.#part ??= readPart(this.#list, this.#row))
  }

  equals(part: Part): boolean {
    return samePart(this.#stored, part)
  }

  isOtherCall(call: ToolCallRecord): boolean {
    return isOtherCall(this.#stored, call)
  }
}
