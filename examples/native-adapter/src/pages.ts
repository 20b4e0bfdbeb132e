import type { SessionPage } from '@turnstore/core'
import {
  type CheckedQuery,
  damageOf,
  FillingPage,
  type Listed,
  type Position,
  type Scope,
} from '@turnstore/core/adapter'
import {
  Bindings,
  filterTerms,
  keyOf,
  type ListingColumns,
  orderOf,
  rangeTerms,
  type Row,
  scopeTerms,
  summaryOfRow,
  text,
  where,
} from '@turnstore/core/adapter/sql'
import type { Database } from './database.js'
import { dialect, summaryColumns, withLastTurn } from './statements.js'

const columns: ListingColumns = {
  sessionId: 'session_id',
  workspaceId: 'workspace_id',
  parentSessionId: 'parent_session_id',
  agentId: 'agent_id',
  ended: 'ended',
  createdKey: 'created_key',
  updatedKey: 'updated_key',
}

/** Rows that are read at once: a few milliseconds of work. */
const CHUNK = 500

/** Runs a transaction, and waits while the database is busy. */
export type Read = <T>(work: () => T) => Promise<T>

/** What SQL cannot compare, `FillingPage` does, so a page may take several chunks. */
export async function readPage(database: Database, read: Read, query: CheckedQuery, ms: number): Promise<SessionPage> {
  const deadline = performance.now() + ms
  const page = new FillingPage(query)
  for (let after = query.after; ;) {
    const chunk = query.metadata.length > 0 || query.lastTurnStatus !== undefined ? CHUNK : page.room + 1
    const rows = await read(() => rowsAfter(database, query, after, chunk))
    for (const row of rows) if (!page.add(listedOf(row), positionOf(row))) return page.cut()
    const last = rows.at(-1)
    if (last === undefined || rows.length < chunk) return page.end()
    if (performance.now() > deadline) return page.cut()
    after = positionOf(last)
  }
}

function rowsAfter(database: Database, query: CheckedQuery, after: Position | undefined, limit: number): Row[] {
  const bindings = new Bindings(dialect)
  const terms = [...rangeTerms(query, columns, after, bindings), ...filterTerms(query, columns, bindings)]
  const rows = `SELECT ${summaryColumns}, ${keyOf(query, columns)} AS place FROM sessions ${withLastTurn} ${where(terms)}`
  const statement = `${rows} ORDER BY ${orderOf(query, columns)} LIMIT ${bindings.bind(limit)}`
  return database.all(statement, ...bindings.values)
}

function positionOf(row: Row): Position {
  return { time: text(row, 'place'), sessionId: text(row, 'session_id') }
}

/** A damaged session does not end the listing. */
function listedOf(row: Row): Listed {
  try {
    return summaryOfRow(row)
  } catch (error) {
    const damage = damageOf(text(row, 'session_id'), error)
    if (damage === null) throw error
    return damage
  }
}

export function idsIn(database: Database, scope: Scope): string[] {
  const bindings = new Bindings(dialect)
  const statement = `SELECT session_id FROM sessions ${where(scopeTerms(scope, columns, bindings))}`
  return database.all(statement, ...bindings.values).map(row => text(row, 'session_id'))
}
