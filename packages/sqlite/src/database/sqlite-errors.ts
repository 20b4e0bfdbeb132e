import { isTurnstoreError, TurnstoreError, type WriteOutcome } from '@turnstore/core'
import { quote, safeCause, withDetails } from '@turnstore/core/adapter'
import type { FileIdentity } from './file-identity.js'

/** The owner of a shared handle is using it: a transaction or an iterator is open. */
export class Occupied extends Error {}

/** A file beside the database belongs to another one. Or another process is just opening it, and the next try succeeds. */
export class StrayFile extends Error {
  readonly path: string
  readonly left: ReadonlyMap<string, FileIdentity> | null

  /**
   * @param path of that file
   * @param left the files to set aside if they stay; null if a process may be using them with this database
   */
  constructor(path: string, left: ReadonlyMap<string, FileIdentity> | null) {
    super()
    this.path = path
    this.left = left
  }
}

/** Whether waiting may help: others hold a lock or open the database, or the owner of a shared handle is using it. */
export function isBusy(error: unknown): boolean {
  return error instanceof Occupied || error instanceof StrayFile || /^SQLITE_(BUSY|LOCKED)/.test(codeOf(error))
}

/** Whether a statement does not fit the schema, or the schema needs a function that the handle does not have. */
export function isOfSchema(error: unknown): boolean {
  return codeOf(error) === 'SQLITE_ERROR'
}

/** The error when the deadline is over. */
export function busyError(error: unknown, waitedMs: number): TurnstoreError {
  if (error instanceof StrayFile) {
    return new TurnstoreError(
      'STORE_UNAVAILABLE',
      `${quote(error.path)} belongs to another database, which was at this path before; move it to that one, or remove it and any other -wal or -shm beside it`,
    )
  }
  const message =
    error instanceof Occupied
      ? `The owner of the shared handle has had a transaction or an iterator open for ${waitedMs} ms; end it, or give the store its own handle`
      : `Others have held the database for ${waitedMs} ms; try again, or raise timeoutMs`
  return new TurnstoreError('STORE_BUSY', message)
}

/** Whether stored data cannot be read, or does not fit its table. */
export function isDamage(error: unknown): boolean {
  return /^SQLITE_(CORRUPT|CONSTRAINT)/.test(codeOf(error))
}

/** By prefix, since codes may be extended. */
const causes: readonly (readonly [code: string, reason: string])[] = [
  ['SQLITE_NOTADB', 'it is not a SQLite database, or an encrypted one'],
  ['SQLITE_READONLY_DBMOVED', 'it was removed, moved or replaced while it was in use; open a new store'],
  ['SQLITE_READONLY', 'it cannot be written: the file, its folder or the handle is read-only'],
  ['SQLITE_FULL', 'there is no space left for it'],
  ['SQLITE_CANTOPEN', 'it or the files beside it cannot be opened; check the path and the permissions of the folder'],
  ['SQLITE_PERM', 'its permissions forbid it'],
  ['SQLITE_AUTH', 'an authorizer of its owner forbids it'],
  ['SQLITE_NOMEM', 'there is no memory left'],
  // The processes share memory through a file.
  ['SQLITE_IOERR_SHMSIZE', 'there is no space left for the files beside it'],
  ['SQLITE_IOERR', 'the system failed to read or write it'],
  ['SQLITE_PROTOCOL', 'its locks do not work, as on some network file systems'],
  [
    'SQLITE_ERROR',
    'Turnstore did not make its tables, or they need functions that only its owner has registered: share that handle',
  ],
]

/**
 * Converts an error of the driver. Its code is in the cause; its message is dropped, since it may quote stored data.
 * @param outcome of a write: `not-stored` before the commit, since errors roll back
 */
export function storeError(error: unknown, path: string, outcome?: WriteOutcome): TurnstoreError {
  const known = outcome === undefined ? {} : { outcome }
  if (isTurnstoreError(error)) return withDetails(error, known)
  const code = codeOf(error)
  const details = { ...known, cause: safeCause(error) }
  if (isDamage(error)) {
    return new TurnstoreError(
      'CORRUPT_SESSION',
      `Database ${quote(path)} is damaged where this is stored; run checkIntegrity(), and restore a backup`,
      details,
    )
  }
  if (code.startsWith('SQLITE_TOOBIG')) {
    return new TurnstoreError('INVALID_RECORD', 'This exceeds what SQLite stores in one value (1 GB)', details)
  }
  const reason = causes.find(([known]) => code.startsWith(known))?.[1] ?? 'the driver failed; see cause'
  return new TurnstoreError('STORE_UNAVAILABLE', `Database ${quote(path)}: ${reason}`, details)
}

/**
 * Converts an error of COMMIT. A full disk fails before the record that makes the commit valid. After a failed write or
 * sync, a crash may bring back what was rolled back here, so the outcome is unknown.
 */
export function commitError(error: unknown, path: string): unknown {
  return codeOf(error).startsWith('SQLITE_IOERR') ? storeError(error, path, 'unknown') : error
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
}
