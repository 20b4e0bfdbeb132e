import { PartWrite } from '../../changes/turn-draft.js'
import type { Part } from '../../changes/turn-view.js'
import { encodeTurn, encodeTurnHead } from '../../records/encode-record.js'
import type { PartCounts, PartList, TurnHead, TurnRecord } from '../../records/models.js'
import { utf8Length } from '../../basics/text.js'

/*
 * A turn as rows. A small one is stored whole, in one body. Others are opened: one body for the head, and one for each
 * part, so that a step writes its part and nothing else.
 */

export interface TurnRows {
  /** JSON in the wire format: the turn, or if it is opened, its head. */
  readonly body: string
  /** Null if the turn is stored whole. */
  readonly opened: OpenedTurn | null
}

export interface OpenedTurn {
  readonly partCounts: PartCounts
  /** The size of the turn, as the limits count it. */
  readonly bytes: number
  readonly parts: readonly { readonly list: PartList; readonly part: PartWrite<Part> }[]
}

/** The column `list` of a part. */
export const listCodes: Readonly<Record<PartList, number>> = { toolCalls: 0, items: 1 }

/** Up to this size, rewriting a whole turn costs less than opening it. */
const LARGEST_REWRITTEN = 8 * 1024

/** Up to this size, a turn that is not running is stored whole. It seldom changes again. */
const LARGEST_WHOLE = 16 * 1024

/** The rows of a turn that is appended or saved. */
export function rowsOfTurn(turn: TurnRecord): TurnRows {
  return turn.status === 'running' ? openedRows(turn) : rowsUpTo(turn, LARGEST_WHOLE)
}

/** The rows of a turn that was stored whole, after an update. */
export function rowsAfterUpdate(turn: TurnRecord): TurnRows {
  return rowsUpTo(turn, LARGEST_REWRITTEN)
}

/** The rows of a turn in a database without a table of parts. */
export function wholeRows(turn: TurnRecord): TurnRows {
  return { body: bodyOfTurn(turn), opened: null }
}

function rowsUpTo(turn: TurnRecord, bytes: number): TurnRows {
  const whole = wholeRows(turn)
  return isLonger(whole.body, bytes) ? openedRows(turn) : whole
}

function openedRows(turn: TurnRecord): TurnRows {
  const { toolCalls, items } = turn
  const body = bodyOfHead(turn)
  const parts = [
    ...toolCalls.map(call => ({ list: 'toolCalls' as const, part: new PartWrite<Part>(call) })),
    ...items.map(item => ({ list: 'items' as const, part: new PartWrite<Part>(item) })),
  ]
  let bytes = utf8Length(body)
  for (const { part } of parts) bytes += part.bytes
  return { body, opened: { partCounts: { toolCalls: toolCalls.length, items: items.length }, bytes, parts } }
}

/** Whether a text has more bytes in UTF-8. Each unit has one to three. */
function isLonger(text: string, bytes: number): boolean {
  return text.length > bytes || (text.length * 3 > bytes && utf8Length(text) > bytes)
}

/** A turn as the column `body` holds it: JSON in the wire format. */
export function bodyOfTurn(turn: TurnRecord): string {
  return JSON.stringify(encodeTurn(turn))
}

/** The head of an opened turn as the column `body` holds it. */
export function bodyOfHead(head: TurnHead): string {
  return JSON.stringify(encodeTurnHead(head))
}
