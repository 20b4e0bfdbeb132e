import { TurnstoreError } from '../basics/errors.js'
import type { CheckedFilter } from './filter.js'
import type { Position } from './position.js'
import { isValidId } from '../basics/ids.js'
import { fingerprint } from '../basics/text.js'

/**
 * Encodes a keyset cursor: the position after which the next page starts, and a fingerprint of the position
 * and the query. The fingerprint detects a cursor that was truncated, made up or taken from another query.
 * The cursor contains no row number, so sessions added or deleted between pages do not shift the list.
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
      'query.cursor must come from a page of the same query; omit it for the first page',
    )
  }
  return position
}

function readPosition(cursor: string): Position | null {
  if (!/^[0-9a-f]{16}\./.test(cursor)) return null
  // The time is empty or has a fixed width. Everything after it is the id, which may contain dots.
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

/** A fingerprint of a position and a query. */
export function sealOf(position: Position, query: CheckedFilter): string {
  return fingerprint(
    JSON.stringify([
      position.time,
      position.sessionId,
      // undefined means any agent, null means no agent.
      query.scope === undefined ? 0 : [query.scope],
      query.agentId === undefined ? 0 : [query.agentId],
      query.parentSessionId === undefined ? 0 : [query.parentSessionId],
      query.ended ?? 0,
      query.lastTurnStatus === undefined ? 0 : [query.lastTurnStatus],
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
