import { sameJson } from '../basics/json.js'
import { encodeItem, encodeToolCall } from '../records/encode-record.js'
import type { PartCounts, PartList, Parts, ToolCallRecord, TurnHead, TurnRecord } from '../records/models.js'
import { idOfPart } from '../records/part-ids.js'
import { partBytes, turnBytes } from '../records/part-sizes.js'
import { isRetryOfTurn, hasBegunAs, samePart, sameTurn } from '../records/same-record.js'

export type Part = Parts[PartList]

/** A stored part of a turn, as {@link TurnView} finds it. */
export interface StoredPart {
  /** Where it is in its list: larger than the places of all parts before it. There may be gaps. */
  readonly place: number
  /** Its size in bytes of UTF-8 JSON. */
  readonly bytes: number
  /** Whether this part equals it. */
  equals(part: Part): boolean
  /** Whether it is a finished call with another name or other arguments. */
  isOtherCall(call: ToolCallRecord): boolean
}

/**
 * What a change of a turn needs to know of it. An adapter can answer with indexed reads, so that a change costs what it
 * changes, whatever the turn holds.
 */
export interface TurnView {
  readonly index: number
  readonly head: TurnHead
  readonly partCounts: PartCounts
  /** Its size in bytes, as the limits count it. Asked only if the turn changes. */
  readonly bytes: number
  /** An upper bound of its size, if the store does not need to know the size exactly. */
  readonly bytesAtMost?: number
  /** The parts with an id, in their order. Old records may have an id twice. */
  findParts(list: PartList, id: string): readonly StoredPart[]
  /** How many parts are at this place and after it. Asked only if a change removes a part and adds it again. */
  countFrom(list: PartList, place: number): number
  /** The turn with all its parts. Asked only if a turn is appended that may be this one again. */
  whole(): TurnRecord
}

/** The view of a turn that is at hand as a whole. The places are indexes. */
export function turnViewOf(turn: TurnRecord, index: number): TurnView {
  return new WholeTurnView(turn, index)
}

class WholeTurnView implements TurnView {
  readonly index: number
  readonly #turn: TurnRecord

  constructor(turn: TurnRecord, index: number) {
    this.index = index
    this.#turn = turn
  }

  get head(): TurnHead {
    return this.#turn
  }

  get partCounts(): PartCounts {
    const { toolCalls, items } = this.#turn
    return { toolCalls: toolCalls.length, items: items.length }
  }

  get bytes(): number {
    return turnBytes(this.#turn)
  }

  findParts(list: PartList, id: string): StoredPart[] {
    const found: StoredPart[] = []
    this.#turn[list].forEach((part, place) => {
      if (idOfPart(part) === id) found.push(storedPart(part, place))
    })
    return found
  }

  countFrom(list: PartList, place: number): number {
    return this.#turn[list].length - place
  }

  whole(): TurnRecord {
    return this.#turn
  }
}

/** A part that is at hand. */
export function storedPart(stored: Part, place: number): StoredPart {
  return {
    place,
    get bytes() {
      return partBytes(stored)
    },
    equals: part => samePart(stored, part),
    isOtherCall: call => isOtherCall(stored, call),
  }
}

/** Whether a stored part is a finished call with another name or other arguments than `call`. */
export function isOtherCall(stored: Part, call: ToolCallRecord): boolean {
  return (
    'callId' in stored &&
    stored.status !== 'running' &&
    (stored.toolName !== call.toolName || !sameJson(stored.arguments, call.arguments))
  )
}

/** {@link isRetryOfTurn}, which reads the parts only if they can decide. */
export function isRetryOfView(view: TurnView, incoming: TurnRecord): boolean {
  const { head, partCounts } = view
  if (hasBegunAs(head, incoming)) return true
  const { toolCalls, items } = incoming
  if (partCounts.toolCalls !== toolCalls.length || partCounts.items !== items.length) return false
  return (
    sameTurn({ ...head, toolCalls: [], items: [] }, { ...incoming, toolCalls: [], items: [] }) &&
    isRetryOfTurn(view.whole(), incoming)
  )
}

/** The wire JSON of a part. */
export function partJson(part: Part): string {
  return JSON.stringify('callId' in part ? encodeToolCall(part) : encodeItem(part))
}
