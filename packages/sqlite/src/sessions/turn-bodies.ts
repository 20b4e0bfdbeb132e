import type { PartList, PartPage, TurnHeadRecord, TurnRecord } from '@turnstore/core'
import { mayMatch, ofSession, type ScannedTurns, type Terms, TimeSlice } from '@turnstore/core/adapter'
import {
  count,
  isOpened,
  readPart,
  readTurn,
  readTurnHeads,
  readTurnRows,
  type Row,
  type StoredTurns,
} from '@turnstore/core/adapter/sql'

/** Longest stretch of parsing, in milliseconds, before it yields to the event loop. */
const SLICE_MS = 8

/** Heads or parts that are read between two looks at the clock. */
const BATCH = 64

/** @param turnId by which all of them were found, if so */
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

/** The same without parts. @param rows of `sql.turns` */
export function parseHeads(sessionId: string, rows: readonly Row[], turnId?: string): Promise<TurnHeadRecord[]> {
  return parseRows(sessionId, rows, batch => readTurnHeads(batch, turnId))
}

/** The turns that may match a search, those that are opened without their parts. @param rows of `sql.turns` */
export async function parseScanned(
  sessionId: string,
  rows: readonly Row[],
  terms: Terms,
): Promise<Omit<ScannedTurns, 'next'>> {
  const kept = rows.filter(row => isOpened(row) || typeof row.body !== 'string' || mayMatch(terms, row.body))
  const turns = await parseRows(sessionId, kept, batch =>
    batch.flatMap(row => {
      const read: (TurnRecord | TurnHeadRecord)[] = isOpened(row) ? readTurnHeads([row]) : [readTurn(row)]
      return read.map(turn => ({ index: count(row, 'seq'), turn }))
    }),
  )
  const units = rows.reduce((sum, { body }) => sum + (typeof body === 'string' ? body.length : 0), 0)
  return { turns, units }
}

/** @param rows of the parts of one turn */
export function parseParts<List extends PartList>(
  sessionId: string,
  list: List,
  rows: readonly Row[],
): Promise<PartPage<List>['parts']> {
  return parseRows(sessionId, rows, batch => batch.map(row => readPart(list, row)))
}

async function parseRows<T>(
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
