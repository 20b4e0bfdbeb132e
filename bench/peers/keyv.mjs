import { join } from 'node:path'
import { KeyvSqlite } from '@keyv/sqlite'
import { Keyv } from 'keyv'
import { wholeRecord } from './whole-record.mjs'

/** One value a session, in SQLite: WAL, synchronous=NORMAL, kinder than its default of a rollback journal. */
export async function openKeyv(folder) {
  const store = new KeyvSqlite({ uri: `sqlite://${join(folder, 'keyv.db')}`, driver: 'better-sqlite3', wal: true })
  const keyv = new Keyv({ store, throwOnErrors: true })
  return wholeRecord({
    get: key => keyv.get(key),
    set: (key, record) => keyv.set(key, record),
    close: () => keyv.disconnect(),
  })
}
