import { exact } from '@turnstore/core/adapter/sql'
import type { Connection } from '../database/connection.js'
import { sql } from './statements.js'

/*
 * Ids are in random order, so each append would write one more page, of the index of turn ids, to the two that it writes
 * anyway. So ids are indexed in blocks. The index has at least the ids of all turns before the last multiple of BLOCK.
 * The ids after it are found in the places, which are in the page that an append reads anyway.
 */

/** Ids that are indexed at once. */
export const BLOCK = 32

const indexedUpTo = (turnCount: number): number => turnCount - (turnCount % BLOCK)

/**
 * The positions of the turns with an id, ascending. Usually none or one; old records may have an id twice. After a
 * rewind, index and places may both have one of the last ids.
 */
export function placesOfTurn(
  connection: Connection,
  session: { id: number; turnCount: number },
  turnId: string,
): number[] {
  const { id, turnCount } = session
  const turn = exact(turnId)
  const places = connection.values(sql.placesOfTurn, id, turn, id, indexedUpTo(turnCount), turn).map(Number)
  return places.length > 1 ? places.toSorted((a, b) => a - b) : places
}

/** Call it after turns were appended, in the same transaction. */
export function indexTurnIds(connection: Connection, id: number, countBefore: number, turnCount: number): void {
  const [from, to] = [indexedUpTo(countBefore), indexedUpTo(turnCount)]
  if (to > from) connection.run(sql.insertTurnIds, id, from, to)
}

/** Whether the index has all ids that it must have, and each of them matches a place. */
export function areTurnIdsIndexed(connection: Connection, id: number, turnCount: number): boolean {
  const needed = indexedUpTo(turnCount)
  const found = connection.get(sql.turnIdCounts, needed, id)
  return found !== undefined && found.needed === needed && found.placed === found.ids
}
