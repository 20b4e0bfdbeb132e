import { setImmediate } from 'node:timers/promises'
import type { DamagedSession, SessionPage, SessionSummary } from '@turnstore/core'
import { cursorBehind, damageOf, matches, type NormalQuery, type Position, type Scope } from '@turnstore/core/adapter'
import { exact, type Row, text } from './columns.js'
import type { Connection } from './connection.js'
import type { SqlValue } from './driver.js'
import { summaryOfRow } from './session-reader.js'

/** A transaction that waits while the database is busy. */
export type Read = <T>(work: () => T) => Promise<T>

/** Rows that a filtered query looks at before the rest of the process gets its turn: some milliseconds' work. */
const CHUNK = 500

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
  const page = (cursor: string | null): SessionPage => ({ sessions, cursor, ...(damaged.length > 0 && { damaged }) })
  let after = query.after
  for (;;) {
    const most = query.limit - sessions.length + 1
    const { rows, end } = await read(() => readChunk(connection, query, after, most))
    for (const row of rows) {
      const listed = summaryOrDamage(row)
      if ('code' in listed) {
        damaged.push(listed)
      } else if (matches(query, listed)) {
        const last = sessions.at(-1)
        if (last !== undefined && sessions.length === query.limit) {
          damaged.length = before
          return page(cursorBehind(query, last))
        }
        sessions.push(listed)
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
  const { key, order, index } = orderOf(query)
  const range = rangeOf(query, key, after)
  const filter = filterOf(query)
  const from = `turnstore_sessions AS s INDEXED BY ${index}`
  // Metadata is not looked at here, so that any row may be one that is meant.
  const limit = query.metadata.length > 0 ? CHUNK : most
  const border =
    filter.terms.length === 0
      ? undefined
      : connection.get(
          `SELECT s.${key}, s.session_id FROM ${from} ${where(range.terms)} ORDER BY ${order} LIMIT 1 OFFSET +?`,
          ...range.values,
          CHUNK - 1,
        )
  const upTo = border === undefined ? nothing : notBehind(query, key, positionOfRow(border, key))
  const rows = connection.all(
    `SELECT s.*, d.metadata FROM ${from} LEFT JOIN turnstore_details AS d ON d.session = s.id
     ${where([...range.terms, ...upTo.terms, ...filter.terms])} ORDER BY ${order} LIMIT +?`,
    ...range.values,
    ...upTo.values,
    ...filter.values,
    limit,
  )
  const last = rows.length === limit ? rows.at(-1) : border
  return { rows, end: last === undefined ? null : positionOfRow(last, key) }
}

const nothing: Where = { terms: [], values: [] }

// Column names, directions and operators come out of the tables below; all else is bound.

function orderOf(query: NormalQuery): { key: string; order: string; index: string } {
  const [key, name] = query.orderBy === 'updatedAt' ? ['updated_key', 'updated'] : ['created_key', 'created']
  const direction = query.order === 'asc' ? 'ASC' : 'DESC'
  return { key, order: `s.${key} ${direction}, s.session_id ${direction}`, index: `turnstore_sessions_${indexOf(query, name)}` }
}

/** Forks of one session are few, and are sorted; all else lies in its order already. */
function indexOf(query: NormalQuery, order: string): string {
  if (typeof query.parentSessionId === 'string') return 'parent'
  return query.scope === undefined ? order : `workspace_${order}`
}

/** What the index answers: the scope, the parent, the times of its order, and the place behind which the page begins. */
function rangeOf(query: NormalQuery, key: string, after: Position | undefined): Where {
  const [since, until] =
    query.orderBy === 'updatedAt'
      ? [query.updatedAfter, query.updatedBefore]
      : [query.createdAfter, query.createdBefore]
  const behind = query.order === 'asc' ? '>' : '<'
  return allOf([
    inScopeOf(query.scope),
    // `=` and not IS: the index leaves out those without a parent.
    typeof query.parentSessionId === 'string' ? term('s.parent_session_id = +?', query.parentSessionId) : nothing,
    between(`s.${key}`, since, until),
    after === undefined ? nothing : term(`(s.${key}, s.session_id) ${behind} (+?, +?)`, after.time, after.sessionId),
  ])
}

function notBehind(query: NormalQuery, key: string, end: Position): Where {
  const within = query.order === 'asc' ? '<=' : '>='
  return term(`(s.${key}, s.session_id) ${within} (+?, +?)`, end.time, end.sessionId)
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
      : between('s.updated_key', query.updatedAfter, query.updatedBefore),
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

function positionOfRow(row: Row, key: string): Position {
  return { time: text(row, key), sessionId: text(row, 'session_id') }
}

function summaryOrDamage(row: Row): SessionSummary | DamagedSession {
  try {
    return summaryOfRow(row)
  } catch (error) {
    const damage = damageOf(text(row, 'session_id'), error)
    if (damage === null) throw error
    return damage
  }
}
