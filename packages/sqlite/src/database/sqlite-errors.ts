import { isTurnstoreError, TurnstoreError, type WriteOutcome } from '@turnstore/core'
import { quote, safeCause, withDetails } from '@turnstore/core/adapter'

/** A lent handle is in use by its owner: a transaction of his is open, or an iterator. */
export class Occupied extends Error {}

/** Beside the database is a file of another one. Or another process is opening it, and the next look finds none. */
export class LeftBeside extends Error {
  readonly path: string

  /** @param path of that file */
  constructor(path: string) {
    super()
    this.path = path
  }
}

/** Whether waiting may help: others hold a lock, open the database, or the owner of a shared handle uses it. */
export function isBusy(error: unknown): boolean {
  return error instanceof Occupied || error instanceof LeftBeside || /^SQLITE_(BUSY|LOCKED)/.test(codeOf(error))
}

/** Whether a statement does not fit the schema, or the schema needs what the handle does not have. */
export function isOfSchema(error: unknown): boolean {
  return codeOf(error) === 'SQLITE_ERROR'
}

/** What is thrown once waiting is over. */
export function busyError(error: unknown, waitedMs: number): TurnstoreError {
  if (error instanceof LeftBeside) {
    return new TurnstoreError(
      'STORE_UNAVAILABLE',
      `${quote(error.path)} belongs to another database, which was at this path before; move it to that one, or remove it with all others that end with -wal or -shm`,
    )
  }
  const message =
    error instanceof Occupied
      ? `The lent database has had a transaction or an iterator of its owner's open for ${waitedMs} ms; end it, or lend a handle of its own`
      : `Others have held the database for ${waitedMs} ms; try again, or raise timeoutMs`
  return new TurnstoreError('STORE_BUSY', message)
}

/** Whether what is stored cannot be read, or does not fit its table. */
export function isDamage(error: unknown): boolean {
  return /^SQLITE_(CORRUPT|CONSTRAINT)/.test(codeOf(error))
}

/** By the beginning of the code, which may be an extended one. */
const causes: readonly (readonly [code: string, reason: string])[] = [
  ['SQLITE_NOTADB', 'it is not a SQLite database, or an encrypted one'],
  ['SQLITE_READONLY_DBMOVED', 'it was removed, moved or replaced while it was in use; open the store anew'],
  ['SQLITE_READONLY', 'it cannot be written: the file, its folder or the handle is read-only'],
  ['SQLITE_FULL', 'there is no space left for it'],
  ['SQLITE_CANTOPEN', 'it or the files beside it cannot be opened: look at the path, and at the permissions of the folder'],
  ['SQLITE_PERM', 'its permissions forbid it'],
  ['SQLITE_AUTH', 'an authorizer of its owner forbids it'],
  ['SQLITE_NOMEM', 'there is no memory left'],
  // The memory that the processes share is a file as well.
  ['SQLITE_IOERR_SHMSIZE', 'there is no space left for the files beside it'],
  ['SQLITE_IOERR', 'the system failed to read or write it'],
  ['SQLITE_PROTOCOL', 'its locks do not work, as on some network file systems'],
  ['SQLITE_ERROR', 'its tables are not those of Turnstore, or they need functions that only its owner gives his handle: lend that one'],
]

/**
 * An error of the driver as one of ours, with its code in the cause and its message nowhere.
 * @param outcome of a write. Before the commit it is `not-stored`: whatever throws is rolled back.
 */
export function storeError(error: unknown, path: string, outcome?: WriteOutcome): TurnstoreError {
  const known = outcome === undefined ? {} : { outcome }
  if (isTurnstoreError(error)) return withDetails(error, known)
  const code = codeOf(error)
  const details = { ...known, cause: safeCause(error) }
  if (isDamage(error)) {
    return new TurnstoreError(
      'CORRUPT_SESSION',
      `Database ${quote(path)} is damaged where this is stored; look with checkIntegrity(), and restore a backup`,
      details,
    )
  }
  if (code.startsWith('SQLITE_TOOBIG')) {
    return new TurnstoreError('INVALID_RECORD', 'This is more than SQLite stores in one value (1 GB)', details)
  }
  const reason = causes.find(([known]) => code.startsWith(known))?.[1] ?? 'the driver failed; see cause'
  return new TurnstoreError('STORE_UNAVAILABLE', `Database ${quote(path)}: ${reason}`, details)
}

/**
 * An error of COMMIT. A full disk stops it before the record that makes it valid is written. After a
 * failed write or sync, a crash at this moment may bring back what was rolled back here.
 */
export function commitError(error: unknown, path: string): unknown {
  return codeOf(error).startsWith('SQLITE_IOERR') ? storeError(error, path, 'unknown') : error
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
}
