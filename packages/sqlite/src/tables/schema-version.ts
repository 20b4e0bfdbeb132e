import { TurnstoreError } from '@turnstore/core'
import type { Connection } from '../database/connection.js'
import { SCHEMA } from './schema.js'

/**
 * Step n upgrades a database from version n - 1 to n; the first makes the tables. A released step never changes: a
 * change of the schema is a new step at the end.
 */
export const steps: readonly string[] = [SCHEMA]

export const SCHEMA_VERSION: number = steps.length

const HAS_SETTINGS = `SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'turnstore_settings'`
const READ_VERSION = `SELECT value FROM turnstore_settings WHERE name = 'schema_version'`
const WRITE_VERSION = `UPDATE turnstore_settings SET value = ? WHERE name = 'schema_version'`

/**
 * Call this before a handle is set up, since setting it up may write.
 * @throws `SCHEMA_TOO_NEW`, `STORE_UNAVAILABLE`
 */
export function refuseNewer(connection: Connection): void {
  connection.read(() => versionOf(connection, SCHEMA_VERSION))
}

/**
 * Makes the tables, or upgrades those of an older version, in one transaction. Other processes wait for it. A current
 * database is only read.
 *
 * @param list only tests pass another than {@link steps}
 * @throws `SCHEMA_TOO_NEW` for a newer version, which stays untouched
 */
export function upgrade(connection: Connection, list: readonly string[] = steps): void {
  if (connection.read(() => versionOf(connection, list.length)) === list.length) return
  connection.write(() => {
    // Again, since another process may have upgraded it in between.
    for (const step of list.slice(versionOf(connection, list.length))) connection.exec(step)
    connection.run(WRITE_VERSION, list.length)
  })
}

/**
 * Once a newer process has upgraded the database, an older process that still runs touches nothing.
 *
 * @throws `SCHEMA_TOO_NEW`, `STORE_UNAVAILABLE`
 */
export function checkVersion(connection: Connection): void {
  if (connection.value(READ_VERSION) === SCHEMA_VERSION) return
  versionOf(connection, SCHEMA_VERSION)
  throw new TurnstoreError(
    'STORE_UNAVAILABLE',
    'The database was replaced by one of an older version; open a new store',
  )
}

/** 0 if the database has no tables of ours. @throws `SCHEMA_TOO_NEW`, `STORE_UNAVAILABLE` */
function versionOf(connection: Connection, newest: number): number {
  if (connection.value(HAS_SETTINGS) === 0) return 0
  const version = connection.value(READ_VERSION)
  if (typeof version !== 'number' || version < 1) {
    throw new TurnstoreError(
      'STORE_UNAVAILABLE',
      'The table turnstore_settings has no schema version; Turnstore did not make it',
    )
  }
  if (version > newest) {
    throw new TurnstoreError(
      'SCHEMA_TOO_NEW',
      `This database has schema version ${version}; this version of @turnstore/sqlite supports up to ${newest}; install a newer one`,
    )
  }
  return version
}
