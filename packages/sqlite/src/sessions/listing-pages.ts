import { setImmediate } from 'node:timers/promises'
import { type DamagedSession, type SessionPage, type SessionSummary, TurnstoreError } from '@turnstore/core'
import {
  comparePositions,
  cursorBehind,
  damageOf,
  matches,
  type NormalQuery,
  type Position,
  type Scope,
} from '@turnstore/core/adapter'
import type { Connection } from '../database/connection.js'
import type { Row, SqlValue } from '../database/driver.js'
import { count, exact, text } from '../tables/columns.js'
import { sql, withHead } from '../tables/statements.js'
import { ofSession } from './damage.js'
import { summaryOfRow } from './session-rows.js'

/** A transaction that waits while the database is busy. */
export type Read = <T>(work: () => T) => Promise<T>

/** Rows that a filtered query looks at before the rest of the process gets its turn: some milliseconds' work. */
const CHUNK = 500

/** The same in milliseconds, where rows have much metadata: so many may have as many megabytes. */
const SLICE_MS = 8

/** Of an instant, as `timeKey` writes it. */
const TIME_LENGTH = 27

/** Null where it is much, which SQLite sees without reading it. */
const LITTLE_METADATA = 'iif(octet_length(metadata) <= 8192, metadata, NULL)'

const COLUMNS = 's.*, h.updated_at, h.revision, h.turn_count, h.transition_count'

/**
 * When a session was changed last, whether it has its place in the index of that or has left it. Its head may be lost,
 * or hold there what is no text, which is behind every text and no place for a cursor.
 */
const CHANGED_KEY = `iif(typeof(h.updated_key) = 'text', h.updated_key, s.updated_key)`

/** Where a query begins and ends in the order of an index, and what it wants there. */
interface Where {
  readonly terms: readonly string[]
  readonly values: readonly SqlValue[]
}

/** The ids of the sessions in a scope. */
export function listIds(connection: Connection, scope: Scope): string[] {
  const { terms, values } = inScopeOf(scope)
  return connection.values(`SELECT session_id FROM turnstore_sessions ${where(terms)}`, ...values).map(String)
}

/**
 * One page: a keyset in an index, so it costs the same whatever lies before and behind it. With a filter
 * that no index answers, rows are looked at chunk by chunk until the page is full; where that takes
 * longer than `timeoutMs`, the page is short.
 */
export async function readPage(
  connection: Connection,
  read: Read,
  query: NormalQuery,
  timeoutMs: number,
): Promise<SessionPage> {
  const deadline = performance.now() + timeoutMs
  const sessions: SessionSummary[] = []
  const damaged: DamagedSession[] = []
  /** Of the damaged ones, so many stand before the last session: those behind it are of the next page. */
  let before = 0
  /** Where the last session stands: its own time, which may have been altered beside the index, could lead back. */
  let place: Position | null = null
  const page = (cursor: string | null): SessionPage => ({ sessions, cursor, ...(damaged.length > 0 && { damaged }) })
  let after = query.after
  for (;;) {
    const most = query.limit - sessions.length + 1
    const { rows, end } = await read(() => readChunk(connection, query, after, most))
    let pause = performance.now() + SLICE_MS
    for (const row of rows) {
      if (performance.now() > pause) {
        await setImmediate()
        pause = performance.now() + SLICE_MS
      }
      const listed = summaryOrDamage(row)
      if ('code' in listed) {
        damaged.push(listed)
      } else if (matches(query, listed)) {
        if (place !== null && sessions.length === query.limit) {
          damaged.length = before
          return page(cursorBehind(query, place))
        }
        sessions.push(listed)
        place = positionOfRow(row)
        before = damaged.length
      }
    }
    if (end === null) return page(null)
    if (performance.now() > deadline) return page(cursorBehind(query, end))
    after = end
    await setImmediate()
  }
}

/** The next rows that a query may mean, in its order. */
interface Chunk {
  readonly rows: readonly Row[]
  /** How far it looked; null: to the end. */
  readonly end: Position | null
}

/** @param most rows that are of use */
function readChunk(connection: Connection, query: NormalQuery, after: Position | undefined, most: number): Chunk {
  const filter = filterOf(query)
  const [way, ...others] = waysOf(query)
  // Metadata is not compared here, so that any row may be one that is meant.
  const comparesMetadata = query.metadata.length > 0
  const limit = comparesMetadata ? CHUNK : most
  const border = filter.terms.length === 0 ? null : positionAhead(connection, query, way, after)
  const rowsOn = (each: Way): Row[] => {
    const upTo = border === null ? nothing : notBehind(query, each.key, border)
    const { terms, values } = allOf([rangeOf(query, each.key, after), each.only, upTo, filter])
    const stretch = `${where(terms)} ORDER BY ${orderOf(query, each.key)} LIMIT +?`
    const wanted = comparesMetadata ? LITTLE_METADATA : 'metadata'
    const metadata = `(SELECT ${wanted} FROM turnstore_details WHERE session = s.id) AS metadata`
    return connection.all(
      each.isSorted
        ? // What SQLite has to sort, it sorts without the metadata.
          `WITH found AS MATERIALIZED (SELECT s.*, ${each.key} AS place FROM ${each.table} ${stretch})
           SELECT ${COLUMNS}, ${metadata} FROM found AS s ${withHead}`
        : `SELECT ${COLUMNS}, ${each.key} AS place, ${metadata} FROM ${each.table} ${stretch}`,
      ...values,
      limit,
    )
  }
  const rows = rowsOn(way)
  const more = others.flatMap(rowsOn)
  const inOrder = more.length === 0 && !way.isSorted ? rows : sorted(query, [...rows, ...more]).slice(0, limit)
  const found = comparesMetadata ? withAllMetadata(connection, inOrder) : inOrder
  const last = found.length === limit || found.length < inOrder.length ? found.at(-1) : undefined
  return { rows: found, end: last === undefined ? border : positionOfRow(last) }
}

/** The first rows, as many as there is time for. */
function withAllMetadata(connection: Connection, rows: readonly Row[]): Row[] {
  const end = performance.now() + SLICE_MS
  const found: Row[] = []
  for (const row of rows) {
    if (found.length > 0 && performance.now() > end) break
    found.push(row.metadata === null ? { ...row, metadata: connection.value(sql.metadata, count(row, 'id')) } : row)
  }
  return found
}

/** That of the last row of a chunk, wanted or not; null where so many do not follow. */
function positionAhead(connection: Connection, query: NormalQuery, way: Way, after: Position | undefined): Position | null {
  const { terms, values } = rangeOf(query, way.key, after)
  const row = connection.get(
    `SELECT s.session_id, ${way.key} AS place FROM ${way.table} ${where(terms)} ORDER BY ${orderOf(query, way.key)} LIMIT 1 OFFSET +?`,
    ...values,
    CHUNK - 1,
  )
  return row === undefined ? null : positionOfRow(row)
}

function sorted(query: NormalQuery, rows: readonly Row[]): Row[] {
  const direction = query.order === 'asc' ? 1 : -1
  return rows
    .map(row => ({ row, position: positionOfRow(row) }))
    .toSorted((a, b) => comparePositions(a.position, b.position) * direction)
    .map(({ row }) => row)
}

const nothing: Where = { terms: [], values: [] }

// Column names, directions and operators come out of the tables below; all else is bound.

/** Where sessions stand in the order of a query, by their `key`. */
interface Way {
  readonly key: string
  readonly table: string
  readonly only: Where
  /** Whether the index does not have them in this order. */
  readonly isSorted: boolean
}

/** Forks of one session are few, and so are those that have moved and stand apart. */
function waysOf(query: NormalQuery): [Way, ...Way[]] {
  const { orderBy, parentSessionId, scope } = query
  const byUpdate = orderBy === 'updatedAt'
  if (typeof parentSessionId === 'string') return [wayAlong('parent', byUpdate ? CHANGED_KEY : 's.created_key', { isSorted: true })]
  const prefix = scope === undefined ? '' : 'workspace_'
  if (!byUpdate) return [wayAlong(`${prefix}created`, 's.created_key')]
  return [
    wayAlong(`${prefix}updated`, 's.updated_key', { only: term('s.moved = 0') }),
    wayAlong('moved', CHANGED_KEY, { only: term('s.moved = 1'), isSorted: true }),
  ]
}

function wayAlong(index: string, key: string, { only = nothing, isSorted = false }: Partial<Way> = {}): Way {
  return { key, table: `turnstore_sessions AS s INDEXED BY turnstore_sessions_${index} ${withHead}`, only, isSorted }
}

function orderOf({ order }: NormalQuery, key: string): string {
  const direction = order === 'asc' ? 'ASC' : 'DESC'
  return `${key} ${direction}, s.session_id ${direction}`
}

/** What the index answers: the scope, the parent, the times of its order, and the place behind which the page begins. */
function rangeOf(query: NormalQuery, key: string, after: Position | undefined): Where {
  const [since, until] =
    query.orderBy === 'updatedAt'
      ? [query.updatedAfter, query.updatedBefore]
      : [query.createdAfter, query.createdBefore]
  const behind = query.order === 'asc' ? '>' : '<'
  return allOf([
    // What is no text is no place to go on from: damage, which the check tells.
    term(`typeof(${key}) = 'text' AND typeof(s.session_id) = 'text'`),
    inScopeOf(query.scope),
    // `=` and not IS: the index leaves out those without a parent.
    typeof query.parentSessionId === 'string' ? term('s.parent_session_id = +?', query.parentSessionId) : nothing,
    between(key, since, until),
    after === undefined ? nothing : term(`(${key}, s.session_id) ${behind} (+?, +?)`, after.time, after.sessionId),
  ])
}

function notBehind(query: NormalQuery, key: string, end: Position): Where {
  const within = query.order === 'asc' ? '<=' : '>='
  return term(`(${key}, s.session_id) ${within} (+?, +?)`, end.time, end.sessionId)
}

/** What has to be looked at row by row. Metadata is compared outside: SQL has another idea of what is equal. */
function filterOf(query: NormalQuery): Where {
  const { agentId, parentSessionId, ended } = query
  return allOf([
    agentId === undefined ? nothing : term('s.agent_id IS +?', agentId === null ? null : exact(agentId)),
    parentSessionId === null ? term('s.parent_session_id IS +?', null) : nothing,
    ended === undefined ? nothing : term('s.ended = +?', Number(ended)),
    query.orderBy === 'updatedAt'
      ? between('s.created_key', query.createdAfter, query.createdBefore)
      : between(CHANGED_KEY, query.updatedAfter, query.updatedBefore),
  ])
}

/** A time that cannot be read has the key '' and is in no stretch. */
function between(column: string, after: string | undefined, before: string | undefined): Where {
  if (after === undefined && before === undefined) return nothing
  const since = term(`${column} > +?`, after ?? '')
  return before === undefined ? since : allOf([since, term(`${column} < +?`, before)])
}

function inScopeOf(scope: Scope): Where {
  return scope === undefined ? nothing : term('workspace_id IS +?', scope)
}

function term(text: string, ...values: SqlValue[]): Where {
  return { terms: [text], values }
}

function allOf(parts: readonly Where[]): Where {
  return { terms: parts.flatMap(({ terms }) => terms), values: parts.flatMap(({ values }) => values) }
}

function where(terms: readonly string[]): string {
  return terms.length === 0 ? '' : `WHERE ${terms.join(' AND ')}`
}

function positionOfRow(row: Row): Position {
  return { time: text(row, 'place'), sessionId: text(row, 'session_id') }
}

function summaryOrDamage(row: Row): SessionSummary | DamagedSession {
  try {
    ofSession(text(row, 'session_id'), () => checkPlace(row))
    return summaryOfRow(row)
  } catch (error) {
    const damage = damageOf(text(row, 'session_id'), error)
    if (damage === null) throw error
    return damage
  }
}

/** A cursor is made of it: all times are of one width, and one that cannot be read is ''. */
function checkPlace(row: Row): void {
  const { length } = text(row, 'place')
  if (length !== 0 && length !== TIME_LENGTH) throw new TurnstoreError('CORRUPT_SESSION', 'it is listed at no time')
}
