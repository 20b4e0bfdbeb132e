import type { TurnRecord, TurnstoreError } from '@turnstore/core'
import { damaged, ofSession, readStoredTurn, readStoredTurns, TimeSlice } from '@turnstore/core/adapter'
import { count, fromExact } from '@turnstore/core/adapter/sql'
import type { Row } from '../database/driver.js'

/** Longest stretch of parsing, in milliseconds, before it yields to the event loop. */
const SLICE_MS = 8

/** Turns that are read between two looks at the clock. */
const BATCH = 64

/**
 * @param rows of `sql.turns`
 * @param turnId by which all of them were found, if so
 */
export async function parseTurns(sessionId: string, rows: readonly Row[], turnId?: string): Promise<TurnRecord[]> {
  const turns: TurnRecord[] = []
  const slice = new TimeSlice(SLICE_MS)
  for (let first = 0; first < rows.length; first += BATCH) {
    if (slice.isOver) await slice.yield()
    const batch = ofSession(sessionId, () => readTurnsInPlace(rows.slice(first, first + BATCH), turnId))
    for (const turn of batch) turns.push(turn)
  }
  return turns
}

/** From rows of `sql.turns`, which follow each other. Checks the id by which a change finds each. @throws `CORRUPT_SESSION` */
export function readTurnsInPlace(rows: readonly Row[], turnId?: string): TurnRecord[] {
  const [first] = rows
  if (first === undefined) return []
  const bodies = rows.map(({ body }) => body)
  const turns = readStoredTurns(bodies, count(first, 'seq'))
  rows.forEach((row, index) => {
    const id = turns[index]?.turnId
    if (fromExact(row, 'turn_id') !== id || (turnId !== undefined && id !== turnId)) throw foundByAnother(row)
  })
  return turns
}

/** From a row with `seq` and `body`. @throws `CORRUPT_SESSION` */
export function readTurn(row: Row): TurnRecord {
  return readStoredTurn(row.body, count(row, 'seq'))
}

/** The same for a row that was found by the id of its turn. */
export function readTurnWithId(row: Row | undefined, turnId: string): TurnRecord {
  if (row === undefined) throw damaged('turns are missing')
  const turn = readTurn(row)
  if (turn.turnId !== turnId) throw foundByAnother(row)
  return turn
}

function foundByAnother(row: Row): TurnstoreError {
  return damaged(`turn ${count(row, 'seq')} is found by the id of another one`)
}
