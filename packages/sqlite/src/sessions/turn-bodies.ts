import { setImmediate } from 'node:timers/promises'
import type { TurnRecord, TurnstoreError } from '@turnstore/core'
import { decodeTurn } from '@turnstore/core/adapter'
import type { Row } from '../database/driver.js'
import { count, fromExact, text } from '../tables/columns.js'
import { damaged, naming, turnsMissing } from './damage.js'

/*
 * Turns out of the JSON that they are stored as.
 */

/** Longest stretch of parsing, in milliseconds, before the rest of the process gets its turn. */
const SLICE_MS = 8

/** So many are parsed before they are decoded: turn by turn, each of the two finds the caches full of the other. */
const BATCH = 64

/**
 * @param rows of `sql.turns`
 * @param turnId that of all of them, where they were found by it
 */
export async function parseTurns(sessionId: string, rows: readonly Row[], turnId?: string): Promise<TurnRecord[]> {
  const turns: TurnRecord[] = []
  let end = performance.now() + SLICE_MS
  try {
    for (let first = 0; first < rows.length; first += BATCH) {
      if (performance.now() > end) {
        await setImmediate()
        end = performance.now() + SLICE_MS
      }
      const parsed = rows.slice(first, first + BATCH).map(row => ({ row, value: parseBody(row) }))
      for (const { row, value } of parsed) turns.push(inPlace(row, decodeBody(row, value), turnId))
    }
    return turns
  } catch (error) {
    throw naming(sessionId, error)
  }
}

/** Out of a row of `sql.turns`. @throws `CORRUPT_SESSION` */
export function readTurnInPlace(row: Row): TurnRecord {
  return inPlace(row, readTurn(row), undefined)
}

/** That its place names it, by which a change finds it. */
function inPlace(row: Row, turn: TurnRecord, turnId: string | undefined): TurnRecord {
  if (fromExact(row, 'turn_id') === turn.turnId) return withId(row, turn, turnId)
  throw foundByAnother(row)
}

/** Out of a row with `seq` and `body`. */
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

/** Not the error that it failed with: that quotes what is stored, or speaks of a caller's record. */
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
