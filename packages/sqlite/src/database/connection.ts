import { isAbsolute } from 'node:path'
import { TurnstoreError } from '@turnstore/core'
import { quote } from '@turnstore/core/adapter'
import { DatabaseFiles } from './database-files.js'
import type { Row, SqliteDatabase, SqliteStatement, SqlValue } from './driver.js'
import { isOfThisDriver } from './open-database.js'
import { commitError, Occupied } from './sqlite-errors.js'
import { checkStrayFiles } from './stray-files.js'

/** How a handle is set while the store uses it. */
export interface Settings {
  /** `FULL`: a commit is on the disk. `NORMAL`: the operating system has it. */
  readonly synchronous: 'FULL' | 'NORMAL'
  /** The user's handle: its settings are restored after each use. */
  readonly isShared: boolean
}

/** What a handle remembers between its transactions. */
export interface TransactionCache {
  /** Called first in each transaction: others may have written since. If it throws, the transaction ends. */
  check(): void
  /** Called after a rollback. */
  forget(): void
}

const HIDING = `
  SELECT type, name FROM temp.sqlite_schema WHERE type IN ('table', 'view') AND name LIKE 'turnstore!_%' ESCAPE '!'`

const WRITING = 'BEGIN IMMEDIATE'

type Wanted = readonly [pragma: string, value: () => number]

const neverWait: Wanted = ['busy_timeout', () => 0]

const SYNCHRONOUS = { FULL: 2, NORMAL: 1 } as const

/**
 * A handle on the database, and its transactions. A transaction runs from begin to end without a pause, so nothing else
 * in this process runs in between. If the database is busy, it fails at once, since waiting inside SQLite would block
 * the whole process: the caller waits and tries again.
 */
export class Connection {
  readonly #database: SqliteDatabase
  readonly #settings: Settings
  /** What each transaction sets on a shared handle. */
  readonly #wanted: readonly Wanted[] = [
    // First, so that the others do not wait.
    neverWait,
    // Columns are read by name.
    ['full_column_names', () => 0],
    ['short_column_names', () => 1],
    ['synchronous', () => this.#sharedSynchronous()],
    // On macOS, this makes the drive empty its cache.
    ['fullfsync', () => Number(process.platform === 'darwin' && this.#settings.synchronous === 'FULL')],
  ]
  readonly #statements = new Map<string, SqliteStatement>()
  #cache: TransactionCache | null = null
  /** Null before `watchFiles`, and for a database without a named file. */
  #files: DatabaseFiles | null = null

  constructor(database: SqliteDatabase, settings: Settings) {
    this.#database = database
    this.#settings = settings
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
    this.#files = DatabaseFiles.of({ path: isShared ? file : this.path, file, isShared, pragma })
    if (!isShared) checkStrayFiles(this.#files.main, file)
  }

  /** Whether the user has the handle too, and may use it at any time. */
  get isShared(): boolean {
    return this.#settings.isShared
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
    return this.#use(this.#wanted, () => {
      let result: T
      try {
        unlessIterating(() => this.run(begin))
        if (this.#settings.isShared) this.#refuseHiding()
        this.#cache?.check()
        result = work()
        if (begin === WRITING) this.#files?.checkToCommit()
        else this.#files?.checkRead()
      } catch (error) {
        this.#rollBack()
        throw this.#files?.causeOf(error) ?? error
      }
      try {
        this.run('COMMIT')
      } catch (error) {
        this.#rollBack()
        throw commitError(error, this.path)
      }
      if (begin === WRITING) this.#files?.checkCommitted()
      return result
    })
  }

  /** Sets a shared handle for `work`, then restores its owner's settings. */
  #use<T>(wanted: readonly Wanted[], work: () => T): T {
    this.checkFree()
    const restore = this.#settings.isShared ? this.#applySettings(wanted) : null
    try {
      return work()
    } finally {
      restore?.()
      if (this.#files?.isDisplaced === true) this.close()
    }
  }

  /** SQLite prefers temporary tables and views of the same name, and what is written there is lost. @throws `STORE_UNAVAILABLE` */
  #refuseHiding(): void {
    const hiding = this.get(HIDING)
    if (hiding === undefined) return
    throw new TurnstoreError(
      'STORE_UNAVAILABLE',
      `The shared handle has a temporary ${String(hiding.type)} ${quote(String(hiding.name))}, which hides Turnstore's table of that name; drop it`,
    )
  }

  #rollBack(): void {
    this.#cache?.forget()
    if (this.#database.inTransaction) this.run('ROLLBACK')
  }

  /** Returns a function that restores the owner's settings. */
  #applySettings(wanted: readonly Wanted[]): () => void {
    const undo: string[] = []
    const restore = (): void => {
      for (const pragma of undo) this.exec(pragma)
    }
    try {
      for (const [pragma, valueOf] of wanted) {
        const found = this.value(`PRAGMA ${pragma}`)
        const value = valueOf()
        if (typeof found !== 'number' || found === value) continue
        unlessIterating(() => this.exec(`PRAGMA ${pragma} = ${value}`))
        undo.unshift(`PRAGMA ${pragma} = ${found}`)
      }
    } catch (error) {
      restore()
      throw error
    }
    return restore
  }

  /**
   * One level higher without a WAL: after a power cut, a rollback journal that a commit deleted may reappear and undo
   * the commit, unless the folder is synced too. EXTRA does that.
   */
  #sharedSynchronous(): number {
    const level = SYNCHRONOUS[this.#settings.synchronous]
    return this.value('PRAGMA journal_mode') === 'wal' ? level : level + 1
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
    // No other setting: SQLite drops its schema cache, and could not restore `synchronous` while others hold the database.
    this.#use([neverWait], () => unlessIterating(() => this.run('VACUUM INTO ?', path)))
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
    if (this.#settings.isShared || !this.#database.open) return
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
