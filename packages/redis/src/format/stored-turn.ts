import type { PartCounts, TurnRecord } from '@turnstore/core'
import { encodeTurn, encodeTurnHead, idOfPart, partJson } from '@turnstore/core/adapter'
import { entryOf } from './part-entry.js'
import { LISTS, nameField, partName, placeField } from './part-names.js'
import { newToken } from '../server/token.js'

/**
 * A turn as it is stored: whole, as JSON, or open, with its parts in the hash of parts. A turn is opened when it is
 * running or large, and when a change first touches its parts.
 */
export interface StoredTurn {
  /** The element of the list of turns. */
  readonly text: string
  /** '' for a whole turn. */
  readonly token: string
  /** Fields and values of the hash of parts, by turns. */
  readonly values: readonly string[]
}

/** A larger turn with parts is stored open. In UTF-16 units of its JSON. */
const LARGEST_WHOLE = 16 * 1024

export function encodeStoredTurn(turn: TurnRecord): StoredTurn {
  if (turn.status !== 'running') {
    const text = JSON.stringify(encodeTurn(turn))
    if (text.length <= LARGEST_WHOLE || turn.toolCalls.length + turn.items.length === 0) {
      return { text, token: '', values: [] }
    }
  }
  return encodeOpenTurn(turn)
}

export function encodeOpenTurn(turn: TurnRecord): StoredTurn {
  const token = newToken()
  const head = JSON.stringify(encodeTurnHead(turn))
  const values: string[] = []
  const entries = new Map<string, string>()
  let bytes = Buffer.byteLength(head)
  for (const list of LISTS) {
    for (const [place, part] of turn[list].entries()) {
      const json = partJson(part)
      const size = Buffer.byteLength(json)
      bytes += size
      values.push(placeField(token, list, place), json)
      const field = nameField(token, partName(list, idOfPart(part)))
      const before = entries.get(field)
      const entry = `${place} ${entryOf(part, size)}`
      // Old records may have an id twice.
      entries.set(field, before === undefined ? entry : `${before};${entry}`)
    }
  }
  for (const [field, entry] of entries) values.push(field, entry)
  const [calls, items] = [turn.toolCalls.length, turn.items.length]
  values.push(token, `${calls} ${calls} ${items} ${items} ${bytes} 0`)
  return { text: token + head, token, values }
}

/** The token and the JSON of an element of the list of turns. The token is '' for a whole turn. */
export function splitElement(text: string): { token: string; json: string } {
  if (text.startsWith('{')) return { token: '', json: text }
  const start = text.indexOf('{')
  return start === -1 ? { token: '', json: text } : { token: text.slice(0, start), json: text.slice(start) }
}

/** The description of an open turn. */
export interface Description {
  readonly counts: PartCounts
  readonly bytes: number
}

/** Null if it is not valid. */
export function readDescription(text: string): Description | null {
  const [, calls, items, bytes] = /^(\d+) \d+ (\d+) \d+ (\d+) \d+$/.exec(text) ?? []
  if (calls === undefined) return null
  return { counts: { toolCalls: Number(calls), items: Number(items) }, bytes: Number(bytes) }
}
