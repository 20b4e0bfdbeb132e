import type { SessionSummary } from '../records/models.js'
import { compareUtf8 } from '../basics/text.js'
import { timeKey } from '../basics/time.js'

/** A place in an order: the instant of a session as `timeKey` gives it, and its id. */
export interface Position {
  readonly time: string
  readonly sessionId: string
}

export function positionOf(session: SessionSummary, orderBy: 'updatedAt' | 'createdAt'): Position {
  return { time: timeKey(session[orderBy]), sessionId: session.sessionId }
}

/** Ascending: by instant, and by the UTF-8 bytes of the id where two are equal. */
export function comparePositions(a: Position, b: Position): number {
  if (a.time !== b.time) return a.time < b.time ? -1 : 1
  return compareUtf8(a.sessionId, b.sessionId)
}
