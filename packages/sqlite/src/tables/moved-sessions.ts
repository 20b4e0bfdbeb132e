import type { Connection } from '../database/connection.js'
import { isDamage } from '../database/sqlite-errors.js'
import { sql } from './statements.js'

/*
 * Listings by the time of the last change are stretches of indexes, in which every append would move its session:
 * two more pages to write, for an append that writes two. So a session that moves is only marked, and keeps its old
 * place in the indexes, in which listings pass it over. They take the marked ones, which are few, from where they
 * belong. When there are too many of them, all get their places, in the transaction of one that comes in addition.
 */

/** What each listing may have to look at in addition. So many can go on side by side without writing the indexes. */
export const MOST_MOVED = 32

const SETTLE_ONE = `${sql.settleMoved} AND id = +?`

/** Marks a session that has its place, in the transaction that changes it. */
export function markMoved(connection: Connection, id: number): void {
  if (Number(connection.value(sql.countMoved)) >= MOST_MOVED) settleMoved(connection)
  connection.run(sql.setMoved, id)
}

/** SQLite alters no row that is damaged. One that is stays marked, and does not keep the others from their places. */
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
