import { isUtf8 } from 'node:buffer'
import { decodeSession, encodeSession, type SessionRecord, type TurnRecord, TurnstoreError } from '@turnstore/core'
import { decodeTurn, encodeTurn, isJsonObject, parseJson } from '@turnstore/core/adapter'
import { mayHoldInfinity, parseExactly } from './exact-json.js'
import { TimeSlice } from './yielding.js'

/*
 * A session's document is the reference's: JSON, UTF-8, indented by two. A string in JSON holds no
 * line break, so in this form a turn is found by its indentation alone: it begins with a line of four
 * blanks and `{` and ends with the next one of four blanks and `}`. That lets a turn be read, copied
 * and counted without parsing the rest.
 */

/** A stretch of bytes in a file. */
export interface Span {
  readonly offset: number
  readonly length: number
}

/** A document cut into its turns and what stands around them. */
export interface DocumentOutline {
  /** The session without its turns. */
  readonly head: SessionRecord
  /** Where each turn stands; null where the document is JSON of another form. */
  readonly spans: Span[] | null
  readonly turns: readonly TurnRecord[]
  /** Somebody wrote it who knows no revisions: the reference. */
  readonly isForeign: boolean
  readonly hasBigIntegers: boolean
}

const TURNS_OPEN = '\n  "turns": ['
const TURN_OPEN = '\n    {'
const TURN_CLOSE = '\n    }'
const TURNS_CLOSE = '\n  ]'

/** @throws `INVALID_RECORD`, `SCHEMA_TOO_NEW`, naming the place and never the value */
export function parseDocument(bytes: Buffer, keepBigIntegers = false): SessionRecord {
  checkUtf8(bytes)
  const text = bytes.toString()
  const value = parseChecked(text)
  return decodeSession(keepBigIntegers ? parseExactly(text).value : value)
}

/**
 * Finds the turns of a document, and reads each of them, so that damage anywhere is found. Lets
 * others run in between.
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
    `${bytes.toString('utf8', 0, open + TURNS_OPEN.length)}"${IN_PLACE_OF_TURNS}"]${bytes.toString('utf8', at)}`,
  )
  // Anything but the one list that was just put there: the lines only looked like the session's turns.
  if (head === null || !takesOutMark(head.value)) return null

  // Before its turns: of a newer format, nothing else may be judged.
  const session = decodeSession(head.value)
  let { hasBigIntegers } = head
  const turns: TurnRecord[] = []
  const slice = new TimeSlice()
  for (const span of spans) {
    const turn = parseTolerantly(bytes.toString('utf8', span.offset, span.offset + span.length))
    if (turn === null) return null
    hasBigIntegers ||= turn.hasBigIntegers
    turns.push(decodeTurn(turn.value, `turns[${turns.length}]`))
    if (slice.isOver) await slice.next()
  }
  return { head: session, spans, turns, isForeign: isForeign(head.value), hasBigIntegers }
}

/** JSON of whatever form, read in one go. Whatever is wrong with it is told from here. */
function outlineByParsing(bytes: Buffer): DocumentOutline {
  const text = bytes.toString()
  const value = parseChecked(text)
  const exact = parseExactly(text)
  const session = decodeSession(exact.value)
  return {
    head: { ...session, turns: [] },
    spans: null,
    turns: session.turns,
    isForeign: isForeign(value),
    hasBigIntegers: exact.hasBigIntegers,
  }
}

/** A whole document. */
export function documentText(session: SessionRecord): string {
  return JSON.stringify(encodeSession(session), null, 2)
}

/** What stands before the first and behind the last turn of a document that has some. */
export function frameOf(head: SessionRecord): { before: string; after: string } {
  const text = documentText({ ...head, turns: [] })
  const end = text.indexOf(`${TURNS_OPEN}]`) + TURNS_OPEN.length
  return { before: text.slice(0, end), after: `${TURNS_CLOSE}${text.slice(end + 1)}` }
}

/** Between two turns, and before the first: the line break and the blanks that their text begins behind. */
export const beforeFirstTurn = '\n    '
export const betweenTurns = ',\n    '

/** A turn as it stands in a document, from its `{` to its `}`. */
export function turnText(turn: TurnRecord): string {
  return JSON.stringify(encodeTurn(turn), null, 2).replaceAll('\n', '\n    ')
}

const CLOSING_BRACKET = 0x5d

function startsWith(bytes: Buffer, at: number, text: string): boolean {
  return bytes.toString('latin1', at, at + text.length) === text
}

/** Bytes that are no UTF-8 would become U+FFFD without a word. */
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

/** Stands for the turns while the rest is parsed: of several members with one name, the last counts. */
const IN_PLACE_OF_TURNS = 'the turns stood here'

function takesOutMark(value: unknown): boolean {
  if (!isJsonObject(value) || !Array.isArray(value.turns) || value.turns[0] !== IN_PLACE_OF_TURNS) return false
  value.turns = []
  return true
}

/** The reference knows no revisions and drops them when it rewrites a document. */
function isForeign(value: unknown): boolean {
  return isJsonObject(value) && !Object.hasOwn(value, 'revision')
}
