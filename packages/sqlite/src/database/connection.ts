import { isAbsolute } from 'node:path'
import { TurnstoreError } from '@turnstore/core'
import { DatabaseFiles } from './database-files.js'
import type { Row, SqliteDatabase, SqliteStatement, SqlValue } from './driver.js'
import { isOfThisDriver } from './open-database.js'
import { commitError, Occupied } from './sqlite-errors.js'
import { checkStrayFiles } from './stray-files.js'

/** What a handle remembers between its transactions. */
export interface TransactionCache {
  /** Called first in each transaction: others may have written since. If it throws, the transaction ends. */
  check(): void
  /** Called after a rollback. */
  forget(): void
}

const WRITING = 'BEGIN IMMEDIATE'

/**
 * A handle on the database, and its transactions. A transaction runs from begin to end without a pause, so nothing else
 * in this process runs in between. If the database is busy, it fails at once, since waiting inside SQLite would block
 * the whole process: the caller waits and tries again.
 */
export class Connection {
  readonly #database: SqliteDatabase
  /** Whether the user has the handle too, and may use it at any time. */
  readonly isShared: boolean
  readonly #statements = new Map<string, SqliteStatement>()
  #cache: TransactionCache | null = null
  /** Null before `watchFiles`, and for a database without a named file. */
  #files: DatabaseFiles | null = null

  constructor(database: SqliteDatabase, isShared: boolean) {
    this.#database = database
    this.isShared = isShared
  }

  /** From now on, each transaction checks the cache first. */
  useCache(cache: TransactionCache): void {
    this.#cache = cache
  }

  get path(): string {
    return this.#database.name
  }

  /**
   * The absolute path at which another handle can open the database. Null if it is in memory, if the handle is from
   * another copy of the driver, or if the handle locks all others out.
   */
  get file(): string | null {
    this.#checkOpen()
    this.checkFiles()
    if (!isOfThisDriver(this.#database) || this.isExclusive) return null
    return this.#file()
  }

  /** Checks that the path still leads to the file that this handle has open. @throws `STORE_UNAVAILABLE` */
  checkFiles(): void {
    if (this.#database.open) this.#files?.checkMain()
  }

  #file(): string | null {
    const file = this.get('PRAGMA database_list')?.file
    return typeof file === 'string' && isAbsolute(file) ? file : null
  }

  /**
   * Notes which files SQLite has open. From then on, transactions fail once the path leads to other files. Call it
   * before the first read with a handle of our own.
   * @throws `STORE_UNAVAILABLE`, `StrayFile`
   */
  watchFiles(): void {
    this.#checkOpen()
    const file = this.#file()
    if (this.isInMemory || file === null) return
    const { isShared } = this
    const pragma = (name: string): unknown => this.value(`PRAGMA main.${name}`)
    this.#files = DatabaseFiles.of({ path: isShared ? file : this.path, file, pragma })
    if (!isShared) checkStrayFiles(this.#files.main, file)
  }

  get isInMemory(): boolean {
    return this.#database.memory
  }

  /** Whether the handle locks all others out of its database. */
  get isExclusive(): boolean {
    return this.value('PRAGMA main.locking_mode') === 'exclusive'
  }

  /** False after an error at which SQLite ended the transaction itself, such as SQLITE_FULL. */
  get inTransaction(): boolean {
    return this.#database.inTransaction
  }

  /** All reads of `work` see one moment. @throws `Occupied`, or what the driver throws */
  read<T>(work: () => T): T {
    return this.#transaction('BEGIN', work)
  }

  /** Stores all writes of `work`, or none if it throws. @throws `Occupied`, or what the driver throws */
  write<T>(work: () => T): T {
    // Immediate: otherwise, others may write between the first read and the first write.
    return this.#transaction(WRITING, work)
  }

  /** Checks that the owner of a shared handle has not closed it and is not using it. @throws `Occupied`, `STORE_UNAVAILABLE` */
  checkFree(): void {
    this.#checkOpen()
    if (this.#database.inTransaction) throw new Occupied()
  }

  #checkOpen(): void {
    this.#files?.refuseDisplaced()
    if (this.#database.open) return
    throw new TurnstoreError(
      'STORE_UNAVAILABLE',
      'The database was closed by its owner; open a new one and a new store',
    )
  }

  #transaction<T>(begin: string, work: () => T): T {
    this.checkFree()
    try {
      const result = this.#attempt(begin, work)
      try {
        this.run('COMMIT')
      } catch (error) {
        this.#rollBack()
        throw commitError(error, this.path)
      }
      if (begin === WRITING) this.#files?.checkCommitted()
      return result
    } finally {
      if (this.#files?.isDisplaced === true) this.close()
    }
  }

  /** A transaction up to its commit. */
  #attempt<T>(begin: string, work: () => T): T {
    try {
      unlessIterating(() => this.run(begin))
      this.#cache?.check()
      const result = work()
      if (begin === WRITING) this.#files?.checkToCommit()
      else this.#files?.checkRead()
      return result
    } catch (error) {
      this.#rollBack()
      throw this.#files?.causeOf(error) ?? error
    }
  }

  #rollBack(): void {
    this.#cache?.forget()
    if (this.#database.inTransaction) this.run('ROLLBACK')
  }

  run(sql: string, ...values: SqlValue[]): number {
    return this.#prepared(sql, false).run(...values).changes
  }

  get(sql: string, ...values: SqlValue[]): Row | undefined {
    const row = this.#prepared(sql, false).get(...values)
    return isRow(row) ? row : undefined
  }

  all(sql: string, ...values: SqlValue[]): Row[] {
    return this.#prepared(sql, false)
      .all(...values)
      .filter(isRow)
  }

  /** The first column of the first row. */
  value(sql: string, ...values: SqlValue[]): unknown {
    return this.#prepared(sql, true).get(...values)
  }

  /** The first column of all rows. */
  values(sql: string, ...values: SqlValue[]): unknown[] {
    return this.#prepared(sql, true).all(...values)
  }

  /** Copies the whole database, as it is now, into a new or empty file. */
  vacuumInto(path: string): void {
    this.checkFree()
    unlessIterating(() => this.run('VACUUM INTO ?', path))
  }

  /** Rewrites the whole database. Others can read it meanwhile. */
  vacuum(): void {
    this.checkFree()
    this.checkFiles()
    unlessIterating(() => this.run('VACUUM'))
  }

  /** Several statements without values. */
  exec(sql: string): void {
    this.#database.exec(sql)
  }

  /** Each statement is prepared once: the package has a few dozen. */
  #prepared(sql: string, plucked: boolean): SqliteStatement {
    let statement = this.#statements.get(sql)
    if (statement === undefined) {
      // The owner of a shared handle may have chosen bigints.
      statement = this.#database.prepare(sql).safeIntegers(false)
      if (plucked) statement.pluck(true)
      this.#statements.set(sql, statement)
    }
    return statement
  }

  /** Checkpoints the WAL and closes the handle. A shared handle stays open. */
  close(): void {
    this.#statements.clear()
    const files = this.#files
    if (this.isShared || !this.#database.open) return
    try {
      if (files !== null && files.hasUsedWal) {
        files.refuseDisplaced()
        files.check()
        this.value('PRAGMA wal_checkpoint(TRUNCATE)')
      }
    } catch {
      // The WAL stays, and the next process to open the database reads it.
    }
    if (files?.mayClose !== false) this.#database.close()
  }
}

/** The driver throws a TypeError without a code while an iterator of the owner's is open. @throws `Occupied`, or what the driver throws */
function unlessIterating(work: () => void): void {
  try {
    work()
  } catch (error) {
    if (error instanceof TypeError) throw new Occupied()
    throw error
  }
}

function isRow(value: unknown): value is Row {
  return typeof value === 'object' && value !== null
}
