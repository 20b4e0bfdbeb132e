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

/**
 * The view of a turn that is at hand as a whole. The places are indexes.
 * @param bytesAtMost an upper bound of its size, if one is known: measuring it encodes the turn
 */
export function turnViewOf(turn: TurnRecord, index: number, bytesAtMost?: number): TurnView {
  return new WholeTurnView(turn, index, bytesAtMost)
}

class WholeTurnView implements TurnView {
  readonly index: number
  readonly #turn: TurnRecord
  readonly #bytesAtMost: number | undefined
  /** By list, once a change names a part. */
  readonly #places: { [List in PartList]?: ReadonlyMap<string, readonly number[]> } = {}

  constructor(turn: TurnRecord, index: number, bytesAtMost: number | undefined) {
    this.index = index
    this.#turn = turn
    this.#bytesAtMost = bytesAtMost
  }

  get bytesAtMost(): number {
    return this.#bytesAtMost ?? this.bytes
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
    const parts = this.#turn[list]
    const places = (this.#places[list] ??= placesById(parts))
    return (places.get(id) ?? []).flatMap(place => {
      const part = parts[place]
      return part === undefined ? [] : [storedPart(part, place)]
    })
  }

  countFrom(list: PartList, place: number): number {
    return this.#turn[list].length - place
  }

  whole(): TurnRecord {
    return this.#turn
  }
}

function placesById(parts: readonly Part[]): Map<string, number[]> {
  const places = new Map<string, number[]>()
  parts.forEach((part, place) => {
    const id = idOfPart(part)
    const known = places.get(id)
    if (known === undefined) places.set(id, [place])
    else known.push(place)
  })
  return places
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
