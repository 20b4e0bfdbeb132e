import { setImmediate } from 'node:timers/promises'
import { type SessionPage } from '@turnstore/core'
import {
  type CheckedQuery,
  comparePositions,
  damaged,
  damageOf,
  FillingPage,
  type Listed,
  namingSession,
  type Position,
  type Scope,
} from '@turnstore/core/adapter'
import {
  Bindings,
  count,
  filterTerms,
  keyOf,
  orderOf,
  type Row,
  scopeTerms,
  summaryOfRow,
  text,
  upToTerm,
  where,
} from '@turnstore/core/adapter/sql'
import { dialect } from '../tables/dialect.js'
import type { Connection } from '../database/connection.js'
import { sql, summaryColumns, withHead, withLastTurn } from '../tables/statements.js'
import { columns, type IndexScan, scansOf, termsOf } from './listing-sql.js'

/** Runs a transaction, and waits while the database is busy. */
export type Read = <T>(work: () => T) => Promise<T>

/** Rows that a query reads before it yields to the event loop: a few milliseconds of work. */
const CHUNK = 500

/** The same in milliseconds, for rows with much metadata: each may have a megabyte. */
const SLICE_MS = 8

/** The length of a `timeKey`. */
const TIME_LENGTH = 27

/** Null if it is large, which SQLite knows without reading it. */
const SMALL_METADATA = 'iif(octet_length(metadata) <= 8192, metadata, NULL)'

/** The ids of the sessions in a scope. */
export function listIds(connection: Connection, scope: Scope): string[] {
  const bindings = new Bindings(dialect)
  const terms = scopeTerms(scope, { workspaceId: 'workspace_id' }, bindings)
  return connection.values(`SELECT session_id FROM turnstore_sessions ${where(terms)}`, ...bindings.values).map(String)
}

/**
 * Reads one page, a keyset in an index: it costs the same wherever it is. With a filter that no index answers, it reads
 * rows chunk by chunk until the page is full. If that takes longer than `timeoutMs`, the page is short.
 */
export async function readPage(
  connection: Connection,
  read: Read,
  query: CheckedQuery,
  timeoutMs: number,
): Promise<SessionPage> {
  const deadline = performance.now() + timeoutMs
  const page = new FillingPage(query)
  let after = query.after
  for (;;) {
    const { rows, end } = await read(() => readChunk(connection, query, after, page.room + 1))
    let pause = performance.now() + SLICE_MS
    for (const row of rows) {
      if (performance.now() > pause) {
        await setImmediate()
        pause = performance.now() + SLICE_MS
      }
      const position = positionOrNull(row)
      if (!page.add(summaryOrDamage(row, position), position)) return page.cut()
    }
    if (end === null) return page.end()
    page.pass(end)
    if (performance.now() > deadline) return page.cut()
    after = end
    await setImmediate()
  }
}

/** The next rows that may match a query, in its order. */
interface Chunk {
  readonly rows: readonly Row[]
  /** The position up to which it looked. Null: to the end. */
  readonly end: Position | null
}

/** @param most how many rows the page can use */
function readChunk(connection: Connection, query: CheckedQuery, after: Position | undefined, most: number): Chunk {
  const [scan, ...others] = scansOf(query)
  // Metadata and the status of the last turn are compared later, so any row may match.
  const comparesMetadata = query.metadata.length > 0
  const isCompared = comparesMetadata || query.lastTurnStatus !== undefined
  const limit = isCompared ? CHUNK : Math.min(most, CHUNK)
  const isFiltered = filterTerms(query, columns, new Bindings(dialect)).length > 0
  const border = isFiltered ? positionAhead(connection, query, scan, after) : null
  const rowsOn = (each: IndexScan): Row[] => {
    const bindings = new Bindings(dialect)
    const key = keyOf(query, each.columns)
    const terms = [
      ...termsOf(query, each, after, bindings),
      ...each.only,
      ...(border === null ? [] : [upToTerm(query, each.columns, border, bindings)]),
      ...filterTerms(query, columns, bindings),
    ]
    const stretch = `${where(terms)} ORDER BY ${orderOf(query, each.columns)} LIMIT ${bindings.bind(limit)}`
    const column = comparesMetadata ? SMALL_METADATA : 'metadata'
    const metadata = `(SELECT ${column} FROM turnstore_details WHERE session = s.id) AS metadata`
    return connection.all(
      each.isSorted
        ? // SQLite sorts the rows without their metadata.
          `WITH found AS MATERIALIZED (SELECT s.*, ${key} AS place FROM ${each.table} ${stretch})
           SELECT ${summaryColumns}, ${metadata} FROM found AS s ${withHead} ${withLastTurn}`
        : `SELECT ${summaryColumns}, ${key} AS place, ${metadata} FROM ${each.table} ${withLastTurn} ${stretch}`,
      ...bindings.values,
    )
  }
  const rows = rowsOn(scan)
  const more = others.flatMap(rowsOn)
  const inOrder = more.length === 0 && !scan.isSorted ? rows : sorted(query, [...rows, ...more]).slice(0, limit)
  const found = comparesMetadata ? withAllMetadata(connection, inOrder) : inOrder
  const last = found.length === limit || found.length < inOrder.length ? found.at(-1) : undefined
  return { rows: found, end: last === undefined ? border : positionOfRow(last) }
}

/** Adds large metadata to the first rows, as many as there is time for. */
function withAllMetadata(connection: Connection, rows: readonly Row[]): Row[] {
  const end = performance.now() + SLICE_MS
  const found: Row[] = []
  for (const row of rows) {
    if (found.length > 0 && performance.now() > end) break
    found.push(row.metadata === null ? { ...row, metadata: connection.value(sql.metadata, count(row, 'id')) } : row)
  }
  return found
}

/** The position of the last row of a chunk, whether it matches or not. Null if fewer rows are left. */
function positionAhead(
  connection: Connection,
  query: CheckedQuery,
  scan: IndexScan,
  after: Position | undefined,
): Position | null {
  const bindings = new Bindings(dialect)
  const found = `SELECT s.session_id, ${keyOf(query, scan.columns)} AS place FROM ${scan.table}`
  const terms = termsOf(query, scan, after, bindings)
  const row = connection.get(
    `${found} ${where(terms)} ORDER BY ${orderOf(query, scan.columns)} LIMIT 1 OFFSET ${bindings.bind(CHUNK - 1)}`,
    ...bindings.values,
  )
  return row === undefined ? null : positionOfRow(row)
}

function sorted(query: CheckedQuery, rows: readonly Row[]): Row[] {
  const direction = query.order === 'asc' ? 1 : -1
  return rows
    .map(row => ({ row, position: positionOfRow(row) }))
    .toSorted((a, b) => comparePositions(a.position, b.position) * direction)
    .map(({ row }) => row)
}

function positionOfRow(row: Row): Position {
  return { time: text(row, 'place'), sessionId: text(row, 'session_id') }
}

function summaryOrDamage(row: Row, position: Position | null): Listed {
  try {
    if (position !== null) return summaryOfRow(row)
    throw namingSession(text(row, 'session_id'), damaged('it is listed at no time'))
  } catch (error) {
    const sessionId = text(row, 'session_id')
    const damage = damageOf(sessionId, error)
    if (damage === null) throw error
    return damage
  }
}

/** Null if no cursor can be made of it. All times have one width, and an unreadable one is ''. */
function positionOrNull(row: Row): Position | null {
  const position = positionOfRow(row)
  const { length } = position.time
  return length === 0 || length === TIME_LENGTH ? position : null
}
