import { TurnstoreError } from '../basics/errors.js'
import type { CheckedFilter } from './filter.js'
import type { Position } from './position.js'
import { isValidId } from '../basics/ids.js'
import { fingerprint } from '../basics/text.js'

/**
 * A keyset cursor: the place behind which the next page begins, and a fingerprint of that place and
 * the query, so that one which was cut, invented or taken from another query is found out. It holds
 * no row number: sessions that come and go between pages shift nothing.
 */
export function encodeCursor(position: Position, query: CheckedFilter): string {
  return `${sealOf(position, query)}.${position.time}.${encodeURIComponent(position.sessionId)}`
}

/** @throws `INVALID_ARGUMENT` */
export function decodeCursor(cursor: unknown, query: CheckedFilter): Position {
  const position = typeof cursor === 'string' ? readPosition(cursor) : null
  if (position === null || cursor !== encodeCursor(position, query)) {
    throw new TurnstoreError(
      'INVALID_ARGUMENT',
      'query.cursor must be the cursor of a page of this same query; leave it out for the first page',
    )
  }
  return position
}

function readPosition(cursor: string): Position | null {
  if (!/^[0-9a-f]{16}\./.test(cursor)) return null
  // The time is of one width or empty, so the id, which may have dots of its own, is what follows it.
  const rest = cursor.slice(17)
  const time = rest.startsWith('.') ? '' : rest.slice(0, 27)
  if (rest[time.length] !== '.') return null
  try {
    const sessionId = decodeURIComponent(rest.slice(time.length + 1))
    return isValidId(sessionId) ? { time, sessionId } : null
  } catch {
    return null
  }
}

function sealOf(position: Position, query: CheckedFilter): string {
  return fingerprint(
    JSON.stringify([
      position.time,
      position.sessionId,
      // undefined and null differ: any agent, or none.
      query.scope === undefined ? 0 : [query.scope],
      query.agentId === undefined ? 0 : [query.agentId],
      query.parentSessionId === undefined ? 0 : [query.parentSessionId],
      query.ended ?? 0,
      query.updatedAfter ?? 0,
      query.updatedBefore ?? 0,
      query.createdAfter ?? 0,
      query.createdBefore ?? 0,
      query.metadata.toSorted(([a], [b]) => (a < b ? -1 : 1)),
      query.orderBy,
      query.order,
    ]),
  )
}
