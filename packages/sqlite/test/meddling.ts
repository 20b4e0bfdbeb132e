import type { SqliteDatabase, SqliteStatement, SqlValue } from '@turnstore/sqlite'
import type Database from 'better-sqlite3'

/** A handle that calls `before` right before it runs a statement. */
export class Meddling implements SqliteDatabase {
  readonly #database: Database.Database
  before: (sql: string) => void = () => {}

  constructor(database: Database.Database) {
    this.#database = database
  }

  get name(): string {
    return this.#database.name
  }

  get open(): boolean {
    return this.#database.open
  }

  get inTransaction(): boolean {
    return this.#database.inTransaction
  }

  get memory(): boolean {
    return this.#database.memory
  }

  prepare(sql: string): SqliteStatement {
    const statement: Database.Statement<SqlValue[]> = this.#database.prepare<SqlValue[]>(sql)
    const outer: SqliteStatement = {
      run: (...values) => (this.before(sql), statement.run(...values)),
      get: (...values) => statement.get(...values),
      all: (...values) => statement.all(...values),
      pluck: on => (statement.pluck(on), outer),
      safeIntegers: on => (statement.safeIntegers(on), outer),
    }
    return outer
  }

  exec(sql: string): unknown {
    return this.#database.exec(sql)
  }

  close(): unknown {
    return this.#database.close()
  }
}
