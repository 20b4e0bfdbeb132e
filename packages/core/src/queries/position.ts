import type { SessionSummary } from '../records/models.js'
import { compareUtf8 } from '../basics/text.js'
import { timeKey } from '../basics/time.js'

/** A position in a listing: the session's time as a `timeKey`, and its id. */
export interface Position {
  readonly time: string
  readonly sessionId: string
}

export function positionOf(session: SessionSummary, orderBy: 'updatedAt' | 'createdAt'): Position {
  return { time: timeKey(session[orderBy]), sessionId: session.sessionId }
}

/** Ascending by time, then by the UTF-8 bytes of the id. */
export function comparePositions(a: Position, b: Position): number {
  if (a.time !== b.time) return a.time < b.time ? -1 : 1
  return compareUtf8(a.sessionId, b.sessionId)
}
