import { TimeSlice } from '../basics/time-slice.js'
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

/** Filters, sorts and pages summaries, for a store without an index. Lets other work run meanwhile. */
export async function pageOfSummaries(query: CheckedQuery, summaries: readonly SessionSummary[]): Promise<SessionPage> {
  const direction = query.order === 'asc' ? 1 : -1
  const { after, limit } = query
  const slice = new TimeSlice()
  const first = new FirstOf<Placed>(limit, (a, b) => comparePositions(a.position, b.position) * direction)
  let count = 0
  for (const session of summaries) {
    if (slice.isOver) await slice.yield()
    if (!matches(query, session)) continue
    const position = positionOf(session, query.orderBy)
    if (after !== undefined && comparePositions(position, after) * direction <= 0) continue
    count++
    first.add({ session, position })
  }
  const sessions = first.sorted().map(({ session }) => session)
  const last = sessions.at(-1)
  return { sessions, cursor: last === undefined || count <= limit ? null : cursorAfter(query, last) }
}

interface Placed {
  readonly session: SessionSummary
  readonly position: Position
}

/** Keeps the first items in an order, without sorting all others. */
class FirstOf<T> {
  readonly #count: number
  readonly #compare: (a: T, b: T) => number
  #items: T[] = []
  /** What comes behind it is none of the first. */
  #border: T | undefined

  constructor(count: number, compare: (a: T, b: T) => number) {
    this.#count = count
    this.#compare = compare
  }

  add(item: T): void {
    if (this.#border !== undefined && this.#compare(item, this.#border) >= 0) return
    this.#items.push(item)
    if (this.#items.length >= 2 * this.#count + 64) this.sorted()
  }

  sorted(): readonly T[] {
    this.#items = this.#items.toSorted(this.#compare).slice(0, this.#count)
    if (this.#items.length === this.#count) this.#border = this.#items.at(-1)
    return this.#items
  }
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
  const page = await pageOfSummaries(query, [...summaries.values()])
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
