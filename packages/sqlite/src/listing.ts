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
  const page = (cursor: string | null): SessionPage => ({ sessions, cursor, ...(damaged.length > 0 && { damaged }) })
  let after = query.after
  for (;;) {
    const { rows, end } = await read(() => readChunk(connection, query, after))
    for (const row of rows) {
      const listed = summaryOrDamage(row)
      if ('code' in listed) {
        damaged.push(listed)
      } else if (matches(query, listed)) {
        const last = sessions.at(-1)
        if (last !== undefined && sessions.length === query.limit) return page(cursorBehind(query, last))
        sessions.push(listed)
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

function readChunk(connection: Connection, query: NormalQuery, after: Position | undefined): Chunk {
  const { key, order, index } = orderOf(query)
  const range = rangeOf(query, key, after)
  const filter = filterOf(query)
  const from = `turnstore_sessions AS s INDEXED BY ${index}`
  const isFiltered = filter.terms.length > 0 || query.metadata.length > 0
  const end = isFiltered
    ? connection.get(
        `SELECT s.${key} AS time, s.session_id FROM ${from} ${where(range.terms)} ORDER BY ${order} LIMIT 1 OFFSET +?`,
        ...range.values,
        CHUNK - 1,
      )
    : undefined
  const upTo = end === undefined ? nothing : notBehind(query, key, positionOfRow(end))
  const rows = connection.all(
    `SELECT s.*, d.metadata FROM ${from} LEFT JOIN turnstore_details AS d ON d.session = s.id
     ${where([...range.terms, ...upTo.terms, ...filter.terms])} ORDER BY ${order} LIMIT +?`,
    ...range.values,
    ...upTo.values,
    ...filter.values,
    isFiltered ? CHUNK : query.limit + 1,
  )
  return { rows, end: end === undefined ? null : positionOfRow(end) }
}

const nothing: Where = { terms: [], values: [] }

// Column names, directions and operators come out of the tables below; all else is bound.

function orderOf(query: NormalQuery): { key: string; order: string; index: string } {
  const [key, name] = query.orderBy === 'updatedAt' ? ['updated_key', 'updated'] : ['created_key', 'created']
  const direction = query.order === 'asc' ? 'ASC' : 'DESC'
  return {
    key,
    order: `s.${key} ${direction}, s.session_id ${direction}`,
    index: query.scope === undefined ? `turnstore_sessions_${name}` : `turnstore_sessions_workspace_${name}`,
  }
}

/** What the index answers: the scope, the times of its order, and the place behind which the page begins. */
function rangeOf(query: NormalQuery, key: string, after: Position | undefined): Where {
  const scope = inScopeOf(query.scope)
  const [since, until] =
    query.orderBy === 'updatedAt'
      ? [query.updatedAfter, query.updatedBefore]
      : [query.createdAfter, query.createdBefore]
  const times = between(`s.${key}`, since, until)
  const behind = query.order === 'asc' ? '>' : '<'
  const keyset: Where =
    after === undefined
      ? nothing
      : { terms: [`(s.${key}, s.session_id) ${behind} (+?, +?)`], values: [after.time, after.sessionId] }
  return { terms: [...scope.terms, ...times.terms, ...keyset.terms], values: [...scope.values, ...times.values, ...keyset.values] }
}

function notBehind(query: NormalQuery, key: string, end: Position): Where {
  const within = query.order === 'asc' ? '<=' : '>='
  return { terms: [`(s.${key}, s.session_id) ${within} (+?, +?)`], values: [end.time, end.sessionId] }
}

/** What has to be looked at row by row. Metadata is compared outside: SQL has another idea of what is equal. */
function filterOf(query: NormalQuery): Where {
  const terms: string[] = []
  const values: SqlValue[] = []
  if (query.agentId !== undefined) {
    terms.push('s.agent_id IS +?')
    values.push(query.agentId === null ? null : exact(query.agentId))
  }
  if (query.parentSessionId !== undefined) {
    terms.push('s.parent_session_id IS +?')
    values.push(query.parentSessionId)
  }
  if (query.ended !== undefined) {
    terms.push('s.ended = +?')
    values.push(Number(query.ended))
  }
  const times =
    query.orderBy === 'updatedAt'
      ? between('s.created_key', query.createdAfter, query.createdBefore)
      : between('s.updated_key', query.updatedAfter, query.updatedBefore)
  return { terms: [...terms, ...times.terms], values: [...values, ...times.values] }
}

/** A time that cannot be read has the key '' and is in no stretch. */
function between(column: string, after: string | undefined, before: string | undefined): Where {
  if (after === undefined && before === undefined) return nothing
  const since = `${column} > +?`
  return before === undefined
    ? { terms: [since], values: [after ?? ''] }
    : { terms: [since, `${column} < +?`], values: [after ?? '', before] }
}

function inScopeOf(scope: Scope): Where {
  return scope === undefined ? nothing : { terms: ['workspace_id IS +?'], values: [scope] }
}

function where(terms: readonly string[]): string {
  return terms.length === 0 ? '' : `WHERE ${terms.join(' AND ')}`
}

function positionOfRow(row: Row): Position {
  return { time: text(row, 'time'), sessionId: text(row, 'session_id') }
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
