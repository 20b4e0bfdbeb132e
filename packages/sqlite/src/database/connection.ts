import { isAbsolute } from 'node:path'
import { TurnstoreError } from '@turnstore/core'
import { quote } from '@turnstore/core/adapter'
import { DatabaseFiles } from './database-files.js'
import type { Row, SqliteDatabase, SqliteStatement, SqlValue } from './driver.js'
import { checkPairing } from './left-beside.js'
import { isOfThisDriver } from './open-database.js'
import { commitError, Occupied } from './sqlite-errors.js'

/** How a handle has to be set while we use it. */
export interface Settings {
  /** `FULL`: a commit is on the disk. `NORMAL`: it is with the operating system. */
  readonly synchronous: 'FULL' | 'NORMAL'
  /** A handle of the user's own: its settings are put back after each use. */
  readonly isLent: boolean
}

const HIDING = `
  SELECT type, name FROM temp.sqlite_schema WHERE type IN ('table', 'view') AND name LIKE 'turnstore!_%' ESCAPE '!'`

const WRITING = 'BEGIN IMMEDIATE'

type Wanted = readonly [pragma: string, value: () => number]

const neverWait: Wanted = ['busy_timeout', () => 0]

const SYNCHRONOUS = { FULL: 2, NORMAL: 1 } as const

/**
 * A handle on the database, and the transactions on it. Each runs from its begin to its end without a
 * pause, so nothing of this process comes between; one that finds the database busy fails at once, since
 * waiting inside SQLite would hold up the whole process. Who calls waits and tries again.
 */
export class Connection {
  readonly #database: SqliteDatabase
  readonly #settings: Settings
  /** What each transaction on a lent handle wants. */
  readonly #wanted: readonly Wanted[] = [
    // First, so that nothing of what follows waits.
    neverWait,
    // Columns are read by their names.
    ['full_column_names', () => 0],
    ['short_column_names', () => 1],
    ['synchronous', () => this.#lentSynchronous()],
    // On macOS, what makes the drive empty its cache.
    ['fullfsync', () => Number(process.platform === 'darwin' && this.#settings.synchronous === 'FULL')],
  ]
  readonly #statements = new Map<string, SqliteStatement>()
  /** Null before they are watched, and for a database without a file of a name. */
  #files: DatabaseFiles | null = null

  constructor(database: SqliteDatabase, settings: Settings) {
    this.#database = database
    this.#settings = settings
  }

  get path(): string {
    return this.#database.name
  }

  /**
   * The file that another handle can open, wherever the working directory is by now; null for one in memory, for one
   * that was lent out of another copy of the driver, and for one that this handle keeps every other out of.
   */
  get file(): string | null {
    this.#checkOpen()
    this.checkFiles()
    if (!isOfThisDriver(this.#database) || this.isExclusive) return null
    return this.#file()
  }

  /** That another handle finds at the path what this one has open. @throws `STORE_UNAVAILABLE` */
  checkFiles(): void {
    if (this.#database.open) this.#files?.checkMain()
  }

  #file(): string | null {
    const file = this.get('PRAGMA database_list')?.file
    return typeof file === 'string' && isAbsolute(file) ? file : null
  }

  /**
   * Notes which files SQLite has open. From then on, no transaction succeeds once they are others than those at the
   * path. To be called before anything is read with a handle of our own.
   * @throws `STORE_UNAVAILABLE`, `LeftBeside`
   */
  watchFiles(): void {
    this.#checkOpen()
    const file = this.#file()
    if (this.isInMemory || file === null) return
    const { isLent } = this
    const pragma = (name: string): unknown => this.value(`PRAGMA main.${name}`)
    this.#files = DatabaseFiles.of({ path: isLent ? file : this.path, file, isLent, pragma })
    if (!isLent) checkPairing(this.#files, file)
  }

  /** Whether the handle is its owner's, who may use it at any time. */
  get isLent(): boolean {
    return this.#settings.isLent
  }

  get isInMemory(): boolean {
    return this.#database.memory
  }

  /** Whether a lent handle keeps every other one out of its database. */
  get isExclusive(): boolean {
    return this.value('PRAGMA main.locking_mode') === 'exclusive'
  }

  /** False after an error for which SQLite ended the transaction by itself, SQLITE_FULL for instance. */
  get inTransaction(): boolean {
    return this.#database.inTransaction
  }

  /** What `work` reads is all of one moment. @throws `Occupied`, or what the driver throws */
  read<T>(work: () => T): T {
    return this.#transaction('BEGIN', work)
  }

  /** All that `work` writes, or, if it throws, nothing. @throws `Occupied`, or what the driver throws */
  write<T>(work: () => T): T {
    // Immediate: a transaction that reads first and writes then may find that others wrote in between.
    return this.#transaction(WRITING, work)
  }

  /** That the owner of a lent handle has not closed it, and does not use it. @throws `Occupied`, `STORE_UNAVAILABLE` */
  checkFree(): void {
    this.#checkOpen()
    if (this.#database.inTransaction) throw new Occupied()
  }

  #checkOpen(): void {
    this.#files?.refuseDisplaced()
    if (this.#database.open) return
    throw new TurnstoreError('STORE_UNAVAILABLE', 'The database was closed by its owner; open a new one and a new store')
  }

  #transaction<T>(begin: string, work: () => T): T {
    return this.#use(this.#wanted, () => {
      let result: T
      try {
        unlessIterating(() => this.run(begin))
        if (this.#settings.isLent) this.#refuseHiding()
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

  /** With the settings that we want on a lent handle, and its owner's after it. */
  #use<T>(wanted: readonly Wanted[], work: () => T): T {
    this.checkFree()
    const putBack = this.#settings.isLent ? this.#applySettings(wanted) : null
    try {
      return work()
    } finally {
      putBack?.()
      if (this.#files?.isDisplaced === true) this.close()
    }
  }

  /** SQLite looks for a name among what is temporary first: what is written there is lost. @throws `STORE_UNAVAILABLE` */
  #refuseHiding(): void {
    const hiding = this.get(HIDING)
    if (hiding === undefined) return
    throw new TurnstoreError(
      'STORE_UNAVAILABLE',
      `The lent handle has a temporary ${String(hiding.type)} ${quote(String(hiding.name))} of its owner's, which hides what Turnstore has under that name; drop it`,
    )
  }

  #rollBack(): void {
    if (this.#database.inTransaction) this.run('ROLLBACK')
  }

  /** Gives what puts the owner's settings back. */
  #applySettings(wanted: readonly Wanted[]): () => void {
    const undo: string[] = []
    const putBack = (): void => {
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
      putBack()
      throw error
    }
    return putBack
  }

  /**
   * Without a WAL one level higher: a rollback journal that a commit has deleted may come back with the power and
   * undo it, unless its folder is synced as well, which is EXTRA.
   */
  #lentSynchronous(): number {
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
    return this.#prepared(sql, false).all(...values).filter(isRow)
  }

  /** The first column of the first row. */
  value(sql: string, ...values: SqlValue[]): unknown {
    return this.#prepared(sql, true).get(...values)
  }

  /** The first column of all rows. */
  values(sql: string, ...values: SqlValue[]): unknown[] {
    return this.#prepared(sql, true).all(...values)
  }

  /** Writes the whole database, as it is now, into a file that is new or empty. */
  vacuumInto(path: string): void {
    // No other: SQLite forgets the schema, and while others hold the database, `synchronous` could not be put back.
    this.#use([neverWait], () => unlessIterating(() => this.run('VACUUM INTO ?', path)))
  }

  /** Several statements without values. */
  exec(sql: string): void {
    this.#database.exec(sql)
  }

  /** All SQL is of this package, of a few dozen texts, so each is prepared once. */
  #prepared(sql: string, plucked: boolean): SqliteStatement {
    let statement = this.#statements.get(sql)
    if (statement === undefined) {
      // Numbers as numbers, whatever the owner of the handle prefers.
      statement = this.#database.prepare(sql).safeIntegers(false)
      if (plucked) statement.pluck(true)
      this.#statements.set(sql, statement)
    }
    return statement
  }

  /** Closes a handle of our own, after the WAL has gone into the database. One that was lent stays as it is. */
  close(): void {
    this.#statements.clear()
    const files = this.#files
    if (this.#settings.isLent || !this.#database.open) return
    try {
      if (files !== null && files.hasUsedWal) {
        files.refuseDisplaced()
        files.check()
        this.value('PRAGMA wal_checkpoint(TRUNCATE)')
      }
    } catch {
      // The WAL stays, and whoever opens the database next reads it.
    }
    if (files?.mayClose !== false) this.#database.close()
  }
}

/** The driver has no code for it: an iterator of the owner's is open. @throws `Occupied`, or what the driver throws */
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
