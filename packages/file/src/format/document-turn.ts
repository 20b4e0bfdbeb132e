import { type JsonObject, type TurnRecord, TurnstoreError } from '@turnstore/core'
import { decodeItem, decodeTurn, encodeItem, encodeTurn, ITEMS_KEY } from '@turnstore/core/adapter'

/*
 * A turn as a document has it. Its items are in its metadata, which the reference keeps; it drops members of a turn that
 * it does not know.
 */

export function encodeDocumentTurn(turn: TurnRecord): JsonObject {
  const { items } = turn
  if (items.length === 0) return encodeTurn(turn)
  return encodeTurn({ ...turn, items: [], metadata: { ...turn.metadata, [ITEMS_KEY]: items.map(encodeItem) } })
}

/** @throws `INVALID_RECORD` with the path, never the value */
export function decodeDocumentTurn(source: unknown, what?: string): TurnRecord {
  return takeItems(decodeTurn(source, what), what)
}

/** A decoded turn, with the items that were in its metadata. @throws `INVALID_RECORD` */
export function takeItems(turn: TurnRecord, what = 'turn'): TurnRecord {
  if (!Object.hasOwn(turn.metadata, ITEMS_KEY)) return turn
  const { [ITEMS_KEY]: items, ...metadata } = turn.metadata
  const place = `${what}.metadata.${ITEMS_KEY}`
  if (!Array.isArray(items)) throw new TurnstoreError('INVALID_RECORD', `${place} must be an array`)
  return { ...turn, metadata, items: items.map((item, index) => decodeItem(item, `${place}[${index}]`)) }
}
