import { TurnstoreError } from '@turnstore/core'
import { quote } from '@turnstore/core/adapter'
import type { SqliteDatabase } from './driver.js'

/** Before 3.51.3, two processes that write and checkpoint at the same moment could corrupt the database (https://sqlite.org/wal.html). */
const OLDEST = [3, 51, 3] as const

/** In bytes, for a database that the store creates. Holds about three turns of a few kilobytes. */
const PAGE_SIZE = 8192

/** @throws `STORE_UNAVAILABLE` */
export function checkSqliteVersion(database: SqliteDatabase): void {
  const version = String(valueOf(database, 'SELECT sqlite_version()'))
  const parts = version.split('.').map(Number)
  const differing = OLDEST.findIndex((part, place) => parts[place] !== part)
  if (differing !== -1 && (parts[differing] ?? 0) < (OLDEST[differing] ?? 0)) {
    throw new TurnstoreError(
      'STORE_UNAVAILABLE',
      `This is SQLite ${version}, which can corrupt a database that several processes write; update better-sqlite3 to 13.2 or later`,
    )
  }
}

/**
 * Sets up a handle of our own, and reads each setting back: SQLite silently ignores what it does not know or cannot do.
 * Fails while others hold the database.
 * @throws `STORE_UNAVAILABLE`, or what the driver throws
 */
export function applySettings(database: SqliteDatabase, synchronous: 'FULL' | 'NORMAL'): void {
  const isFull = synchronous === 'FULL'
  // Before the journal mode: a database in WAL mode keeps its page size.
  database.exec(`PRAGMA page_size = ${PAGE_SIZE}`)
  const wanted: [pragma: string, value: string | number][] = [
    ['busy_timeout', 0],
    ['journal_mode', database.memory ? 'memory' : 'wal'],
    ['synchronous', isFull ? 2 : 1],
    // On macOS, this makes the drive empty its cache. It has no effect elsewhere.
    ['fullfsync', Number(isFull)],
    ['foreign_keys', 1],
    ['trusted_schema', 0],
    ['cell_size_check', 1],
    // A read through a mapping kills the process if the file is truncated.
    ['mmap_size', 0],
  ]
  for (const [pragma, value] of wanted) {
    database.exec(`PRAGMA ${pragma} = ${value}`)
    const found = valueOf(database, `PRAGMA ${pragma}`)
    // A database in memory has no file to map.
    if (found !== value && !(pragma === 'mmap_size' && found === undefined)) {
      throw new TurnstoreError(
        'STORE_UNAVAILABLE',
        `Database ${quote(database.name)}: SQLite cannot set ${pragma} to ${value} here`,
      )
    }
  }
}

function valueOf(database: SqliteDatabase, sql: string): unknown {
  return database.prepare(sql).safeIntegers(false).pluck(true).get()
}
