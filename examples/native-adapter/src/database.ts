import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { isTurnstoreError, TurnstoreError, type WriteOutcome } from '@turnstore/core'
import { Backoff, safeCause } from '@turnstore/core/adapter'
import type { Row, SqlValue, Statement } from '@turnstore/core/adapter/sql'
import { SCHEMA, SCHEMA_VERSION } from './schema.js'

/** A handle and its transactions. The driver is synchronous: nothing else in this process runs in between. */
export class Database {
  readonly #handle: DatabaseSync
  readonly #statements = new Map<string, StatementSync>()

  /** @throws `STORE_BUSY`, `STORE_UNAVAILABLE`, `SCHEMA_TOO_NEW` */
  constructor(path: string) {
    try {
      this.#handle = new DatabaseSync(path)
      // Waiting inside SQLite would block the whole process.
      this.#handle.exec('PRAGMA busy_timeout = 0; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL')
      this.transaction('BEGIN IMMEDIATE', () => this.#makeTables())
    } catch (error) {
      throw errorOf(error, 'not-stored')
    }
  }

  #makeTables(): void {
    const version = Number(this.get('PRAGMA user_version')?.user_version)
    if (version > SCHEMA_VERSION) {
      throw new TurnstoreError('SCHEMA_TOO_NEW', `This database has version ${version}; update turnstore-node-sqlite`)
    }
    if (version === 0) this.#handle.exec(`${SCHEMA}; PRAGMA user_version = ${SCHEMA_VERSION}`)
  }

  /** Stores all that `work` writes, or nothing if it throws. Its reads are of one moment. */
  transaction<T>(begin: 'BEGIN' | 'BEGIN IMMEDIATE', work: () => T): T {
    let outcome: WriteOutcome = 'not-stored'
    try {
      this.#handle.exec(begin)
      const result = work()
      // After a COMMIT that failed, nobody knows.
      outcome = 'unknown'
      this.#handle.exec('COMMIT')
      return result
    } catch (error) {
      this.#undo('ROLLBACK')
      throw errorOf(error, isBusy(error) ? 'not-stored' : outcome)
    }
  }

  /** A part of a transaction that leaves nothing if it throws. */
  part<T>(work: () => T): T {
    this.#handle.exec('SAVEPOINT part')
    try {
      const result = work()
      this.#handle.exec('RELEASE part')
      return result
    } catch (error) {
      this.#undo('ROLLBACK TO part; RELEASE part')
      throw error
    }
  }

  #undo(statement: string): void {
    try {
      this.#handle.exec(statement)
    } catch {
      // SQLite ended the transaction itself, as it does when the disk is full.
    }
  }

  get(text: string, ...values: SqlValue[]): Row | undefined {
    return this.#prepared(text).get(...values)
  }

  all(text: string, ...values: readonly SqlValue[]): Row[] {
    return this.#prepared(text).all(...values)
  }

  /** How many rows it changed. */
  run({ text, values }: Statement): number {
    return Number(this.#prepared(text).run(...values).changes)
  }

  #prepared(text: string): StatementSync {
    const statement = this.#statements.get(text) ?? this.#handle.prepare(text)
    this.#statements.set(text, statement)
    return statement
  }

  close(): void {
    this.#handle.close()
  }
}

/** Tries again while others hold the database, with pauses in which this process goes on. */
export async function whileBusy<T>(work: () => T, timeoutMs: number): Promise<T> {
  // Longer pauses are unfair: a process that writes all the time would keep the others waiting.
  const backoff = new Backoff(timeoutMs, 4)
  for (;;) {
    try {
      return work()
    } catch (error) {
      if (!isTurnstoreError(error, 'STORE_BUSY') || !(await backoff.wait())) throw error
    }
  }
}

/** SQLite's result code, without what extends it: https://sqlite.org/rescode.html */
function codeOf(error: unknown): number {
  return error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : 0
}

function isBusy(error: unknown): boolean {
  return [5, 6].includes(codeOf(error))
}

/** An error that is safe to print: the message of the driver may quote what is stored. */
function errorOf(error: unknown, outcome: WriteOutcome): TurnstoreError {
  if (isTurnstoreError(error)) return error
  const details = { outcome, cause: safeCause(error) }
  if (isBusy(error)) return new TurnstoreError('STORE_BUSY', 'Others hold the database; try again', details)
  // SQLITE_CORRUPT, SQLITE_CONSTRAINT
  if ([11, 19].includes(codeOf(error))) {
    return new TurnstoreError('CORRUPT_SESSION', 'The database is damaged where this is stored', details)
  }
  return new TurnstoreError('STORE_UNAVAILABLE', `SQLite failed with code ${codeOf(error)}`, details)
}
