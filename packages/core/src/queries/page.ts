import type { JsonObject } from '../basics/json.js'
import { isTurnstoreError, type TurnstoreError } from '../basics/errors.js'
import type { SessionSummary } from '../records/models.js'
import { encodeCursor } from './cursor.js'
import { matches } from './filter.js'
import { comparePositions, type Position, positionOf } from './position.js'
import type { CheckedQuery } from './query.js'

/** A page of a listing. A page may be short or even empty. Only `cursor: null` marks the end. */
export interface SessionPage<Metadata = JsonObject> {
  sessions: SessionSummary<Metadata>[]
  cursor: string | null
  /**
   * Damaged sessions in the scope of the query. A store with an index reports each on its page; a store
   * without one reports all of them on the first page. The other sessions are still listed.
   */
  damaged?: DamagedSession[]
}

/** A session whose data cannot be read. */
export interface DamagedSession {
  sessionId: string
  code: 'CORRUPT_SESSION' | 'SCHEMA_TOO_NEW'
  message: string
}

/** The cursor of a page that ends at this session or position. */
export function cursorAfter(query: CheckedQuery, last: SessionSummary | Position): string {
  const { limit: _limit, after: _after, ...filter } = query
  return encodeCursor('time' in last ? last : positionOf(last, query.orderBy), filter)
}

/** Filters, sorts and pages summaries, for a store without an index. */
export function pageOfSummaries(query: CheckedQuery, summaries: readonly SessionSummary[]): SessionPage {
  const direction = query.order === 'asc' ? 1 : -1
  const { after } = query
  const rest = summaries
    .filter(session => matches(query, session))
    .map(session => ({ session, position: positionOf(session, query.orderBy) }))
    .filter(({ position }) => after === undefined || comparePositions(position, after) * direction > 0)
  const first = firstOf(rest, query.limit, (a, b) => comparePositions(a.position, b.position) * direction)
  const sessions = first.map(({ session }) => session)
  const last = sessions.at(-1)
  return { sessions, cursor: last === undefined || rest.length <= query.limit ? null : cursorAfter(query, last) }
}

/** The first of a list in an order, without sorting the others. */
function firstOf<T>(list: readonly T[], count: number, compare: (a: T, b: T) => number): T[] {
  const first: T[] = []
  for (const item of list) {
    const last = first.at(-1)
    if (first.length === count && last !== undefined && compare(item, last) >= 0) continue
    let low = 0
    for (let high = first.length; low < high;) {
      const middle = (low + high) >> 1
      const other = first[middle]
      if (other !== undefined && compare(other, item) <= 0) low = middle + 1
      else high = middle
    }
    first.splice(low, 0, item)
    if (first.length > count) first.pop()
  }
  return first
}

/** An entry of a listing: a session, or a damaged session. */
export type Listed = SessionSummary | DamagedSession

/** Like {@link pageOfSummaries}, for a listing of everything in the query's scope, damaged sessions included. */
export async function pageOfListing(query: CheckedQuery, listing: AsyncIterable<Listed>): Promise<SessionPage> {
  // By id: a session that is deleted and recreated during the listing may appear twice.
  const summaries = new Map<string, SessionSummary>()
  const damaged: DamagedSession[] = []
  for await (const listed of listing) {
    if ('code' in listed) damaged.push(listed)
    else summaries.set(listed.sessionId, listed)
  }
  const page = pageOfSummaries(query, [...summaries.values()])
  return query.after === undefined && damaged.length > 0 ? { ...page, damaged } : page
}

/** Whether an error means that a session is damaged. */
export function isDamage(error: unknown): error is TurnstoreError & { readonly code: DamagedSession['code'] } {
  return isTurnstoreError(error, 'CORRUPT_SESSION') || isTurnstoreError(error, 'SCHEMA_TOO_NEW')
}

/** Converts such an error to a listing entry; null for any other error. */
export function damageOf(sessionId: string, error: unknown): DamagedSession | null {
  return isDamage(error) ? { sessionId, code: error.code, message: error.message } : null
}
