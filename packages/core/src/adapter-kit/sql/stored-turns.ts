import { idOfPart } from '../../records/part-ids.js'
import { decodeItem, decodeToolCall, decodeTurn } from '../../records/decode-record.js'
import type { PartCounts, PartList, Parts, TurnRecord } from '../../records/models.js'
import { headOf, type TurnHeadRecord } from '../../queries/turn-range.js'
import { damaged, readStored, readStoredTurn, readStoredTurns } from '../stored-json.js'
import { count, fromExact, type Row } from './columns.js'
import { listCodes } from './turn-rows.js'

/*
 * Rows of turns and parts as records. Each is checked against the columns by which it is found, and the parts of a turn
 * against their number.
 */

/** Turns that follow each other, as a driver returns them. */
export interface StoredTurns {
  /** In order, with `seq`, `turn_id`, `body`, `tool_calls` and `items`: the counts of parts, null for a whole turn. */
  readonly turns: readonly Row[]
  /** The parts of those that are opened, by `seq`, list and place, with `seq`, `list`, `part_id` and `body`. */
  readonly parts: readonly Row[]
}

/** Turns, or parts of a turn, that are read without a pause. */
const BATCH = 64

export function isOpened(turn: Row): boolean {
  return turn.tool_calls !== null
}

/** Whether parts have to be read, also where none are counted: there may be some. */
export function anyOpened(turns: readonly Row[]): boolean {
  return turns.some(isOpened)
}

/**
 * Reads turns batch by batch, so that the caller can pause in between. A batch may be empty: a turn may have many parts.
 * @param turnId by which all of them were found, if so
 * @throws `CORRUPT_SESSION`
 */
export function* readTurnRows(
  { turns, parts }: StoredTurns,
  turnId?: string,
): Generator<readonly TurnRecord[], void, void> {
  let part = 0
  for (let at = 0; at < turns.length;) {
    const row = turns[at]
    if (row !== undefined && isOpened(row)) {
      const end = endOfTurn(row, parts, part)
      yield* readOpened(row, parts.slice(part, end), turnId)
      part = end
      at++
    } else {
      const batch = turns.slice(at, at + BATCH)
      const opened = batch.findIndex(isOpened)
      const whole = opened === -1 ? batch : batch.slice(0, opened)
      yield readWhole(whole, turnId)
      at += whole.length
    }
  }
}

/** Reads turns at once. @throws `CORRUPT_SESSION` */
export function readAllTurns(rows: StoredTurns): TurnRecord[] {
  return [...readTurnRows(rows)].flat()
}

function endOfTurn({ seq }: Row, parts: readonly Row[], first: number): number {
  let end = first
  while (end < parts.length && parts[end]?.seq === seq) end++
  return end
}

function readWhole(rows: readonly Row[], turnId: string | undefined): TurnRecord[] {
  const [first] = rows
  if (first === undefined) return []
  const turns = readStoredTurns(
    rows.map(({ body }) => body),
    count(first, 'seq'),
  )
  rows.forEach((row, index) => checkTurnId(row, turns[index]?.turnId, turnId))
  return turns
}

function* readOpened(
  row: Row,
  parts: readonly Row[],
  turnId: string | undefined,
): Generator<readonly TurnRecord[], void, void> {
  const turn = readHead(row, turnId)
  for (let first = 0; first < parts.length; first += BATCH) {
    if (first > 0) yield []
    for (const part of parts.slice(first, first + BATCH)) {
      if (part.list === listCodes.toolCalls) turn.toolCalls.push(readPart('toolCalls', part))
      else turn.items.push(readPart('items', part))
    }
  }
  const counts = countsOf(row)
  if (turn.toolCalls.length !== counts.toolCalls || turn.items.length !== counts.items) {
    throw damaged(`parts of turn ${count(row, 'seq')} are missing`)
  }
  yield [turn]
}

/** The head of an opened turn, with empty lists. @throws `CORRUPT_SESSION` */
export function readHead(row: Row, turnId?: string): TurnRecord {
  const seq = count(row, 'seq')
  const turn = readStored(row.body, `turn ${seq}`, value => decodeTurn(value))
  checkTurnId(row, turn.turnId, turnId)
  if (turn.toolCalls.length > 0 || turn.items.length > 0) throw damaged(`turn ${seq} is not what was stored there`)
  return turn
}

/** The heads of turns, for which no parts are read. @throws `CORRUPT_SESSION` */
export function readTurnHeads(turns: readonly Row[], turnId?: string): TurnHeadRecord[] {
  return turns.map(row => {
    if (!isOpened(row)) return headOf(readTurn(row, turnId))
    return { ...headOf(readHead(row, turnId)), partCounts: countsOf(row) }
  })
}

/** A turn that is stored whole. @throws `CORRUPT_SESSION` */
export function readTurn(row: Row, turnId?: string): TurnRecord {
  const turn = readStoredTurn(row.body, count(row, 'seq'))
  checkTurnId(row, turn.turnId, turnId)
  return turn
}

function checkTurnId(row: Row, id: string | undefined, turnId: string | undefined): void {
  if (fromExact(row, 'turn_id') !== id || (turnId !== undefined && id !== turnId)) {
    throw damaged(`turn ${count(row, 'seq')} is found by the id of another one`)
  }
}

/** How many parts the row of an opened turn counts. @throws `CORRUPT_SESSION` */
export function countsOf(row: Row): PartCounts {
  return { toolCalls: count(row, 'tool_calls'), items: count(row, 'items') }
}

const decoders: { readonly [List in PartList]: (value: unknown) => Parts[List] } = {
  toolCalls: value => decodeToolCall(value),
  items: value => decodeItem(value),
}

/** A part, from a row with `seq`, `part_id` and `body`. @throws `CORRUPT_SESSION` */
export function readPart<List extends PartList>(list: List, row: Row): Parts[List] {
  const place = `${list === 'items' ? 'an item' : 'a tool call'} of turn ${count(row, 'seq')}`
  const part = readStored(row.body, place, decoders[list])
  if (fromExact(row, 'part_id') !== idOfPart(part)) throw damaged(`${place} is found by the id of another one`)
  return part
}
