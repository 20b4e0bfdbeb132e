import type { Connection } from '../database/connection.js'

/*
 * SQLite leaves deleted text in the free space of its pages, even with `secure_delete`, until the database is rewritten.
 * So the database counts the writes that deleted some.
 */

const READ = `SELECT value FROM turnstore_settings WHERE name = 'deletions'`
const COUNT = `UPDATE turnstore_settings SET value = value + 1 WHERE name = 'deletions'`
const SUBTRACT = `UPDATE turnstore_settings SET value = value - ? WHERE name = 'deletions'`

/** In the transaction of a write that deletes text. */
export function countDeletion(connection: Connection): void {
  connection.run(COUNT)
}

/** Larger databases take seconds to rewrite, in which the process does nothing else. */
const MOST_BYTES = 64 * 1024 * 1024

/** Whether text was deleted from a database that is small enough to be rewritten when it is closed. */
export function isWorthErasing(connection: Connection): boolean {
  if (connection.isInMemory || !hasDeleted(connection)) return false
  const pages = Number(connection.value('PRAGMA main.page_count'))
  return pages * Number(connection.value('PRAGMA main.page_size')) <= MOST_BYTES
}

function hasDeleted(connection: Connection): boolean {
  const deletions = connection.value(READ)
  return typeof deletions === 'number' && deletions > 0
}

/** Rewrites the database without what was deleted. The WAL has the old pages until the last process closes it. */
export function eraseDeleted(connection: Connection): void {
  const deletions = Number(connection.value(READ) ?? 0)
  connection.vacuum()
  // Others may have deleted more since.
  connection.write(() => connection.run(SUBTRACT, deletions))
}
