import type { JsonObject } from '../basics/json.js'
import type { Scope } from '../basics/scope.js'
import { timeKey } from '../basics/time.js'
import { isEnded, type SessionSummary } from '../records/models.js'

/** The filter and order of a checked query, without the page. Times are `timeKey` values. */
export interface CheckedFilter {
  readonly scope: Scope
  readonly agentId: string | null | undefined
  readonly parentSessionId: string | null | undefined
  readonly ended: boolean | undefined
  readonly lastTurnStatus: string | undefined
  readonly updatedAfter: string | undefined
  readonly updatedBefore: string | undefined
  readonly createdAfter: string | undefined
  readonly createdBefore: string | undefined
  readonly metadata: readonly (readonly [key: string, value: string | number | boolean | null])[]
  readonly orderBy: 'updatedAt' | 'createdAt'
  readonly order: 'desc' | 'asc'
}

/** Whether a session matches the filter. Ignores the cursor. */
export function matches(query: CheckedFilter, session: SessionSummary): boolean {
  return (
    (query.scope === undefined || session.workspaceId === query.scope) &&
    (query.agentId === undefined || session.agentId === query.agentId) &&
    (query.parentSessionId === undefined || session.parentSessionId === query.parentSessionId) &&
    (query.ended === undefined || isEnded(session) === query.ended) &&
    (query.lastTurnStatus === undefined || session.lastTurn?.status === query.lastTurnStatus) &&
    isBetween(session.updatedAt, query.updatedAfter, query.updatedBefore) &&
    isBetween(session.createdAt, query.createdAfter, query.createdBefore) &&
    query.metadata.every(([key, value]) => hasMember(session.metadata, key, value))
  )
}

function isBetween(time: string, after: string | undefined, before: string | undefined): boolean {
  if (after === undefined && before === undefined) return true
  const key = timeKey(time)
  return key !== '' && (after === undefined || key > after) && (before === undefined || key < before)
}

function hasMember(metadata: JsonObject, key: string, value: string | number | boolean | null): boolean {
  return Object.hasOwn(metadata, key) && metadata[key] === value
}
