import { TurnstoreError } from '@turnstore/core'
import { quote } from '@turnstore/core/adapter'
import type { Connection } from './connection.js'

/*
 * The user's own handle. It is used as it is: nothing is set on it. So it is checked once, when the store opens, and
 * refused if one of its settings would break a promise.
 */

/** What the options of the store ask of the handle. */
export interface Wanted {
  readonly synchronous: 'FULL' | 'NORMAL'
  readonly timeoutMs: number
}

const HIDING = `
  SELECT type, name FROM temp.sqlite_schema WHERE type IN ('table', 'view') AND name LIKE 'turnstore!_%' ESCAPE '!'`

const LEVELS = ['OFF', 'NORMAL', 'FULL', 'EXTRA'] as const

/** @throws `STORE_UNAVAILABLE` with the setting and what to do, or what the driver throws */
export function checkShared(connection: Connection, wanted: Wanted): void {
  const refusal = connection.read(
    () =>
      ofColumns(connection) ?? ofDatabase(connection) ?? ofTimeout(connection, wanted) ?? ofSync(connection, wanted),
  )
  if (refusal !== null) throw new TurnstoreError('STORE_UNAVAILABLE', `The shared ${refusal}`)
}

function ofColumns(connection: Connection): string | null {
  const hiding = connection.get(HIDING)
  if (hiding !== undefined) {
    const what = `${String(hiding.type)} ${quote(String(hiding.name))}`
    return `handle has a temporary ${what}, which hides Turnstore's table of that name; drop it`
  }
  for (const [pragma, value] of [
    ['full_column_names', 0],
    ['short_column_names', 1],
  ] as const) {
    if (connection.value(`PRAGMA ${pragma}`) !== value) {
      return `handle has another ${pragma} than SQLite's default, and columns are read by name; set PRAGMA ${pragma} = ${value}`
    }
  }
  return null
}

function ofDatabase(connection: Connection): string | null {
  const encoding = connection.value('PRAGMA encoding')
  if (encoding !== 'UTF-8') {
    return `database has encoding ${String(encoding)}, and ids are ordered by their UTF-8 bytes; create it with PRAGMA encoding = 'UTF-8'`
  }
  const journal = connection.value('PRAGMA journal_mode')
  if (connection.isInMemory || (journal !== 'off' && journal !== 'memory')) return null
  return `database has journal_mode ${journal}, and a crash can destroy it; set PRAGMA journal_mode = WAL`
}

/** SQLite waits as long as the handle says, which blocks the process. */
function ofTimeout(connection: Connection, { timeoutMs }: Wanted): string | null {
  const busyTimeout = Number(connection.value('PRAGMA busy_timeout'))
  if (connection.isInMemory || busyTimeout <= timeoutMs) return null
  return `handle has busy_timeout ${busyTimeout}, and a call may wait ${timeoutMs} ms; lower it, or raise timeoutMs`
}

/**
 * One level higher without a WAL: after a power cut, a rollback journal that a commit deleted may reappear and undo the
 * commit, unless the folder is synced too. EXTRA does that.
 */
function ofSync(connection: Connection, { synchronous }: Wanted): string | null {
  if (connection.isInMemory) return null
  const isWal = connection.value('PRAGMA journal_mode') === 'wal'
  const least = (synchronous === 'FULL' ? 2 : 1) + (isWal ? 0 : 1)
  const found = Number(connection.value('PRAGMA synchronous'))
  const orWeaker = synchronous === 'FULL' ? `, or the option durability to 'process-crash'` : ''
  if (found < least) {
    const wal = isWal ? '' : `set PRAGMA journal_mode = WAL, or `
    return `handle has synchronous ${LEVELS[found]}, and a power cut could undo acknowledged writes or destroy the database; ${wal}set PRAGMA synchronous = ${LEVELS[least]}${orWeaker}`
  }
  const isSynced = process.platform !== 'darwin' || synchronous === 'NORMAL'
  if (isSynced || connection.value('PRAGMA fullfsync') === 1) return null
  return `handle has fullfsync off, and the drive may lose acknowledged writes; set PRAGMA fullfsync = ON${orWeaker}`
}
