/*
 * The part of better-sqlite3 that this package uses. Any version or copy of this shape fits.
 */

export interface SqliteDatabase {
  readonly name: string
  readonly open: boolean
  readonly inTransaction: boolean
  readonly memory: boolean
  prepare(sql: string): SqliteStatement
  exec(sql: string): unknown
  close(): unknown
}

export interface SqliteStatement {
  run(...values: SqlValue[]): { changes: number }
  get(...values: SqlValue[]): unknown
  all(...values: SqlValue[]): unknown[]
  pluck(on?: boolean): SqliteStatement
  safeIntegers(on?: boolean): SqliteStatement
}

export type SqlValue = string | number | null

/** A row as the driver returns it. Its columns are unchecked: read them with `tables/columns.ts`. */
export type Row = Readonly<Record<string, unknown>>

/** Whether a value has the shape of a `Database` of better-sqlite3. */
export function isDatabase(value: unknown): value is SqliteDatabase {
  return (
    typeof value === 'object' &&
    value !== null &&
    'inTransaction' in value &&
    typeof value.inTransaction === 'boolean' &&
    'memory' in value &&
    typeof value.memory === 'boolean' &&
    ['prepare', 'exec', 'close'].every(method => typeof Reflect.get(value, method) === 'function')
  )
}
