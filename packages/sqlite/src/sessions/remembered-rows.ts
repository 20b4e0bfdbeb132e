import { damaged, readStoredRemembered, type RememberedChange } from '@turnstore/core/adapter'
import { count, type Row, text } from '@turnstore/core/adapter/sql'
import type { Connection } from '../database/connection.js'
import { sql } from '../tables/statements.js'

/** What a session remembers by a key, from a row with `key` and `body`. @throws `CORRUPT_SESSION` */
export function readRemembered(row: Row): RememberedChange {
  const remembered = readStoredRemembered(row.body)
  if (remembered.key === text(row, 'key')) return remembered
  throw damaged('a remembered change is found by the key of another one')
}

/** Reads all that a session remembers. Loading a session does not, and deleting it does. @throws `CORRUPT_SESSION` */
export function checkRemembered(connection: Connection, id: number): void {
  const rows = connection.all(sql.allRemembered, id)
  const first = rows[0] === undefined ? 0 : count(rows[0], 'seq')
  for (const [index, row] of rows.entries()) {
    if (row.seq !== first + index) throw damaged('remembered changes are missing')
    readRemembered(row)
  }
}
