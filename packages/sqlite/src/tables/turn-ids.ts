import type { Connection } from '../database/connection.js'
import { exact } from './columns.js'
import { sql } from './statements.js'

/*
 * An id may be anything, so each turn's would go into another page of the index of ids: one more to write, for an
 * append that writes two. So they are written some at a time. The index has the ids of all turns before the last
 * multiple of BLOCK at least, and those behind are looked for among the places, which have them as well and stand in
 * the page that an append reads anyway.
 */

/** So many ids are written at once. */
export const BLOCK = 32

const indexedUpTo = (turnCount: number): number => turnCount - (turnCount % BLOCK)

/**
 * The indexes of the turns with an id, ascending. None as a rule, or one; old files may have one twice. After a rewind,
 * both may know one of the last places.
 */
export function placesOfTurn(connection: Connection, session: { id: number; turnCount: number }, turnId: string): number[] {
  const { id, turnCount } = session
  const turn = exact(turnId)
  const places = connection.values(sql.placesOfTurn, id, turn, id, indexedUpTo(turnCount), turn).map(Number)
  return places.length > 1 ? places.toSorted((a, b) => a - b) : places
}

/** After turns were appended, in the same transaction. */
export function indexTurnIds(connection: Connection, id: number, countBefore: number, turnCount: number): void {
  const [from, to] = [indexedUpTo(countBefore), indexedUpTo(turnCount)]
  if (to > from) connection.run(sql.insertTurnIds, id, from, to)
}

/** For what goes by the index alone. */
export function indexAllTurnIds(connection: Connection, id: number, turnCount: number): void {
  connection.run(sql.insertTurnIds, id, indexedUpTo(turnCount), turnCount)
}

/** Whether the index has the ids that it must have, and none that a place does not have. */
export function areTurnIdsIndexed(connection: Connection, id: number, turnCount: number): boolean {
  const needed = indexedUpTo(turnCount)
  const found = connection.get(sql.turnIdCounts, needed, id)
  return found !== undefined && found.needed === needed && found.placed === found.ids
}
