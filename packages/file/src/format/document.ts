import { isUtf8 } from 'node:buffer'
import { decodeSession, encodeSession, type SessionRecord, type TurnRecord, TurnstoreError } from '@turnstore/core'
import { isJsonObject, parseJson, TimeSlice } from '@turnstore/core/adapter'
import type { Span } from '../disk/read-file.js'
import {
  decodeDocumentTurn,
  encodeDocumentTurn,
  piecesOfText,
  SMALL_TURN_BYTES,
  startsWith,
  takeItems,
  type TurnSpans,
} from './document-turn.js'
import { mayHoldInfinity, parseExactly } from './exact-json.js'
import { Remembered } from './remembered.js'

/*
 * A session's document has the form of the reference: JSON in UTF-8, indented by two. A JSON string contains
 * no line break, so indentation alone delimits a turn: it begins with a line of four spaces and `{` and ends
 * with the next line of four spaces and `}`. So a turn can be read, copied and counted without parsing the rest.
 */

/** A document, split into its turns and the rest. */
export interface DocumentOutline {
  /** The session without its turns. */
  readonly head: SessionRecord
  readonly remembered: Remembered
  /** Where each turn is, or null if the document is JSON of another form. */
  readonly spans: Span[] | null
  readonly turns: readonly TurnRecord[]
  /** Where the pieces of each turn are that is not small, by its index. */
  readonly pieces: ReadonlyMap<number, TurnSpans>
  /** It has no revision, so the reference wrote it. */
  readonly isForeign: boolean
  readonly hasBigIntegers: boolean
}

const TURNS_OPEN = '\n  "turns": ['
const TURN_OPEN = '\n    {'
const TURN_CLOSE = '\n    }'
const TURNS_CLOSE = '\n  ]'

/**
 * Finds the turns of a document and reads each, so that damage anywhere is found. Yields in between.
 * @throws `INVALID_RECORD`, `SCHEMA_TOO_NEW`
 */
export async function outlineDocument(bytes: Buffer): Promise<DocumentOutline> {
  checkUtf8(bytes)
  return (await outlineByIndentation(bytes)) ?? outlineByParsing(bytes)
}

async function outlineByIndentation(bytes: Buffer): Promise<DocumentOutline | null> {
  const open = bytes.indexOf(TURNS_OPEN)
  if (open === -1) return null
  const spans: Span[] = []
  let at = open + TURNS_OPEN.length
  if (startsWith(bytes, at, TURN_OPEN)) {
    for (;;) {
      const close = bytes.indexOf(TURN_CLOSE, at)
      if (close === -1) return null
      const offset = at + TURN_OPEN.length - 1
      at = close + TURN_CLOSE.length
      spans.push({ offset, length: at - offset })
      if (startsWith(bytes, at, TURNS_CLOSE)) break
      if (!startsWith(bytes, at, `,${TURN_OPEN}`)) return null
      at += 1
    }
    at += TURNS_CLOSE.length
  } else if (bytes[at] === CLOSING_BRACKET) {
    at += 1
  } else {
    return null
  }

  const head = parseTolerantly(
    `${bytes.toString('utf8', 0, open + TURNS_OPEN.length)}"${PLACEHOLDER}"]${bytes.toString('utf8', at)}`,
  )
  // Without the placeholder in its place, the lines only looked like the session's turns.
  if (head === null || !removePlaceholder(head.value)) return null

  // Before the turns: nothing else may be judged in a newer format.
  const session = withoutRemembered(decodeSession(head.value))
  let { hasBigIntegers } = head
  const turns: TurnRecord[] = []
  const pieces = new Map<number, TurnSpans>()
  const slice = new TimeSlice()
  for (const span of spans) {
    const turn = parseTolerantly(bytes.toString('utf8', span.offset, span.offset + span.length))
    if (turn === null) return null
    hasBigIntegers ||= turn.hasBigIntegers
    const decoded = decodeDocumentTurn(turn.value, `turns[${turns.length}]`)
    if (span.length > SMALL_TURN_BYTES) {
      const found = piecesOfText(bytes.subarray(span.offset, span.offset + span.length), decoded)
      if (found !== null) pieces.set(turns.length, found)
    }
    turns.push(decoded)
    if (slice.isOver) await slice.yield()
  }
  return { ...session, spans, turns, pieces, isForeign: isForeign(head.value), hasBigIntegers }
}

/** Reads JSON of any form at once, and reports what is wrong with it. */
function outlineByParsing(bytes: Buffer): DocumentOutline {
  const text = bytes.toString()
  const value = parseChecked(text)
  const exact = parseExactly(text)
  const session = decodeSession(exact.value)
  return {
    ...withoutRemembered({ ...session, turns: [] }),
    spans: null,
    turns: session.turns.map((turn, index) => takeItems(turn, `turns[${index}]`)),
    pieces: new Map(),
    isForeign: isForeign(value),
    hasBigIntegers: exact.hasBigIntegers,
  }
}

function withoutRemembered(session: SessionRecord): { head: SessionRecord; remembered: Remembered } {
  const { metadata, remembered } = Remembered.takeFrom(session.metadata)
  return { head: { ...session, metadata }, remembered }
}

export function documentText(session: SessionRecord, remembered: Remembered): string {
  const head = encodeSession({ ...session, turns: [], metadata: remembered.in(session.metadata) })
  return JSON.stringify({ ...head, turns: session.turns.map(encodeDocumentTurn) }, null, 2)
}

/** The text before the first turn and after the last, of a document with turns. */
export function frameOf(head: SessionRecord, remembered: Remembered): { before: string; after: string } {
  const text = documentText({ ...head, turns: [] }, remembered)
  const end = text.indexOf(`${TURNS_OPEN}]`) + TURNS_OPEN.length
  return { before: text.slice(0, end), after: `${TURNS_CLOSE}${text.slice(end + 1)}` }
}

export const beforeFirstTurn = '\n    '
export const betweenTurns = ',\n    '

const CLOSING_BRACKET = 0x5d

/** Decoding would silently replace invalid bytes by U+FFFD. */
function checkUtf8(bytes: Buffer): void {
  if (!isUtf8(bytes)) throw new TurnstoreError('INVALID_RECORD', 'document is not UTF-8')
}

function parseChecked(text: string): unknown {
  const value = parseJson(text, 'document')
  if (mayHoldInfinity(text) && parseTolerantly(text) === null) {
    throw new TurnstoreError('INVALID_RECORD', 'document holds a number that is too large for any reader')
  }
  return value
}

function parseTolerantly(text: string): ReturnType<typeof parseExactly> | null {
  try {
    return parseExactly(text)
  } catch {
    return null
  }
}

/** In place of the turns while the rest is parsed. If a member is repeated, the last one counts. */
const PLACEHOLDER = 'the turns go here'

function removePlaceholder(value: unknown): boolean {
  if (!isJsonObject(value) || !Array.isArray(value.turns) || value.turns[0] !== PLACEHOLDER) return false
  value.turns = []
  return true
}

/** The reference drops the revision when it rewrites a document. */
function isForeign(value: unknown): boolean {
  return isJsonObject(value) && !Object.hasOwn(value, 'revision')
}
