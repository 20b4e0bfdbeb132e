import type { CheckedQuery, Position } from '@turnstore/core/adapter'
import { type Bindings, keyOf, type ListingColumns, rangeTerms } from '@turnstore/core/adapter/sql'
import { withHead } from '../tables/statements.js'

/*
 * The indexes that a listing reads. Core builds the terms; column names are from this file, and all values are bound.
 */

/**
 * When a session last changed, whether or not it has moved. If its head is missing, or damaged so that it holds no text,
 * the position in the index counts.
 */
const CHANGED_KEY = `iif(typeof(h.updated_key) = 'text', h.updated_key, s.updated_key)`

export const columns: ListingColumns = {
  sessionId: 's.session_id',
  workspaceId: 's.workspace_id',
  parentSessionId: 's.parent_session_id',
  agentId: 's.agent_id',
  ended: 's.ended',
  createdKey: 's.created_key',
  updatedKey: CHANGED_KEY,
}

/** An index that a query reads, and the columns by which it is ordered. */
export interface IndexScan {
  readonly columns: ListingColumns
  readonly table: string
  readonly only: readonly string[]
  /** Whether SQLite has to sort, since the index has another order. */
  readonly isSorted: boolean
}

/** The forks of one session are few, and so are the moved sessions, so both are sorted. */
export function scansOf(query: CheckedQuery): [IndexScan, ...IndexScan[]] {
  const { orderBy, parentSessionId, scope } = query
  if (typeof parentSessionId === 'string') return [scanOf('parent', { isSorted: true })]
  const prefix = scope === undefined ? '' : 'workspace_'
  if (orderBy === 'createdAt') return [scanOf(`${prefix}created`)]
  return [
    scanOf(`${prefix}updated`, { columns: { ...columns, updatedKey: 's.updated_key' }, only: ['s.moved = 0'] }),
    scanOf('moved', { only: ['s.moved = 1'], isSorted: true }),
  ]
}

function scanOf(index: string, members: Partial<IndexScan> = {}): IndexScan {
  const table = `turnstore_sessions AS s INDEXED BY turnstore_sessions_${index} ${withHead}`
  return { columns, table, only: [], isSorted: false, ...members }
}

/** The terms that the index answers. Damaged values that are not text are no position for a cursor: `checkIntegrity` reports them. */
export function termsOf(
  query: CheckedQuery,
  scan: IndexScan,
  after: Position | undefined,
  bindings: Bindings,
): string[] {
  const key = keyOf(query, scan.columns)
  const areText = `typeof(${key}) = 'text' AND typeof(s.session_id) = 'text'`
  return [areText, ...rangeTerms(query, scan.columns, after, bindings)]
}
