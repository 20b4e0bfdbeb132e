import type { PartList, PartPage, TurnRecord } from '@turnstore/core'
import { ofSession, TimeSlice } from '@turnstore/core/adapter'
import { readPart, readTurnRows, type Row, type StoredTurns } from '@turnstore/core/adapter/sql'

/** Longest stretch of parsing, in milliseconds, before it yields to the event loop. */
const SLICE_MS = 8

/** Parts that are read between two looks at the clock. */
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

/** @param rows of the parts of one turn */
export async function parseParts<List extends PartList>(
  sessionId: string,
  list: List,
  rows: readonly Row[],
): Promise<PartPage<List>['parts']> {
  const parts: PartPage<List>['parts'] = []
  const slice = new TimeSlice(SLICE_MS)
  for (let first = 0; first < rows.length; first += BATCH) {
    if (slice.isOver) await slice.yield()
    ofSession(sessionId, () => {
      for (const row of rows.slice(first, first + BATCH)) parts.push(readPart(list, row))
    })
  }
  return parts
}
