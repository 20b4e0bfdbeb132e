import type { PartList, TurnRecord } from '../../records/models.js'
import type { PartPage } from '../../queries/part-range.js'
import type { TurnHeadRecord } from '../../queries/turn-range.js'
import { ofSession } from '../stored-json.js'
import { TimeSlice } from '../../basics/time-slice.js'
import type { Row } from './columns.js'
import { readPart, readTurnHeads, readTurnRows, type StoredTurns } from './stored-turns.js'

/*
 * Rows as records, with pauses in which the process goes on: a session may have megabytes. The errors name the session.
 */

/** Longest stretch of parsing, in milliseconds, before it yields to the event loop. */
const SLICE_MS = 8

/** Heads or parts that are read between two looks at the clock. */
const BATCH = 64

/** @param turnId by which all of them were found, if so @throws `CORRUPT_SESSION`; so do the others */
export async function parseTurns(sessionId: string, rows: StoredTurns, turnId?: string): Promise<TurnRecord[]> {
  const turns: TurnRecord[] = []
  const slice = new TimeSlice(SLICE_MS)
  const batches = readTurnRows(rows, turnId)
  for (;;) {
    if (slice.isOver) await slice.yield()
    const { done, value } = ofSession(sessionId, () => batches.next())
    if (done === true) return turns
    for (const turn of value) turns.push(turn)
  }
}

/** The same without parts. @param rows with the columns of {@link StoredTurns.turns} */
export function parseHeads(sessionId: string, rows: readonly Row[], turnId?: string): Promise<TurnHeadRecord[]> {
  return parseRows(sessionId, rows, batch => readTurnHeads(batch, turnId))
}

/** @param rows of the parts of one turn */
export function parseParts<List extends PartList>(
  sessionId: string,
  list: List,
  rows: readonly Row[],
): Promise<PartPage<List>['parts']> {
  return parseRows(sessionId, rows, batch => batch.map(row => readPart(list, row)))
}

/** @param parse reads some rows at once */
export async function parseRows<T>(
  sessionId: string,
  rows: readonly Row[],
  parse: (batch: readonly Row[]) => readonly T[],
): Promise<T[]> {
  const parsed: T[] = []
  const slice = new TimeSlice(SLICE_MS)
  for (let first = 0; first < rows.length; first += BATCH) {
    if (slice.isOver) await slice.yield()
    const batch = rows.slice(first, first + BATCH)
    for (const each of ofSession(sessionId, () => parse(batch))) parsed.push(each)
  }
  return parsed
}
