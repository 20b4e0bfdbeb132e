import { closeSync, existsSync, openSync, realpathSync, statSync } from 'node:fs'
import { dirname, isAbsolute, resolve } from 'node:path'
import { TurnstoreError } from '@turnstore/core'
import { quote } from '@turnstore/core/adapter'
import Database from 'better-sqlite3'
import type { SqliteDatabase } from './driver.js'
import { checkBeside, leftBeside, setAside } from './left-beside.js'

/** The version of Node-API that better-sqlite3 13 is built against. On a Node without it, loading it ends the process. */
const NODE_API = 10

/**
 * The path as the driver is to get it: absolute, so that none is taken for a URI. `:memory:` stays. An absolute one is
 * taken as it is, since a file may have any name.
 * @throws `INVALID_ARGUMENT`
 */
export function databasePath(path: string): string {
  if (path === ':memory:') return path
  if (path === '' || path.includes('\0')) throw new TurnstoreError('INVALID_ARGUMENT', 'SqliteSessionStore takes the path of a database')
  // The driver would cut it off, and open another file.
  if (path !== path.trimEnd()) throw new TurnstoreError('INVALID_ARGUMENT', `The path ${quote(path)} ends with a blank; leave it out`)
  if (!isAbsolute(path) && LIKE_URI.some(pattern => pattern.test(path))) {
    const advice = 'leave the rest out, or make the path absolute if the file has this name'
    throw new TurnstoreError('INVALID_ARGUMENT', `${quote(path)} looks like a URI, and SqliteSessionStore takes the path of a file; ${advice}`)
  }
  return resolve(path)
}

/** What SQLite reads in URIs. Here it would become the name of a file, and its settings mean nothing. */
const LIKE_URI = [
  /^(file|sqlite3?|libsql):/i,
  /^[a-z][a-z0-9+.-]*:\/\//i,
  /^:/,
  /\?(.*&)?(mode|cache|immutable|nolock|psow|vfs|modeof)=[^/]*$/i,
]

/**
 * Opens a handle on a database, which is created where there is none, for its owner alone. The handle
 * never waits for a lock.
 * @throws `STORE_UNAVAILABLE`, or what the driver throws
 */
export function openDatabase(path: string): SqliteDatabase {
  checkRuntime()
  if (path !== ':memory:') createPrivately(path)
  return new Database(path, { timeout: 0 })
}

/** Most that the driver takes: 24 days. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1

/** A handle that only reads, and waits for locks inside SQLite: for a thread that may. */
export function openToRead(path: string, timeoutMs: number): SqliteDatabase {
  return new Database(path, { readonly: true, fileMustExist: true, timeout: Math.min(timeoutMs, LONGEST_TIMEOUT_MS) })
}

/**
 * Whether a handle is of the SQLite that this package opens files with. Two copies in one process must not open one
 * file: where one closes it, the system takes the locks of the other away (https://sqlite.org/howtocorrupt.html, 2.2.1),
 * and what is written from then on goes into a WAL that the next process to close the database removes.
 */
export function isOfThisDriver(database: SqliteDatabase): boolean {
  return database instanceof Database
}

/** In one sentence, before loading the driver ends the process without one. */
function checkRuntime(): void {
  if (Number(process.versions.napi) < NODE_API) {
    throw new TurnstoreError(
      'STORE_UNAVAILABLE',
      `@turnstore/sqlite needs Node 22.14 or newer, and this is ${process.version}; install a newer one`,
    )
  }
}

/** An empty file is a database without tables. Those beside it get its permissions. */
function createPrivately(path: string): void {
  const left = leftBeside(path)
  if (isCreated(path)) setAside(left)
}

function isCreated(path: string): boolean {
  try {
    closeSync(openSync(path, 'wx', 0o600))
    return true
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error
    if (error.code === 'ENOENT') {
      throw new TurnstoreError('STORE_UNAVAILABLE', `There is no folder ${quote(dirname(path))}; make it first`)
    }
    if (error.code === 'EEXIST') checkFound(path)
    // It is there already, or SQLite will say why it cannot be.
    return false
  }
}

function checkFound(path: string): void {
  if (!existsSync(path)) return createBehindLink(path)
  if (statSync(path).isFile()) return checkBeside(realpathSync(path))
  // A FIFO that may only be read would hold up the process until somebody writes into it.
  throw new TurnstoreError('STORE_UNAVAILABLE', `${quote(path)} is no file; look at the path`)
}

/** Only where there is no file yet: closing one that is open would take the locks of this process away. */
function createBehindLink(path: string): void {
  try {
    closeSync(openSync(path, 'a', 0o600))
  } catch {
    // SQLite will say why it cannot be.
  }
}
