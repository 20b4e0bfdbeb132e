import { isTurnstoreError, type TurnstoreError } from '../basics/errors.js'
import type { SessionSummary } from '../records/models.js'
import { encodeCursor } from './cursor.js'
import { matches } from './filter.js'
import { comparePositions, type Position, positionOf } from './position.js'
import type { NormalQuery } from './query.js'

/** A page may be short, or even empty where a filter is sparse; only `cursor: null` ends the list. */
export interface SessionPage {
  sessions: SessionSummary[]
  cursor: string | null
  /**
   * Sessions in the scope of the query whose data cannot be read: on the page where they stand, or, in
   * a store without an index, all of them on the first. The others are listed all the same.
   */
  damaged?: DamagedSession[]
}

export interface DamagedSession {
  sessionId: string
  code: 'CORRUPT_SESSION' | 'SCHEMA_TOO_NEW'
  message: string
}

/** The cursor of a page that ends with this session, or that looked as far as this place. */
export function cursorBehind(query: NormalQuery, last: SessionSummary | Position): string {
  const { limit: _limit, after: _after, ...filter } = query
  return encodeCursor('time' in last ? last : positionOf(last, query.orderBy), filter)
}

/** The page that a query means out of summaries in any order, for a store without an index. */
export function pageOfSummaries(query: NormalQuery, summaries: readonly SessionSummary[]): SessionPage {
  const direction = query.order === 'asc' ? 1 : -1
  const { after } = query
  const rest = summaries
    .filter(session => matches(query, session))
    .map(session => ({ session, position: positionOf(session, query.orderBy) }))
    .filter(({ position }) => after === undefined || comparePositions(position, after) * direction > 0)
    .toSorted((a, b) => comparePositions(a.position, b.position) * direction)
  const sessions = rest.slice(0, query.limit).map(({ session }) => session)
  const last = sessions.at(-1)
  return { sessions, cursor: last === undefined || rest.length <= query.limit ? null : cursorBehind(query, last) }
}

/** What a listing found: a session, or one whose data cannot be read. */
export type Listed = SessionSummary | DamagedSession

/** The page that a query means out of everything in its scope, in any order, for a store without an index. */
export async function pageOfListing(query: NormalQuery, listing: AsyncIterable<Listed>): Promise<SessionPage> {
  // By id: one that is deleted and made anew while the listing goes on may come by twice.
  const summaries = new Map<string, SessionSummary>()
  const damaged: DamagedSession[] = []
  for await (const listed of listing) {
    if ('code' in listed) damaged.push(listed)
    else summaries.set(listed.sessionId, listed)
  }
  const page = pageOfSummaries(query, [...summaries.values()])
  return query.after === undefined && damaged.length > 0 ? { ...page, damaged } : page
}

/** Whether an error says that a session's data cannot be read. */
export function isDamage(error: unknown): error is TurnstoreError & { readonly code: DamagedSession['code'] } {
  return isTurnstoreError(error, 'CORRUPT_SESSION') || isTurnstoreError(error, 'SCHEMA_TOO_NEW')
}

/** Such an error as a listing tells it; null for any other. */
export function damageOf(sessionId: string, error: unknown): DamagedSession | null {
  return isDamage(error) ? { sessionId, code: error.code, message: error.message } : null
}
