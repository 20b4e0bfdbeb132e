import type { TurnRecord, TurnstoreError } from '@turnstore/core'
import { decodeTurn, TimeSlice } from '@turnstore/core/adapter'
import type { Row } from '../database/driver.js'
import { count, fromExact, text } from '../tables/columns.js'
import { damaged, naming, turnsMissing } from './damage.js'

/** Longest stretch of parsing, in milliseconds, before it yields to the event loop. */
const SLICE_MS = 8

/** Turns to parse before decoding them. Alternating for each turn is slower, since the two evict each other's caches. */
const BATCH = 64

/**
 * @param rows of `sql.turns`
 * @param turnId by which all of them were found, if so
 */
export async function parseTurns(sessionId: string, rows: readonly Row[], turnId?: string): Promise<TurnRecord[]> {
  const turns: TurnRecord[] = []
  const slice = new TimeSlice(SLICE_MS)
  try {
    for (let first = 0; first < rows.length; first += BATCH) {
      if (slice.isOver) await slice.yield()
      const parsed = rows.slice(first, first + BATCH).map(row => ({ row, value: parseBody(row) }))
      for (const { row, value } of parsed) turns.push(inPlace(row, decodeBody(row, value), turnId))
    }
    return turns
  } catch (error) {
    throw naming(sessionId, error)
  }
}

/** From a row of `sql.turns`. @throws `CORRUPT_SESSION` */
export function readTurnInPlace(row: Row): TurnRecord {
  return inPlace(row, readTurn(row), undefined)
}

/** Checks the id in the place, by which a change finds the turn. */
function inPlace(row: Row, turn: TurnRecord, turnId: string | undefined): TurnRecord {
  if (fromExact(row, 'turn_id') === turn.turnId) return withId(row, turn, turnId)
  throw foundByAnother(row)
}

/** From a row with `seq` and `body`. */
export function readTurn(row: Row): TurnRecord {
  return decodeBody(row, parseBody(row))
}

function parseBody(row: Row): unknown {
  try {
    return JSON.parse(text(row, 'body'))
  } catch {
    throw damagedTurn(row)
  }
}

function decodeBody(row: Row, value: unknown): TurnRecord {
  try {
    return decodeTurn(value)
  } catch {
    throw damagedTurn(row)
  }
}

/** Replaces the original error, which quotes what is stored or names a caller's record. */
function damagedTurn(row: Row): TurnstoreError {
  return damaged(`turn ${count(row, 'seq')} is not what was stored there`)
}

/** The same for a row that was found by the id of its turn. */
export function readTurnWithId(row: Row | undefined, turnId: string): TurnRecord {
  if (row === undefined) throw turnsMissing()
  return withId(row, readTurn(row), turnId)
}

function withId(row: Row, turn: TurnRecord, turnId: string | undefined): TurnRecord {
  if (turnId === undefined || turn.turnId === turnId) return turn
  throw foundByAnother(row)
}

function foundByAnother(row: Row): TurnstoreError {
  return damaged(`turn ${count(row, 'seq')} is found by the id of another one`)
}
