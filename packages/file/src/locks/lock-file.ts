import { accessSync, chmodSync, closeSync, constants, existsSync, lstatSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { isOutOfDescriptors } from '../disk/system-code.js'
import { LockError, lockError, withLockErrors } from './lock-error.js'

/** An empty file on which SQLite takes and frees a kernel lock. Nothing is ever written into it. */
export class LockFile {
  readonly #path: string
  readonly #identity: string
  readonly #database: DatabaseSync
  readonly #begin: StatementSync
  readonly #rollback: StatementSync

  private constructor(path: string, identity: string, database: DatabaseSync) {
    this.#path = path
    this.#identity = identity
    this.#database = database
    // The default journal mode would create and unlink a journal for each BEGIN IMMEDIATE on an empty database.
    database.exec('PRAGMA journal_mode = MEMORY')
    this.#begin = database.prepare('BEGIN IMMEDIATE')
    this.#rollback = database.prepare('ROLLBACK')
  }

  static open(path: string): LockFile {
    for (let attempt = 0; attempt < 3; attempt++) {
      // Checked before opening: opening a FIFO would hang, and a link would be followed.
      const before = identityOf(path)
      const database = withLockErrors(path, () => openDatabase(path))
      try {
        if (before === undefined) chmodSync(path, 0o600)
        const identity = identityOf(path)
        if (identity !== undefined && (before === undefined || before === identity)) {
          return withLockErrors(path, () => new LockFile(path, identity, database))
        }
      } catch (error) {
        database.close()
        throw error
      }
      database.close()
    }
    throw new LockError('LOCK_FAILED', `The lock file is replaced repeatedly while it is opened: ${path}`)
  }

  tryLock(): boolean {
    try {
      this.#begin.run()
      return true
    } catch (error) {
      if (isBusy(error)) return false
      throw lockError(this.#path, error)
    }
  }

  unlock(): void {
    withLockErrors(this.#path, () => this.#rollback.run())
  }

  /** Whether the path still names the file that is open here. */
  isInPlace(): boolean {
    try {
      return identityOf(this.#path) === this.#identity
    } catch {
      return false
    }
  }

  close(): void {
    this.#database.close()
  }
}

/** @throws `EMFILE`, `ENFILE` if the process is out of descriptors, which SQLite's own error does not say */
function openDatabase(path: string): DatabaseSync {
  const { DatabaseSync } = loadSqlite()
  let database: DatabaseSync
  try {
    database = new DatabaseSync(path, { timeout: 0 })
  } catch (error) {
    throw descriptorErrorAt(dirname(path)) ?? accessErrorAt(path) ?? error
  }
  // SQLite opens a file that may only be read, and its lock then excludes nobody.
  try {
    accessSync(path, constants.W_OK)
  } catch (error) {
    database.close()
    throw error
  }
  return database
}

/** Opens the folder, not a lock file: closing a lock file would free the locks on it. */
function descriptorErrorAt(folder: string): unknown {
  try {
    closeSync(openSync(folder, 'r'))
  } catch (error) {
    if (isOutOfDescriptors(error)) return error
  }
  return null
}

/** SQLite says of a file that may not be written only that it cannot be opened. */
function accessErrorAt(path: string): unknown {
  try {
    accessSync(existsSync(path) ? path : dirname(path), constants.W_OK)
  } catch (error) {
    return error
  }
  return null
}

/** Device and inode of the lock file at `path`, undefined if there is none. Refuses anything else. */
function identityOf(path: string): string | undefined {
  const stats = lstatSync(path, { bigint: true, throwIfNoEntry: false })
  if (stats === undefined) return undefined
  if (!stats.isFile() || stats.size > 0n) {
    throw new LockError('LOCK_FILE_REFUSED', `A lock file must be an empty regular file, and this is not: ${path}; remove it`)
  }
  return `${stats.dev}:${stats.ino}`
}

function loadSqlite(): { DatabaseSync: typeof DatabaseSync } {
  // Loaded on first use, so that a runtime without it can import this module. Typed as always present.
  const sqlite: { DatabaseSync: typeof DatabaseSync } | undefined = process.getBuiltinModule('node:sqlite')
  if (sqlite === undefined) {
    throw new LockError(
      'LOCK_UNSUPPORTED',
      'This runtime has no node:sqlite, which the locks need. Use Node 22.14 or later, or a current Bun or Deno',
    )
  }
  return sqlite
}

function isBusy(error: unknown): boolean {
  const sqliteBusy = 5
  return (
    error instanceof Error && 'errcode' in error && typeof error.errcode === 'number' && (error.errcode & 0xff) === sqliteBusy
  )
}
