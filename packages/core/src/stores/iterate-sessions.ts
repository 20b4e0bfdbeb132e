import { TurnstoreError } from '../basics/errors.js'
import type { ScopeOptions } from '../basics/scope.js'
import { throwIfAborted } from '../basics/signal.js'
import { matches } from '../queries/filter.js'
import { type DamagedSession, damageOf, type SessionPage } from '../queries/page.js'
import { comparePositions, type Position, positionOf } from '../queries/position.js'
import { MAX_LIMIT, readQuery, type SessionQuery } from '../queries/query.js'
import type { SessionSummary } from '../records/models.js'
import type { SessionStore } from './session-store.js'

type Pages = Pick<SessionStore, 'querySessions' | 'loadSummary'>

/**
 * What `sessions()` does: gives the sessions of all pages, then reports the damaged ones.
 *
 * A session that is changed moves to the end of the order by `updatedAt`, and a loop may change each session that it is
 * given. So the iteration ends at the newest session of its beginning, gives no id twice, and at its end looks for what
 * has moved past it: each session that was there at the beginning is given once. This takes the memory of its ids, since
 * a session that has moved does not show where it was.
 */
export async function* iterateSessions(store: Pages, query: SessionQuery): AsyncGenerator<SessionSummary> {
  const damaged = new Map<string, DamagedSession>()
  const read = async (next: SessionQuery): Promise<SessionPage> => {
    const page = await store.querySessions(next)
    // A store with this fault would never end, and one with a synchronous driver would let nobody stop it.
    if (page.cursor !== null && page.cursor === next.cursor) {
      throw new TurnstoreError('STORE_UNAVAILABLE', 'The pages of the store do not advance: one ends where it began')
    }
    for (const each of page.damaged ?? []) damaged.set(each.sessionId, each)
    return page
  }
  const first = await read(query)
  // A page that is the last one, too, shows all sessions of one moment.
  const isSteady = query.orderBy === 'createdAt' || first.cursor === null
  const found = isSteady ? inOrder(read, query, first) : whileTheyMove(store, read, query, first, damaged)
  for await (const session of found) {
    throwIfAborted(query.signal)
    yield session
  }
  if (damaged.size > 0) throw reportOf([...damaged.values()])
}

type Read = (query: SessionQuery) => Promise<SessionPage>

async function* inOrder(read: Read, query: SessionQuery, first: SessionPage): AsyncGenerator<SessionSummary> {
  // A loop may create a session for each that it is given. So upwards, it ends behind the newest of its beginning.
  const isEndless = query.order === 'asc' && first.cursor !== null
  const end = isEndless ? await newestPosition(read, query) : null
  yield* first.sessions
  for await (const page of pagesAfter(read, query, first)) {
    yield* page.sessions
    const last = page.sessions.at(-1)
    if (end !== null && last !== undefined && comparePositions(positionOf(last, 'createdAt'), end) > 0) return
  }
}

async function* whileTheyMove(
  store: Pages,
  read: Read,
  query: SessionQuery,
  first: SessionPage,
  damaged: Map<string, DamagedSession>,
): AsyncGenerator<SessionSummary> {
  const isAscending = query.order === 'asc'
  const end = isAscending ? await newestPosition(read, query) : null
  const given = new Set<string>()
  const moved = new Set<string>()
  let page = first
  let isPastEnd = false
  for (;;) {
    for (const session of page.sessions) {
      if (given.has(session.sessionId)) continue
      isPastEnd = end !== null && comparePositions(positionOf(session, 'updatedAt'), end) > 0
      if (isPastEnd) {
        moved.add(session.sessionId)
      } else {
        given.add(session.sessionId)
        yield session
      }
    }
    if (page.cursor === null) break
    page = await read({ ...query, cursor: page.cursor, ...(isPastEnd ? { limit: MAX_LIMIT } : {}) })
  }
  // Downwards, what moves goes where the iteration has been. From a cursor on, the pages before it are not asked for.
  if (!isAscending && query.cursor === undefined) {
    const again: SessionQuery = { ...query, order: 'asc', limit: MAX_LIMIT }
    const start = await read(again)
    for (const { sessionId } of start.sessions) if (!given.has(sessionId)) moved.add(sessionId)
    for await (const { sessions } of pagesAfter(read, again, start)) {
      for (const { sessionId } of sessions) if (!given.has(sessionId)) moved.add(sessionId)
    }
  }
  yield* thoseThatMatch(store, query, moved, damaged)
}

/** No session of this moment has a later position. Of all in the workspace, since a filter may take long to find one. */
async function newestPosition(read: Read, query: SessionQuery): Promise<Position | null> {
  const { orderBy = 'updatedAt' } = query
  const newest: SessionQuery = { ...scopeIn(query), ...signalIn(query), orderBy, limit: 1 }
  const first = await read(newest)
  const [session] = first.sessions
  if (session !== undefined) return positionOf(session, orderBy)
  for await (const { sessions } of pagesAfter(read, newest, first)) {
    const [next] = sessions
    if (next !== undefined) return positionOf(next, orderBy)
  }
  return null
}

/** The sessions that have moved, as they are now, if they still are what is asked for. */
async function* thoseThatMatch(
  store: Pages,
  query: SessionQuery,
  ids: ReadonlySet<string>,
  damaged: Map<string, DamagedSession>,
): AsyncGenerator<SessionSummary> {
  const { cursor: _cursor, signal: _signal, ...filter } = query
  const checked = readQuery(filter)
  for (const sessionId of ids) {
    const summary = await store
      .loadSummary(sessionId, { ...scopeIn(query), ...signalIn(query) })
      .catch((error: unknown) => {
        const damage = damageOf(sessionId, error)
        if (damage === null) throw error
        damaged.set(sessionId, damage)
        return null
      })
    if (summary !== null && matches(checked, summary)) yield summary
  }
}

async function* pagesAfter(read: Read, query: SessionQuery, first: SessionPage): AsyncGenerator<SessionPage> {
  let { cursor } = first
  while (cursor !== null) {
    const page = await read({ ...query, cursor })
    yield page
    cursor = page.cursor
  }
}

function scopeIn(query: SessionQuery): ScopeOptions {
  return query.workspaceId === undefined ? {} : { workspaceId: query.workspaceId }
}

function signalIn({ signal }: SessionQuery): Pick<SessionQuery, 'signal'> {
  return signal === undefined ? {} : { signal }
}

function reportOf(damaged: readonly DamagedSession[]): TurnstoreError {
  const named = damaged.slice(0, 10).map(({ sessionId }) => sessionId)
  const others = damaged.length > named.length ? ` and ${damaged.length - named.length} more` : ''
  const { code = 'CORRUPT_SESSION', message = '', sessionId = '' } = damaged[0] ?? {}
  return new TurnstoreError(code, `Not listed: ${named.join(', ')}${others}. ${message}`, { sessionId })
}
