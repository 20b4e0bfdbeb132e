import type { PartList, Parts, TurnRecord } from '@turnstore/core'
import { decodeItem, decodeToolCall, idOfPart } from '@turnstore/core/adapter'
import { BLOCK, emptyField, LISTS, nameField, partName, placeField } from '../format/part-names.js'
import { decodePart } from '../format/stored-records.js'
import { readDescription } from '../format/stored-turn.js'
import { corruptSession } from '../server/redis-errors.js'

/** The parts of an open turn as far as they were read, by their places. */
export class PartsByPlace {
  readonly #sessionId: string
  readonly #lists: { readonly [L in PartList]: Map<number, Parts[L]> } = { toolCalls: new Map(), items: new Map() }

  constructor(sessionId: string) {
    this.#sessionId = sessionId
  }

  /** @param text '' if the part was removed @throws `CORRUPT_SESSION` */
  set(list: PartList, place: number, text: string): void {
    const { toolCalls, items } = this.#lists
    if (text === '') this.#lists[list].delete(place)
    else if (list === 'toolCalls') {
      toolCalls.set(
        place,
        decodePart(this.#sessionId, 'a tool call', text, source => decodeToolCall(source)),
      )
    } else
      items.set(
        place,
        decodePart(this.#sessionId, 'an item', text, source => decodeItem(source)),
      )
  }

  /** In their order. */
  list<List extends PartList>(list: List): (readonly [place: number, part: Parts[List]])[] {
    const byPlace: ReadonlyMap<number, Parts[List]> = this.#lists[list]
    return [...byPlace].toSorted(([a], [b]) => a - b)
  }
}

/** An open turn as far as it was read. */
export class OpenTurn {
  readonly token: string
  head: TurnRecord
  /** As it is stored. */
  description = ''
  readonly parts: PartsByPlace
  readonly #sessionId: string

  constructor(sessionId: string, token: string, head: TurnRecord) {
    this.#sessionId = sessionId
    this.token = token
    this.head = head
    this.parts = new PartsByPlace(sessionId)
  }

  /** The fields of the hash of parts that belong to it. */
  fields(): string[] {
    const fields = [this.token]
    for (const list of LISTS) {
      const names = new Set<string>()
      let last = -1
      for (const [place, part] of this.parts.list(list)) {
        fields.push(placeField(this.token, list, place))
        names.add(partName(list, idOfPart(part)))
        last = place
      }
      for (const name of names) fields.push(nameField(this.token, name))
      for (let block = 0; block * BLOCK <= last; block++) fields.push(emptyField(this.token, list, block))
    }
    return fields
  }

  /** @throws `CORRUPT_SESSION` */
  whole(): TurnRecord {
    const toolCalls = this.parts.list('toolCalls').map(([, part]) => part)
    const items = this.parts.list('items').map(([, part]) => part)
    const counts = readDescription(this.description)?.counts
    if (counts?.toolCalls !== toolCalls.length || counts.items !== items.length) {
      throw corruptSession(this.#sessionId, 'parts of a turn are missing or too many')
    }
    return { ...this.head, toolCalls, items }
  }
}
