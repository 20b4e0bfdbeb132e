import { type LastTurn, type SessionPage, type SessionSummary, TurnstoreError } from '@turnstore/core'
import {
  compareUtf8,
  cursorAfter,
  isValidId,
  matches,
  type CheckedQuery,
  pageOfSummaries,
  positionOf,
  timeKey,
} from '@turnstore/core/adapter'
import { inMemory } from '../mutant.ts'
import type { Faults, RowStore } from '../row-store.ts'

/** Filters and orders that mean something else. */
export const queries = inMemory('queries', {
  'ignores the status of the last turn': [
    'a filter that came later',
    { query: (next, query) => next({ ...query, lastTurnStatus: undefined }) },
  ],
  'finds sessions in which any turn has the status': [
    'a column that is set and never cleared',
    filtered(
      query => ({ ...query, lastTurnStatus: undefined }),
      (each, query) =>
        query.lastTurnStatus === undefined || each.lastTurn?.status === query.lastTurnStatus || each.turnCount > 1,
    ),
  ],
  'cuts a character of a prompt in half': [
    'slice(0, 200)',
    lastTurn(each => (each.prompt.length === 199 ? { ...each, prompt: `${each.prompt}\ud83d` } : each)),
  ],
  'shows the status with which a turn was appended': [
    'a column that an update forgets',
    lastTurn(each => (each.status === 'error' ? { ...each, status: 'running' } : each)),
  ],
  'shows a last turn that was dropped': [
    'a column that a rewind forgets',
    {
      loadSummary: async (next, ...args) => {
        const found = await next(...args)
        const dropped = { turnId: 'c', status: 'success', prompt: '', startedAt: '' }
        return found && found.revision > 1 ? { ...found, lastTurn: found.lastTurn ?? dropped } : found
      },
    },
  ],
  'orders times as texts': [
    'ORDER BY a text',
    ordered(query => (a, b) => text(a[query.orderBy], b[query.orderBy]) || compareUtf8(a.sessionId, b.sessionId)),
  ],
  'orders times to the millisecond': [
    'Date',
    ordered(
      query => (a, b) => millis(a[query.orderBy]) - millis(b[query.orderBy]) || compareUtf8(a.sessionId, b.sessionId),
    ),
  ],
  'orders times to the second': [
    'an index of seconds',
    ordered(
      query => (a, b) =>
        text(timeKey(a[query.orderBy]).slice(0, 19), timeKey(b[query.orderBy]).slice(0, 19)) ||
        compareUtf8(a.sessionId, b.sessionId),
    ),
  ],
  'takes times without a zone for local ones': [
    'new Date(text)',
    ordered(
      query => (a, b) => local(a[query.orderBy]) - local(b[query.orderBy]) || compareUtf8(a.sessionId, b.sessionId),
    ),
  ],
  'puts unreadable times last': [
    'NULLS LAST',
    ordered(
      query => (a, b) =>
        text(timeKey(a[query.orderBy]) || '~', timeKey(b[query.orderBy]) || '~') ||
        compareUtf8(a.sessionId, b.sessionId),
    ),
  ],
  'orders ids by UTF-16': [
    'a < b',
    ordered(
      query => (a, b) => text(timeKey(a[query.orderBy]), timeKey(b[query.orderBy])) || text(a.sessionId, b.sessionId),
    ),
  ],
  'orders ids as people do': [
    'localeCompare',
    ordered(
      query => (a, b) =>
        text(timeKey(a[query.orderBy]), timeKey(b[query.orderBy])) || a.sessionId.localeCompare(b.sessionId),
    ),
  ],
  'orders ids that tie always upwards': [
    'ORDER BY time DESC, id',
    ordered(query => (a, b) => {
      const order = text(timeKey(a[query.orderBy]), timeKey(b[query.orderBy]))
      const byId = compareUtf8(a.sessionId, b.sessionId)
      return order || (query.order === 'desc' ? -byId : byId)
    }),
  ],
  'orders by the time of the last change, whatever is asked': [
    'one index',
    { query: (next, query) => next({ ...query, orderBy: 'updatedAt' }) },
  ],
  'orders downwards, whatever is asked': ['one index', { query: (next, query) => next({ ...query, order: 'desc' }) }],
  'takes a bound in': [
    '>= in place of >',
    filtered(
      query => ({ ...query, updatedAfter: undefined }),
      (each, query) => query.updatedAfter === undefined || timeKey(each.updatedAt) >= query.updatedAfter,
    ),
  ],
  'takes an upper bound in': [
    'BETWEEN',
    filtered(
      query => ({ ...query, createdBefore: undefined }),
      (each, query) =>
        query.createdBefore === undefined ||
        (timeKey(each.createdAt) !== '' && timeKey(each.createdAt) <= query.createdBefore),
    ),
  ],
  'finds unreadable times before any other': [
    "'' < anything",
    filtered(
      query => ({ ...query, updatedBefore: undefined }),
      (each, query) => query.updatedBefore === undefined || timeKey(each.updatedAt) < query.updatedBefore,
    ),
  ],
  'compares bounds as texts': [
    'WHERE updated_at > ?',
    filtered(
      query => ({ ...query, updatedAfter: undefined }),
      (each, query) =>
        query.updatedAfter === undefined || (timeKey(each.updatedAt) !== '' && each.updatedAt > query.updatedAfter),
    ),
  ],
  'ignores all bounds but the first': [
    'else if',
    { query: (next, query) => next(query.updatedAfter === undefined ? query : { ...query, updatedBefore: undefined }) },
  ],
  'compares metadata as texts': [
    '->> in place of ->',
    filtered(
      query => ({ ...query, metadata: [] }),
      (each, query) =>
        query.metadata.every(
          ([key, value]) => Object.hasOwn(each.metadata, key) && unquoted(each.metadata[key]) === unquoted(value),
        ),
    ),
  ],
  'compares metadata loosely': [
    '==',
    filtered(
      query => ({ ...query, metadata: [] }),
      (each, query) =>
        query.metadata.every(([key, value]) => Object.hasOwn(each.metadata, key) && loosely(each.metadata[key], value)),
    ),
  ],
  'takes missing metadata for null': [
    'metadata[key] ?? null',
    filtered(
      query => ({ ...query, metadata: [] }),
      (each, query) =>
        query.metadata.every(
          ([key, value]) => (Object.hasOwn(each.metadata, key) ? each.metadata[key] : null) === value,
        ),
    ),
  ],
  'finds metadata that every object has': [
    'metadata[key]',
    { query: (next, query) => next({ ...query, metadata: query.metadata.filter(([key]) => !(key in {})) }) },
  ],
  'asks for the first of several members of metadata': [
    'metadata[0]',
    { query: (next, query) => next({ ...query, metadata: query.metadata.slice(0, 1) }) },
  ],
  'finds metadata in values too': [
    'a search in the text of the JSON',
    filtered(
      query => ({ ...query, metadata: [] }),
      (each, query) =>
        query.metadata.every(([key, value]) =>
          JSON.stringify(each.metadata).includes(`${JSON.stringify(key)}:${JSON.stringify(value)}`),
        ),
    ),
  ],
  'finds true for false in metadata': [
    'a filter by the truth of a value',
    { query: (next, query) => next({ ...query, metadata: query.metadata.filter(([, value]) => value !== false) }) },
  ],
  'takes ended for set': [
    "metadata ? 'ended'",
    filtered(
      query => ({ ...query, ended: undefined }),
      (each, query) => query.ended === undefined || 'ended' in each.metadata === query.ended,
    ),
  ],
  'takes ended for its truth': [
    'Boolean(metadata.ended)',
    filtered(
      query => ({ ...query, ended: undefined }),
      (each, query) => query.ended === undefined || Boolean(each.metadata.ended) === query.ended,
    ),
  ],
  'takes ended that is not set for neither': [
    'ended = false',
    filtered(
      query => ({ ...query, ended: undefined }),
      (each, query) => query.ended === undefined || each.metadata.ended === query.ended,
    ),
  ],
  'takes ended: false for no filter': [
    'if (query.ended)',
    { query: (next, query) => next({ ...query, ended: query.ended || undefined }) },
  ],
  'takes no agent for any agent': [
    'agent_id = NULL',
    { query: (next, query) => next({ ...query, agentId: query.agentId ?? undefined }) },
  ],
  'takes no parent for any parent': [
    'if (query.parentSessionId)',
    { query: (next, query) => next({ ...query, parentSessionId: query.parentSessionId || undefined }) },
  ],
  'takes an empty agent for none': [
    'agentId || null',
    { query: (next, query) => next({ ...query, agentId: query.agentId === '' ? null : query.agentId }) },
  ],
  'refuses an agent that breaks the rules for ids': [
    'a check of what may be stored, where something is looked for',
    {
      query(next, query) {
        if (typeof query.agentId === 'string' && !isValidId(query.agentId))
          throw new TurnstoreError('INVALID_ID', 'query.agentId is no id')
        return next(query)
      },
    },
  ],
  'finds everything by a parent that breaks the rules for ids': [
    'a filter that is cleaned',
    {
      query: (next, query) =>
        next(
          typeof query.parentSessionId === 'string' && !isValidId(query.parentSessionId)
            ? { ...query, parentSessionId: undefined }
            : query,
        ),
    },
  ],
  'takes agents that differ by case for one': [
    'a collation that folds case',
    filtered(
      query => ({ ...query, agentId: undefined }),
      (each, query) => query.agentId === undefined || each.agentId?.toLowerCase() === query.agentId?.toLowerCase(),
    ),
  ],
  'takes agents for patterns': [
    'LIKE',
    filtered(
      query => ({ ...query, agentId: undefined }),
      (each, query) => query.agentId === undefined || query.agentId === '%' || each.agentId === query.agentId,
    ),
  ],
  'filters by the agent that a session had': [
    'an index that a change forgets',
    () => {
      const first = new Map<string, string | null>()
      return {
        query(_next, query) {
          for (const each of this.summaries(undefined))
            if (!first.has(each.sessionId)) first.set(each.sessionId, each.agentId)
          return page(
            { ...query, agentId: undefined },
            this.summaries(query.scope).filter(
              each => query.agentId === undefined || first.get(each.sessionId) === query.agentId,
            ),
          )
        },
        save(next, session, token) {
          if (!first.has(session.sessionId)) first.set(session.sessionId, session.agentId)
          return next(session, token)
        },
      }
    },
  ],
  'keeps the place of a session by its first time': [
    'an index that a change forgets',
    () => {
      const first = new Map<string, string>()
      return {
        save(next, session, token) {
          if (!first.has(session.sessionId)) first.set(session.sessionId, session.updatedAt)
          return next(session, token)
        },
        async query(_next, query) {
          const all = this.summaries(query.scope)
          const found = await page(
            query,
            all.map(each => ({ ...each, updatedAt: first.get(each.sessionId) ?? each.updatedAt })),
          )
          return {
            ...found,
            sessions: found.sessions.flatMap(each => all.find(({ sessionId }) => sessionId === each.sessionId) ?? []),
          }
        },
      }
    },
  ],
  'compares the lower bound of creation as a text': [
    'WHERE created_at > ?',
    filtered(
      query => ({ ...query, createdAfter: undefined }),
      ({ createdAt }, { createdAfter }) =>
        createdAfter === undefined || (timeKey(createdAt) !== '' && createdAt > createdAfter),
    ),
  ],
  'compares the upper bound of the last change as a text': [
    'WHERE updated_at < ?',
    filtered(
      query => ({ ...query, updatedBefore: undefined }),
      ({ updatedAt }, { updatedBefore }) =>
        updatedBefore === undefined || (timeKey(updatedAt) !== '' && updatedAt < updatedBefore),
    ),
  ],
  'keeps bounds of creation to the millisecond': [
    'Date',
    {
      query: (next, query) =>
        next({ ...query, createdBefore: query.createdBefore && `${query.createdBefore.slice(0, 23)}000Z` }),
    },
  ],
  'takes texts of metadata that differ by case for one': [
    'a collation that folds case',
    byMetadata((a, b) => a.toLowerCase() === b.toLowerCase()),
  ],
  'takes blanks off texts of metadata': [
    'PAD SPACE: a comparison of CHAR',
    byMetadata((a, b) => a.trimEnd() === b.trimEnd()),
  ],
  'compares texts of metadata up to a NUL': [
    'a text bound as a C string',
    byMetadata((a, b) => a.split('\0')[0] === b.split('\0')[0]),
  ],
  'takes lone surrogates in texts of metadata for each other': [
    'a parameter that is sent as UTF-8',
    byMetadata((a, b) => wellFormed(a) === wellFormed(b)),
  ],
  'compares the first 191 characters of texts of metadata': [
    'an index over a prefix',
    byMetadata((a, b) => a.slice(0, 191) === b.slice(0, 191)),
  ],
  'compares texts of metadata by their normal form': [
    'a collation',
    byMetadata((a, b) => a.normalize() === b.normalize()),
  ],
  'rounds numbers of metadata to 14 digits': [
    'an index of texts that a script has made of numbers',
    filtered(
      query => ({ ...query, metadata: [] }),
      ({ metadata }, query) =>
        query.metadata.every(([key, value]) => {
          const member = metadata[key]
          if (typeof member === 'number' && typeof value === 'number')
            return member.toPrecision(14) === value.toPrecision(14)
          return Object.hasOwn(metadata, key) && member === value
        }),
    ),
  ],
  'does not find large numbers in metadata': [
    'a number as text: 1e+21 here, 1000000000000000000000 there',
    filtered(
      query => query,
      (_each, query) => query.metadata.every(([, value]) => typeof value !== 'number' || Math.abs(value) < 1e21),
    ),
  ],
  'takes parents that differ by case for one': [
    'a collation that folds case',
    filtered(
      query => ({ ...query, parentSessionId: undefined }),
      (each, query) =>
        query.parentSessionId === undefined ||
        each.parentSessionId?.toLowerCase() === query.parentSessionId?.toLowerCase(),
    ),
  ],
  'takes a day that there is not for the one behind it': [
    'new Date, which goes on counting',
    ordered(
      query => (a, b) =>
        text(timeKey(forgiving(a[query.orderBy])), timeKey(forgiving(b[query.orderBy]))) ||
        compareUtf8(a.sessionId, b.sessionId),
    ),
  ],
  'takes ended: false in metadata for not ended': [
    'metadata.ended is a column, false by default',
    {
      query: (next, query) =>
        next(
          query.metadata.some(([key, value]) => key === 'ended' && value === false)
            ? { ...query, ended: false, metadata: query.metadata.filter(([key]) => key !== 'ended') }
            : query,
        ),
    },
  ],
  'ignores filters where times tie behind the first page': [
    'WHERE … AND time < ? OR time = ? AND id < ?, without brackets',
    {
      async query(next, query) {
        const { after } = query
        if (after === undefined) return next(query)
        const found = this.summaries(undefined)
          .filter(each => matches(query, each) || timeKey(each[query.orderBy]) === after.time)
          .filter(each => compare(positionOf(each, query.orderBy), after) * direction(query) > 0)
          .toSorted((a, b) => compare(positionOf(a, query.orderBy), positionOf(b, query.orderBy)) * direction(query))
        const sessions = found.slice(0, query.limit)
        const last = found.length > query.limit ? sessions.at(-1) : undefined
        return { sessions, cursor: last === undefined ? null : cursorAfter(query, last) }
      },
    },
  ],
  'joins key and value of metadata by a colon': [
    'one set of an index for each pair',
    filtered(
      query => ({ ...query, metadata: query.metadata.filter(([, value]) => typeof value !== 'string') }),
      ({ metadata }, query) => {
        const pairs = new Set(
          Object.entries(metadata).flatMap(([key, value]) => (typeof value === 'string' ? [`${key}:${value}`] : [])),
        )
        return query.metadata.every(([key, value]) => typeof value !== 'string' || pairs.has(`${key}:${value}`))
      },
    ),
  ],
  'takes an agent that is undefined for none': [
    "'agentId' in query",
    {
      around: (next, method, args) =>
        next(
          ...args.map(arg =>
            method === 'querySessions' && isObject(arg) && 'agentId' in arg && arg.agentId === undefined
              ? { ...arg, agentId: null }
              : arg,
          ),
        ),
    },
  ],
  'refuses bounds that leave nothing between them': [
    'a check that means well',
    {
      query: (next, query) =>
        (query.updatedAfter ?? '') >= (query.updatedBefore ?? '~')
          ? Promise.reject(new Error('an empty range'))
          : next(query),
    },
  ],
  'cuts the id in a cursor at a colon': [
    "cursor.split(':')",
    {
      query(next, query) {
        const { after } = query
        if (after === undefined) return next(query)
        return next({ ...query, after: { ...after, sessionId: after.sessionId.split(':')[0] ?? '' } })
      },
    },
  ],
  'loses its place where times are empty in descending order': [
    'after.time || undefined',
    {
      query(next, query) {
        const isTimeless = query.after?.time === '' && query.order === 'desc' && query.orderBy === 'createdAt'
        return isTimeless ? Promise.resolve({ sessions: [], cursor: null }) : next(query)
      },
    },
  ],
  'ignores the scope behind the first page': [
    'a cursor that holds a place and no workspace',
    {
      async query(next, query) {
        if (query.after === undefined) return next(query)
        const found = await next({ ...query, scope: undefined })
        const last = found.cursor === null ? undefined : found.sessions.at(-1)
        return { ...found, cursor: last === undefined ? null : cursorAfter(query, last) }
      },
    },
  ],
  'takes signs beyond U+FFFF in metadata for one': [
    'a collation that gives all of them one weight',
    byMetadata((a, b) => {
      const folded = (text: string): string => text.replaceAll(/[\u{10000}-\u{10ffff}]/gu, '\u{10000}')
      return folded(a) === folded(b)
    }),
  ],
  'takes a filter by metadata for one by a member of the session': [
    'filters that are spread into each other',
    {
      query(next, query) {
        const metadata = query.metadata.filter(([key]) => key !== 'agentId')
        const [, agentId] = query.metadata.find(([key]) => key === 'agentId') ?? []
        return next(typeof agentId === 'string' ? { ...query, metadata, agentId } : query)
      },
    },
  ],
  'takes a filter by metadata for the scope': [
    'filters that are spread into each other',
    {
      query(next, query) {
        const metadata = query.metadata.filter(([key]) => key !== 'workspaceId')
        const [, scope] = query.metadata.find(([key]) => key === 'workspaceId') ?? []
        return next(typeof scope === 'string' ? { ...query, metadata, scope } : query)
      },
    },
  ],
  'takes years below 100 for those of the last century': [
    'Date.UTC(99, …)',
    ordered(({ orderBy }) => {
      const instant = (each: SessionSummary): string => timeKey(each[orderBy]).replace(/^00/, '19')
      return (a, b) => text(instant(a), instant(b)) || compareUtf8(a.sessionId, b.sessionId)
    }),
  ],
})

/** Pages with gaps, repetitions and wrong ends. */
export const paging = inMemory('paging', {
  'gives one session too many': [
    'LIMIT n + 1, and the last stays',
    { query: (next, query) => next({ ...query, limit: query.limit + 1 }) },
  ],
  'gives one session too few': [
    'an index from 1',
    { query: (next, query) => next({ ...query, limit: Math.max(1, query.limit - 1) }) },
  ],
  'gives all at once': ['the limit is forgotten', { query: (next, query) => next({ ...query, limit: 1000 }) }],
  'gives 10 by default': [
    'a default of the backend',
    { query: (next, query) => next({ ...query, limit: query.limit === 50 ? 10 : query.limit }) },
  ],
  'leaves out what ties with the end of a page': [
    'WHERE time < ?',
    placed(query => (each, after) => text(timeKey(each[query.orderBy]), after.time) * direction(query) > 0),
  ],
  'repeats the end of a page': [
    'WHERE (time, id) >= ?',
    placed(query => (each, after) => compare(positionOf(each, query.orderBy), after) * direction(query) >= 0),
  ],
  'skips by count': [
    'OFFSET',
    () => {
      const offsets = new Map<string, number>()
      return {
        async query(_next, query) {
          const whole = { ...query, after: undefined, limit: 1e6 }
          const all = (await pageOfSummaries(whole, this.summaries(query.scope))).sessions
          const offset = query.after ? (offsets.get(JSON.stringify([query.after, query.order])) ?? 0) : 0
          const sessions = all.slice(offset, offset + query.limit)
          const last = sessions.at(-1)
          if (last === undefined || all.length <= offset + query.limit) return { sessions, cursor: null }
          offsets.set(JSON.stringify([positionOf(last, query.orderBy), query.order]), offset + query.limit)
          return { sessions, cursor: cursorAfter(query, last) }
        },
      }
    },
  ],
  'loses its place when the session there is deleted': [
    'the cursor is an id, whose row is looked up',
    {
      async query(next, query) {
        const { after } = query
        return after !== undefined && !this.memory.map.has(after.sessionId)
          ? { sessions: [], cursor: null }
          : next(query)
      },
    },
  ],
  'begins anew when the session of its place is deleted': [
    'a cursor that is not found is no cursor',
    {
      query(next, query) {
        const { after } = query
        return next(
          after !== undefined && !this.memory.map.has(after.sessionId) ? { ...query, after: undefined } : query,
        )
      },
    },
  ],
  'follows the session of its place when it moves': [
    'the cursor is an id, whose time is looked up',
    {
      query(next, query) {
        const { after } = query
        const summary = this.summaries(undefined).find(({ sessionId }) => sessionId === after?.sessionId)
        return next(summary === undefined ? query : { ...query, after: positionOf(summary, query.orderBy) })
      },
    },
  ],
  'ends where a page is short': [
    'fewer than limit is the end',
    {
      query: async (next, query) => {
        const found = await next(query)
        return found.sessions.length < 3 ? { ...found, cursor: null } : found
      },
    },
  ],
  'has a cursor where there is no more': [
    'as many as limit is not the end',
    {
      async query(next, query) {
        const found = await next(query)
        const last = found.sessions.at(-1)
        const rest = await next({ ...query, limit: 1000 })
        const isLast = last !== undefined && found.cursor === null && rest.sessions.length === query.limit
        return isLast ? { sessions: found.sessions.slice(0, -1), cursor: null } : found
      },
    },
  ],
  'filters behind the limit': [
    'LIMIT first, then the filter of the application',
    {
      async query(_next, query) {
        const all = await pageOfSummaries({ ...bare(query), limit: query.limit }, this.summaries(undefined))
        return { ...all, cursor: null, sessions: all.sessions.filter(each => matches(query, each)) }
      },
    },
  ],
  'keeps its cursors in the handle': [
    'a list of open cursors',
    () => {
      const given = new Set<string>()
      return {
        async around(next, method, args) {
          const query = args[0]
          const cursor: unknown = typeof query === 'object' && query !== null ? Reflect.get(query, 'cursor') : undefined
          if (method === 'querySessions' && typeof cursor === 'string' && !given.has(cursor) && cursor.length > 20) {
            return { sessions: [], cursor: null }
          }
          const found: unknown = await next(...args)
          const more: unknown = typeof found === 'object' && found !== null ? Reflect.get(found, 'cursor') : undefined
          if (typeof more === 'string') given.add(more)
          return found
        },
      }
    },
  ],
  'remembers the first listing': [
    'a snapshot by query that is kept',
    () => {
      const snapshots = new Map<string, SessionSummary[]>()
      return {
        query(_next, query) {
          const key = JSON.stringify({ ...query, after: 0, limit: 0 })
          if (query.after === undefined) snapshots.delete(key)
          const all = snapshots.get(key) ?? this.summaries(query.scope)
          snapshots.set(key, all)
          return page(query, all)
        },
      }
    },
  ],
  'begins at the first page in sessions() whatever the cursor': [
    'the cursor is what it keeps for itself',
    {
      around: (next, method, args) =>
        next(
          ...args.map(arg =>
            method === 'sessions' && isObject(arg) && 'cursor' in arg ? { ...arg, cursor: undefined } : arg,
          ),
        ),
    },
  ],
  'keeps its data locked for an iteration that is left early': [
    'an iterator of the driver that is not closed in finally',
    () => {
      let left = 0
      return {
        around(next, method, args) {
          const result = next(...args)
          if (method === 'sessions' && isIterable(result)) return locked(result, () => left++)
          return result
        },
        save: (next, ...args) =>
          left > 0
            ? Promise.reject(new TurnstoreError('STORE_BUSY', 'a query is running', { outcome: 'not-stored' }))
            : next(...args),
      }
    },
  ],
  'iterates once at a time': [
    'a statement that is prepared once, and its place',
    () => {
      let current = 0
      return {
        around(next, method, args) {
          const result = next(...args)
          if (method !== 'sessions' || !isIterable(result)) return result
          return whileCurrent(
            result,
            () => ++current,
            () => current,
          )
        },
      }
    },
  ],
})

type Compare = (a: SessionSummary, b: SessionSummary) => number

async function page(query: CheckedQuery, summaries: readonly SessionSummary[]): Promise<SessionPage> {
  return pageOfSummaries(query, summaries)
}

/** Another order; the place behind a cursor is found in it. */
function ordered(compareBy: (query: CheckedQuery) => Compare): Faults {
  return {
    async query(this: RowStore, _next, query) {
      const all = this.summaries(query.scope)
        .filter(each => matches(query, each))
        .toSorted((a, b) => compareBy(query)(a, b) * direction(query))
      const begin =
        query.after === undefined ? 0 : all.findIndex(({ sessionId }) => sessionId === query.after?.sessionId) + 1
      const sessions = all.slice(begin, begin + query.limit)
      const last = sessions.at(-1)
      return {
        sessions,
        cursor: last === undefined || all.length <= begin + query.limit ? null : cursorAfter(query, last),
      }
    },
  }
}

/** A filter that is taken out of the query and done in another way. */
function filtered(
  without: (query: CheckedQuery) => CheckedQuery,
  isMeant: (each: SessionSummary, query: CheckedQuery) => boolean,
): Faults {
  return {
    async query(_next, query) {
      const found = await page(
        without(query),
        this.summaries(query.scope).filter(each => isMeant(each, query)),
      )
      const last = found.sessions.at(-1)
      return { ...found, cursor: found.cursor === null || last === undefined ? null : cursorAfter(query, last) }
    },
  }
}

/** Another condition for what comes behind a cursor. */
function placed(
  isBehind: (query: CheckedQuery) => (each: SessionSummary, after: NonNullable<CheckedQuery['after']>) => boolean,
): Faults {
  return {
    query(_next, query) {
      const { after } = query
      return page(
        { ...query, after: undefined },
        this.summaries(query.scope).filter(each => after === undefined || isBehind(query)(each, after)),
      )
    },
  }
}

function bare(query: CheckedQuery): CheckedQuery {
  return { ...query, agentId: undefined, parentSessionId: undefined, ended: undefined, metadata: [], scope: undefined }
}

function direction({ order }: CheckedQuery): 1 | -1 {
  return order === 'asc' ? 1 : -1
}

function compare(a: { time: string; sessionId: string }, b: { time: string; sessionId: string }): number {
  return text(a.time, b.time) || compareUtf8(a.sessionId, b.sessionId)
}

function text(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function millis(time: string): number {
  const key = timeKey(time)
  return key === '' ? -1e15 : Date.parse(`${key.slice(0, 23)}Z`)
}

/** As if this process were not in UTC. */
function local(time: string): number {
  const key = timeKey(time)
  const shift = /(Z|[+-]\d\d:\d\d)$/.test(time) ? 0 : 7_200_000
  return key === '' ? -1e15 : Date.parse(`${key.slice(0, 23)}Z`) + Number(key.slice(23, 26)) / 1000 - shift
}

/** As a database gives JSON as text: without quotes around a string. */
function unquoted(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function loosely(a: unknown, b: unknown): boolean {
  // oxlint-disable-next-line eslint/eqeqeq -- this is the fault
  return a == b
}

/** Another equality of texts in filters by metadata. */
function byMetadata(isSame: (a: string, b: string) => boolean): Faults {
  return filtered(
    query => ({ ...query, metadata: [] }),
    ({ metadata }, query) =>
      query.metadata.every(([key, value]) => {
        const member = Object.hasOwn(metadata, key) ? metadata[key] : undefined
        return typeof member === 'string' && typeof value === 'string' ? isSame(member, value) : member === value
      }),
  )
}

/** A time on the 30th of February as one in March. */
function forgiving(time: string): string {
  const day = /^(\d{4}-\d\d)-(\d\d)(T.*)$/.exec(time)
  if (day === null || timeKey(time) !== '' || timeKey(`${day[1]}-01${day[3]}`) === '') return time
  const begin = Date.parse(`${day[1]}-01T00:00:00Z`) + (Number(day[2]) - 1) * 86_400_000
  return Number.isNaN(begin) ? time : `${new Date(begin).toISOString().slice(0, 10)}${day[3]}`
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

function isIterable(value: unknown): value is AsyncIterable<unknown> {
  return isObject(value) && Symbol.asyncIterator in value
}

/** Tells of an iteration that ends before its list does. */
async function* locked(items: AsyncIterable<unknown>, leave: () => void): AsyncGenerator {
  let isAtEnd = false
  try {
    yield* items
    isAtEnd = true
  } catch (error) {
    isAtEnd = true
    throw error
  } finally {
    if (!isAtEnd) leave()
  }
}

/** Ends without a word where another has begun. */
async function* whileCurrent(
  items: AsyncIterable<unknown>,
  begin: () => number,
  current: () => number,
): AsyncGenerator {
  const mine = begin()
  for await (const item of items) {
    if (current() !== mine) return
    yield item
  }
}

function wellFormed(value: string): string {
  return value.replaceAll(/\p{Surrogate}/gu, '\ufffd')
}

function lastTurn(alter: (turn: LastTurn) => LastTurn): Faults {
  return {
    loadSummary: async (next, ...args) => {
      const found = await next(...args)
      return found && { ...found, lastTurn: found.lastTurn && alter(found.lastTurn) }
    },
  }
}
