import type { Connection } from '../database/connection.js'
import { isDamage } from '../database/sqlite-errors.js'
import { sql } from './statements.js'

/*
 * Listings by last change read ranges of indexes. Every append would move its session in two of them, which doubles the
 * two pages that an append writes. So a change only marks the session as moved, and leaves its old position in the
 * indexes. Listings skip moved sessions there, and read them separately; they are few. When there are too many, the next
 * change moves all of them to their new positions.
 */

/** Most moved sessions. Each listing may have to read that many more rows. */
export const MOST_MOVED = 32

const SETTLE_ONE = `${sql.settleMoved} AND id = +?`

/** Marks a session as moved, in the transaction that changes it. */
export function markMoved(connection: Connection, id: number): void {
  if (Number(connection.value(sql.countMoved)) >= MOST_MOVED) settleMoved(connection)
  connection.run(sql.setMoved, id)
}

/** SQLite refuses to update a damaged row. It stays marked, and the others are settled one by one. */
function settleMoved(connection: Connection): void {
  try {
    connection.run(sql.settleMoved)
  } catch (error) {
    if (!isDamage(error)) throw error
    for (const id of connection.values(sql.moved)) settleOne(connection, Number(id))
  }
}

function settleOne(connection: Connection, id: number): void {
  try {
    connection.run(SETTLE_ONE, id)
  } catch (error) {
    if (!isDamage(error)) throw error
  }
}
