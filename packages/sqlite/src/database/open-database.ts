import { closeSync, existsSync, openSync, statSync } from 'node:fs'
import { dirname, isAbsolute, resolve } from 'node:path'
import { TurnstoreError } from '@turnstore/core'
import { quote } from '@turnstore/core/adapter'
import Database from 'better-sqlite3'
import { isDatabase, type SqliteDatabase } from './driver.js'
import { setAside, strayFilesOf } from './stray-files.js'

/** better-sqlite3 13 needs this version of Node-API. Loading it in a Node without it ends the process. */
const NODE_API = 10

/**
 * The absolute path for the driver, so that it never looks like a URI. `:memory:` stays as it is. An absolute path may
 * be any name.
 * @throws `INVALID_ARGUMENT`
 */
export function databasePath(path: string): string {
  if (path === ':memory:') return path
  if (path === '' || path.includes('\0'))
    throw new TurnstoreError('INVALID_ARGUMENT', 'SqliteSessionStore takes the path of a database')
  // The driver would trim it, and open another file.
  if (path !== path.trimEnd())
    throw new TurnstoreError('INVALID_ARGUMENT', `The path ${quote(path)} ends with whitespace; remove it`)
  if (!isAbsolute(path) && LIKE_URI.some(pattern => pattern.test(path))) {
    const advice = 'remove the rest, or make the path absolute if the file has this name'
    throw new TurnstoreError(
      'INVALID_ARGUMENT',
      `${quote(path)} looks like a URI, and SqliteSessionStore takes the path of a file; ${advice}`,
    )
  }
  return resolve(path)
}

/** What SQLite reads in URIs. Here it would become part of a file name, and the settings would have no effect. */
const LIKE_URI = [
  /^(file|sqlite3?|libsql):/i,
  /^[a-z][a-z0-9+.-]*:\/\//i,
  /^:/,
  /\?(.*&)?(mode|cache|immutable|nolock|psow|vfs|modeof)=[^/]*$/i,
]

/** Opens a database of a path with some build of the driver. */
export type OpenDatabase = (path: string) => SqliteDatabase

/**
 * Opens a database, or creates it, readable by its owner alone. The handle never waits for a lock.
 * @throws `STORE_UNAVAILABLE`, `INVALID_ARGUMENT`, or what the driver throws
 */
export function openDatabase(path: string, open: OpenDatabase = openWithDriver): SqliteDatabase {
  checkRuntime()
  if (path !== ':memory:') createPrivately(path)
  const database: unknown = open(path)
  if (!isDatabase(database)) {
    throw new TurnstoreError('INVALID_ARGUMENT', 'options.open must return a new Database of better-sqlite3')
  }
  database.exec('PRAGMA busy_timeout = 0')
  return database
}

function openWithDriver(path: string): SqliteDatabase {
  return new Database(path, { timeout: 0 })
}

/** The driver's maximum: 24 days. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1

/** A read-only handle that waits for locks inside SQLite, for use in a worker thread. */
export function openToRead(path: string, timeoutMs: number): SqliteDatabase {
  return new Database(path, { readonly: true, fileMustExist: true, timeout: Math.min(timeoutMs, LONGEST_TIMEOUT_MS) })
}

/**
 * Whether a handle is of the copy of SQLite that this package opens files with. Two copies in one process must not open
 * one file: when one closes it, the system releases the locks of the other (https://sqlite.org/howtocorrupt.html, 2.2.1).
 * Later writes go into a WAL that the next process to close the database removes.
 */
export function isOfThisDriver(database: SqliteDatabase): boolean {
  return database instanceof Database
}

/** An error, before loading the driver ends the process without one. */
function checkRuntime(): void {
  if (Number(process.versions.napi) < NODE_API) {
    throw new TurnstoreError(
      'STORE_UNAVAILABLE',
      `@turnstore/sqlite needs Node 22.14 or newer, and this is ${process.version}; install a newer one`,
    )
  }
}

/** An empty file is a database without tables. SQLite gives the files beside it the same permissions. */
function createPrivately(path: string): void {
  const left = strayFilesOf(path)
  if (isCreated(path)) setAside(left)
}

function isCreated(path: string): boolean {
  try {
    closeSync(openSync(path, 'wx', 0o600))
    return true
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error
    if (error.code === 'ENOENT') {
      throw new TurnstoreError('STORE_UNAVAILABLE', `There is no folder ${quote(dirname(path))}; create it first`)
    }
    if (error.code === 'EEXIST') checkFound(path)
    // The file exists, or SQLite will report why it cannot be created.
    return false
  }
}

function checkFound(path: string): void {
  if (!existsSync(path)) return createAtLink(path)
  if (statSync(path).isFile()) return
  // A read-only FIFO would block the process until another process writes to it.
  throw new TurnstoreError('STORE_UNAVAILABLE', `${quote(path)} is not a file; check the path`)
}

/** Only if there is no file yet: closing one that is open would release the locks of this process. */
function createAtLink(path: string): void {
  try {
    closeSync(openSync(path, 'a', 0o600))
  } catch {
    // SQLite will report why it cannot be created.
  }
}
