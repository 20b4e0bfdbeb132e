import type { Scope } from '../../basics/scope.js'
import type { Position } from '../../queries/position.js'
import type { CheckedQuery } from '../../queries/query.js'
import { exact } from './columns.js'
import { type Bindings } from './statement.js'

/*
 * The parts of statements that list sessions. Columns, directions and operators are the adapter's and ours; all values
 * are bound. Terms are joined by AND.
 */

/** The columns of the sessions, as SQL. */
export interface ListingColumns {
  readonly sessionId: string
  readonly workspaceId: string
  readonly parentSessionId: string
  readonly agentId: string
  readonly ended: string
  /** `timeKey`s, see `sessionColumns`. */
  readonly createdKey: string
  readonly updatedKey: string
}

/** The column by which a query is ordered. */
export function keyOf({ orderBy }: CheckedQuery, columns: ListingColumns): string {
  return orderBy === 'updatedAt' ? columns.updatedKey : columns.createdKey
}

/** Follows ORDER BY. Equal times are ordered by id, which the database must compare by its UTF-8 bytes. */
export function orderOf(query: CheckedQuery, columns: ListingColumns): string {
  const direction = query.order === 'asc' ? 'ASC' : 'DESC'
  return `${keyOf(query, columns)} ${direction}, ${columns.sessionId} ${direction}`
}

/**
 * What an index of scope, time and id answers, or one of parents: the scope, the parent, the times of the order, and the
 * position after which the page begins.
 */
export function rangeTerms(
  query: CheckedQuery,
  columns: ListingColumns,
  after: Position | undefined,
  bindings: Bindings,
): string[] {
  const [since, until] =
    query.orderBy === 'updatedAt'
      ? [query.updatedAfter, query.updatedBefore]
      : [query.createdAfter, query.createdBefore]
  const key = keyOf(query, columns)
  return [
    ...scopeTerms(query.scope, columns, bindings),
    ...(typeof query.parentSessionId === 'string'
      ? [`${columns.parentSessionId} = ${bindings.bind(exact(query.parentSessionId))}`]
      : []),
    ...betweenTerms(key, since, until, bindings),
    ...(after === undefined ? [] : [positionTerm(columns, key, query.order === 'asc' ? '>' : '<', after, bindings)]),
  ]
}

/** Ends a range at a position, which it includes. */
export function upToTerm(query: CheckedQuery, columns: ListingColumns, end: Position, bindings: Bindings): string {
  return positionTerm(columns, keyOf(query, columns), query.order === 'asc' ? '<=' : '>=', end, bindings)
}

/** What is compared row by row. Metadata is compared outside of SQL, which defines equality differently. */
export function filterTerms(query: CheckedQuery, columns: ListingColumns, bindings: Bindings): string[] {
  const { agentId, parentSessionId, ended } = query
  return [
    ...(agentId === undefined ? [] : [sameTerm(columns.agentId, agentId === null ? null : exact(agentId), bindings)]),
    ...(parentSessionId === null ? [`${columns.parentSessionId} IS NULL`] : []),
    ...(ended === undefined ? [] : [`${columns.ended} = ${bindings.bind(Number(ended))}`]),
    ...(query.orderBy === 'updatedAt'
      ? betweenTerms(columns.createdKey, query.createdAfter, query.createdBefore, bindings)
      : betweenTerms(columns.updatedKey, query.updatedAfter, query.updatedBefore, bindings)),
  ]
}

export function scopeTerms(scope: Scope, columns: Pick<ListingColumns, 'workspaceId'>, bindings: Bindings): string[] {
  return scope === undefined ? [] : [sameTerm(columns.workspaceId, scope, bindings)]
}

/** `IS NOT DISTINCT FROM` in a form that every database answers from an index. */
function sameTerm(column: string, value: string | null, bindings: Bindings): string {
  return value === null ? `${column} IS NULL` : `${column} = ${bindings.bind(value)}`
}

/** An unreadable time has the key '' and is in no range. */
function betweenTerms(
  column: string,
  after: string | undefined,
  before: string | undefined,
  bindings: Bindings,
): string[] {
  if (after === undefined && before === undefined) return []
  const since = `${column} > ${bindings.bind(after ?? '')}`
  return before === undefined ? [since] : [since, `${column} < ${bindings.bind(before)}`]
}

function positionTerm(
  { sessionId }: ListingColumns,
  key: string,
  operator: string,
  position: Position,
  bindings: Bindings,
): string {
  return `(${key}, ${sessionId}) ${operator} (${bindings.bind(position.time)}, ${bindings.bind(position.sessionId)})`
}

/** WHERE and its terms, or nothing. */
export function where(terms: readonly string[]): string {
  return terms.length === 0 ? '' : `WHERE ${terms.join(' AND ')}`
}
