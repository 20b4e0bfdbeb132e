import { type JsonObject, type TurnHead, type TurnRecord, TurnstoreError } from '@turnstore/core'
import {
  decodeItem,
  decodeTurn,
  encodeItem,
  encodeToolCall,
  encodeTurn,
  encodeTurnWith,
  ITEMS_KEY,
  type Part,
} from '@turnstore/core/adapter'
import type { Span } from '../disk/read-file.js'

/*
 * A turn as a document has it. Its items are in its metadata, which the reference keeps; it drops members of a turn that
 * it does not know.
 *
 * As in the whole document, indentation alone delimits a part.
 */

/** A turn of up to so many bytes is read in one piece. */
export const SMALL_TURN_BYTES: number = 8 * 1024

const CALLS_OPEN = '\n      "tool_calls": ['
const CALL_OPEN = '\n        {'
const METADATA_OPEN = '\n      "metadata": {'
const METADATA_CLOSE = '\n      }'
const ITEMS_OPEN = `\n        "${ITEMS_KEY}": [`
const ITEM_OPEN = '\n          {'

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

/** A turn as text of a document, from its `{` to its `}`. */
export function turnText(turn: TurnRecord): string {
  return textOf(encodeDocumentTurn(turn), '    ')
}

/** The text of a turn around its lists: before the tool calls, between them and the items, and after those. */
export function frameOfTurn(
  head: TurnHead,
  hasCalls: boolean,
  hasItems: boolean,
): { beforeCalls: string; beforeItems: string; end: string } {
  const metadata = hasItems ? { ...head.metadata, [ITEMS_KEY]: [] } : head.metadata
  const text = textOf(encodeTurnWith({ ...head, metadata }, [], []), '    ')
  const calls = hasCalls ? text.indexOf(`${CALLS_OPEN}]`) + CALLS_OPEN.length : 0
  // Behind all other members of the metadata.
  const items = hasItems ? text.indexOf(METADATA_CLOSE, text.indexOf(METADATA_OPEN)) - 1 : calls
  return { beforeCalls: text.slice(0, calls), beforeItems: text.slice(calls, items), end: text.slice(items) }
}

/** What is around the parts of a list that are written one by one. */
export interface ListFrame {
  readonly before: string
  readonly between: string
  readonly after: string
}

export const callsFrame: ListFrame = { before: '\n        ', between: ',\n        ', after: '\n      ' }
export const itemsFrame: ListFrame = { before: '\n          ', between: ',\n          ', after: '\n        ' }

/** A part as text of a document, from its `{` to its `}`. */
export function partText(part: Part): string {
  return 'callId' in part ? textOf(encodeToolCall(part), '        ') : textOf(encodeItem(part), '          ')
}

function textOf(value: JsonObject, indentation: string): string {
  return JSON.stringify(value, null, 2).replaceAll('\n', `\n${indentation}`)
}

/** Where the pieces of a turn are. Those of its head, joined, are the JSON of a turn with empty lists. */
export interface TurnSpans {
  readonly head: readonly Span[]
  readonly toolCalls: readonly Span[]
  readonly items: readonly Span[]
}

/** Finds the pieces of a turn in its text, or returns null if it is JSON of another form. */
export function piecesOfText(text: Buffer, { toolCalls, items }: TurnRecord): TurnSpans | null {
  const calls = toolCalls.length === 0 ? NO_LIST : listIn(text, CALLS_OPEN, CALL_OPEN, 0, text.length)
  const metadata = text.indexOf(METADATA_OPEN)
  const kept =
    items.length === 0
      ? NO_LIST
      : listIn(text, ITEMS_OPEN, ITEM_OPEN, metadata, text.indexOf(METADATA_CLOSE, metadata + METADATA_OPEN.length))
  if (metadata === -1 && items.length > 0) return null
  if (calls?.parts.length !== toolCalls.length || kept?.parts.length !== items.length) return null
  // A repeated key: the last one counts.
  if (metadata !== -1 && text.includes(METADATA_OPEN, metadata + 1)) return null
  const cuts = [calls, kept].filter(list => list !== NO_LIST).toSorted((a, b) => a.start - b.start)
  const head: Span[] = []
  let at = 0
  for (const { start, end } of cuts) {
    head.push({ offset: at, length: start - at })
    at = end
  }
  head.push({ offset: at, length: text.length - at })
  return { head, toolCalls: calls.parts, items: kept.parts }
}

/** A list in a turn: what is between its brackets, and its parts. */
interface FoundList {
  readonly start: number
  readonly end: number
  readonly parts: readonly Span[]
}

const NO_LIST: FoundList = { start: 0, end: 0, parts: [] }

function listIn(text: Buffer, open: string, partOpen: string, from: number, to: number): FoundList | null {
  const found = text.indexOf(open, from)
  if (found === -1 || found >= to) return null
  const again = text.indexOf(open, found + 1)
  if (again !== -1 && again < to) return null
  const partClose = partOpen.replace('{', '}')
  const start = found + open.length
  const parts: Span[] = []
  let at = start
  while (startsWith(text, at, partOpen)) {
    const close = text.indexOf(partClose, at)
    if (close === -1) return null
    const offset = at + partOpen.length - 1
    at = close + partClose.length
    parts.push({ offset, length: at - offset })
    if (text[at] === COMMA) at += 1
  }
  const end = text.indexOf(CLOSING_BRACKET, at)
  return end === -1 ? null : { start, end, parts }
}

const COMMA = 0x2c
const CLOSING_BRACKET = 0x5d

export function startsWith(bytes: Buffer, at: number, text: string): boolean {
  return bytes.toString('latin1', at, at + text.length) === text
}
