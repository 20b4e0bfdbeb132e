import type { SessionPage } from '../queries/page.js'
import type { SessionQuery } from '../queries/query.js'
import type { SessionSummary } from '../records/models.js'
import { timeKey } from '../basics/time.js'
import type { SessionStore } from './session-store.js'

type Source = Pick<SessionStore, 'querySessions'>

/**
 * All pages of a query, also while the sessions change. Each session that was there at the beginning is given once. In
 * the order of `updatedAt` a session moves whenever it is changed, so what moved past the reader is given at the end. It
 * ends also if each session is changed, or another one created, as it is given. Keeps the ids that were given.
 */
export async function* settledPages(source: Source, query: SessionQuery): AsyncGenerator<SessionPage> {
  const first = await source.querySessions(query)
  if (first.cursor === null) {
    // All at one moment.
    yield first
    return
  }
  const { cursor: _cursor, ...whole } = query
  const { orderBy = 'updatedAt' } = query
  const given = new Set<string>()
  const start = await newestOf(source, whole, orderBy)
  let newest = start
  let hasNews = yield* pagesUpTo(source, query, first, newest, given, session => !given.has(session.sessionId))
  // Nothing moves in the other order, and who begins at a cursor has seen what is before it.
  if (orderBy === 'createdAt' || query.cursor !== undefined) return
  const wasThere = (session: SessionSummary): boolean =>
    !given.has(session.sessionId) && timeKey(session.createdAt) <= timeKey(start)
  // What moved meanwhile is behind the newest of the last pass.
  while (hasNews && newest !== '') {
    const moved: SessionQuery = { ...whole, ...startOf(newest, query), order: 'asc' }
    newest = await newestOf(source, whole, orderBy)
    hasNews = yield* pagesUpTo(source, moved, await source.querySessions(moved), newest, given, wasThere)
  }
}

type Order = 'updatedAt' | 'createdAt'

/** The latest time of the sessions that match; '' without any. */
async function newestOf(source: Source, query: SessionQuery, orderBy: Order): Promise<string> {
  let next: SessionQuery = { ...query, order: 'desc', limit: 1 }
  for (;;) {
    const { sessions, cursor } = await source.querySessions(next)
    const [newest] = sessions
    if (newest !== undefined) return newest[orderBy]
    if (cursor === null) return ''
    next = { ...next, cursor }
  }
}

/** The pages up to a time, and of these only the sessions that are wanted. Returns whether there were any. */
async function* pagesUpTo(
  source: Source,
  query: SessionQuery,
  first: SessionPage,
  newest: string,
  given: Set<string>,
  isWanted: (session: SessionSummary) => boolean,
): AsyncGenerator<SessionPage, boolean> {
  const { orderBy = 'updatedAt', order } = query
  let hasNews = false
  let page = first
  for (;;) {
    const sessions = page.sessions.filter(isWanted)
    for (const { sessionId } of sessions) given.add(sessionId)
    hasNews ||= sessions.length > 0
    yield { ...page, sessions }
    const last = page.sessions.at(-1)
    const isPast = order === 'asc' && last !== undefined && timeKey(last[orderBy]) > timeKey(newest)
    if (page.cursor === null || isPast) return hasNews
    page = await source.querySessions({ ...query, cursor: page.cursor })
  }
}

/** A moment before a time, so that equal times are included. The query's own limit is kept if it is later. */
function startOf(time: string, { updatedAfter }: SessionQuery): { updatedAfter?: string } {
  const before = Date.parse(time) - 1
  if (Number.isNaN(before)) return updatedAfter === undefined ? {} : { updatedAfter }
  const start = new Date(before).toISOString()
  return { updatedAfter: updatedAfter !== undefined && timeKey(updatedAfter) > timeKey(start) ? updatedAfter : start }
}
