import type { CheckedQuery, Position, Scope } from '@turnstore/core/adapter'
import type { SqlValue } from '../database/driver.js'
import { exact } from '../tables/columns.js'
import { withHead } from '../tables/statements.js'

/*
 * The parts of the statements that list sessions. Column names, directions and operators are from this file; all values
 * are bound.
 */

/**
 * When a session last changed, whether or not it has moved. If its head is missing, or damaged so that it holds no text,
 * the position in the index counts.
 */
const CHANGED_KEY = `iif(typeof(h.updated_key) = 'text', h.updated_key, s.updated_key)`

/** Terms of a WHERE clause, and the values to bind. */
export interface Where {
  readonly terms: readonly string[]
  readonly values: readonly SqlValue[]
}

export const noTerms: Where = { terms: [], values: [] }

/** An index that a query reads, and the column by which it is ordered. */
export interface IndexScan {
  readonly key: string
  readonly table: string
  readonly only: Where
  /** Whether SQLite has to sort, since the index has another order. */
  readonly isSorted: boolean
}

/** The forks of one session are few, and so are the moved sessions, so both are sorted. */
export function scansOf(query: CheckedQuery): [IndexScan, ...IndexScan[]] {
  const { orderBy, parentSessionId, scope } = query
  const byUpdate = orderBy === 'updatedAt'
  if (typeof parentSessionId === 'string')
    return [scanOf('parent', byUpdate ? CHANGED_KEY : 's.created_key', { isSorted: true })]
  const prefix = scope === undefined ? '' : 'workspace_'
  if (!byUpdate) return [scanOf(`${prefix}created`, 's.created_key')]
  return [
    scanOf(`${prefix}updated`, 's.updated_key', { only: term('s.moved = 0') }),
    scanOf('moved', CHANGED_KEY, { only: term('s.moved = 1'), isSorted: true }),
  ]
}

function scanOf(index: string, key: string, { only = noTerms, isSorted = false }: Partial<IndexScan> = {}): IndexScan {
  return { key, table: `turnstore_sessions AS s INDEXED BY turnstore_sessions_${index} ${withHead}`, only, isSorted }
}

export function orderOf({ order }: CheckedQuery, key: string): string {
  const direction = order === 'asc' ? 'ASC' : 'DESC'
  return `${key} ${direction}, s.session_id ${direction}`
}

/** What the index answers: the scope, the parent, the times of its order, and the position after which the page begins. */
export function rangeOf(query: CheckedQuery, key: string, after: Position | undefined): Where {
  const [since, until] =
    query.orderBy === 'updatedAt'
      ? [query.updatedAfter, query.updatedBefore]
      : [query.createdAfter, query.createdBefore]
  const operator = query.order === 'asc' ? '>' : '<'
  return allOf([
    // Damaged values that are not text are no position for a cursor. checkIntegrity reports them.
    term(`typeof(${key}) = 'text' AND typeof(s.session_id) = 'text'`),
    inScopeOf(query.scope),
    // `=` and not IS: the index leaves out sessions without a parent.
    typeof query.parentSessionId === 'string' ? term('s.parent_session_id = +?', query.parentSessionId) : noTerms,
    between(key, since, until),
    after === undefined ? noTerms : term(`(${key}, s.session_id) ${operator} (+?, +?)`, after.time, after.sessionId),
  ])
}

export function upTo(query: CheckedQuery, key: string, end: Position): Where {
  const operator = query.order === 'asc' ? '<=' : '>='
  return term(`(${key}, s.session_id) ${operator} (+?, +?)`, end.time, end.sessionId)
}

/** What is compared row by row. Metadata is compared outside of SQL, which defines equality differently. */
export function filterOf(query: CheckedQuery): Where {
  const { agentId, parentSessionId, ended } = query
  return allOf([
    agentId === undefined ? noTerms : term('s.agent_id IS +?', agentId === null ? null : exact(agentId)),
    parentSessionId === null ? term('s.parent_session_id IS +?', null) : noTerms,
    ended === undefined ? noTerms : term('s.ended = +?', Number(ended)),
    query.orderBy === 'updatedAt'
      ? between('s.created_key', query.createdAfter, query.createdBefore)
      : between(CHANGED_KEY, query.updatedAfter, query.updatedBefore),
  ])
}

/** An unreadable time has the key '' and is in no range. */
function between(column: string, after: string | undefined, before: string | undefined): Where {
  if (after === undefined && before === undefined) return noTerms
  const since = term(`${column} > +?`, after ?? '')
  return before === undefined ? since : allOf([since, term(`${column} < +?`, before)])
}

export function inScopeOf(scope: Scope): Where {
  return scope === undefined ? noTerms : term('workspace_id IS +?', scope)
}

function term(text: string, ...values: SqlValue[]): Where {
  return { terms: [text], values }
}

export function allOf(parts: readonly Where[]): Where {
  return { terms: parts.flatMap(({ terms }) => terms), values: parts.flatMap(({ values }) => values) }
}

export function where(terms: readonly string[]): string {
  return terms.length === 0 ? '' : `WHERE ${terms.join(' AND ')}`
}
