import type { SessionQuery, SessionRecord, SessionStore, SessionSummary } from '@turnstore/core'
import type { Cases, Group } from '../cases.js'
import { holds, same, show } from '../expect.js'
import { gather } from '../methods.js'
import { idsOf } from '../query-oracle.js'
import { appendOf, indexes, sessionOf } from '../samples.js'

/** Every filter and order; and no gap and no repetition while sessions come, change and go between pages. */
export const pagingGroup: Group = { title: 'Queries and paging', define }

const orders = (['updatedAt', 'createdAt'] as const).flatMap(orderBy => (['asc', 'desc'] as const).map(order => ({ orderBy, order })))

function define({ it }: Cases): void {
  it('queries', 'gives 50 sessions by default, the last changed first, and a cursor to the rest', async ({ store }) => {
    const sessions = indexes(55).map(index => sessionOf(`s${index}`, { updatedAt: minute(index), createdAt: minute(99 - index) }))
    await saveAll(store, sessions)
    const first = await store.querySessions()
    same(idsOfPage(first.sessions), idsOf(sessions, {}).slice(0, 50), 'the first page')
    holds(typeof first.cursor === 'string', 'there must be a cursor when there is more')
    same(await store.querySessions({}), first, 'the query {}')
    const rest = await pages(store, { cursor: first.cursor ?? '' })
    same(rest.flat(), idsOf(sessions, {}).slice(50), 'the rest')
    same((await gather(store.sessions())).map(({ sessionId }) => sessionId), idsOf(sessions, {}), 'sessions()')
  })

  it('queries', 'gives pages of the size that was asked for, and all of them together everything once', async ({ store }) => {
    same(await store.querySessions(), { sessions: [], cursor: null }, 'the query of an empty store')
    const sessions = indexes(7).map(index => sessionOf(`s${index}`, { updatedAt: minute(index), createdAt: minute(9 - index) }))
    await saveAll(store, sessions)
    for (const order of orders) {
      for (const limit of [1, 2, 3, 6, 7, 8, 1000]) {
        const found = await pages(store, { ...order, limit })
        same(found.flat(), idsOf(sessions, order), `all pages of ${limit}, ${show(order)}`)
        same(found[0]?.length, Math.min(limit, 7), `the length of the first page of ${limit}`)
        for (const page of found) holds(page.length <= limit, `a page of ${limit} has ${page.length} sessions`)
        const iterated = await gather(store.sessions({ ...order, limit }))
        same(idsOfPage(iterated), idsOf(sessions, order), `sessions() with pages of ${limit}, ${show(order)}`)
      }
    }
  })

  it('queries', 'orders times as instants to the microsecond, however they are written', async ({ store }) => {
    const ascending = [
      '', // Nothing and what is no time come first.
      '1969-12-31T23:59:59.999999Z',
      '2024-05-15T15:01:59.9999999',
      '2024-05-15T15:02',
      '2024-05-15T17:02:00.000001+02:00',
      '2024-05-15T15:02:00.000002Z',
      '2024-05-15T15:02:00.00001',
      '2024-05-15T09:32:00.0001-05:30',
      '2024-05-15T15:02:00.09Z',
      '2024-05-15T15:02:00.1',
      '2024-05-15T15:02:00.123Z',
      '2024-05-15T15:02:00.123456+00:00',
      '2024-05-15T23:59:00+05:45',
      '2024-05-15T18:14:00.5Z',
      '2024-05-16T00:00:00+00:00',
      '9999-12-31T23:59:59.999999Z',
    ]
    // Ids whose own order is another one.
    const sessions = ascending.map((time, index) => sessionOf(`${(index * 7) % 16}`, { updatedAt: time, createdAt: time }))
    await saveAll(store, shuffled(sessions))
    const ids = idsOfPage(sessions)
    for (const orderBy of ['updatedAt', 'createdAt'] as const) {
      same((await pages(store, { orderBy, order: 'asc', limit: 3 })).flat(), ids, `ascending by ${orderBy}`)
      same((await pages(store, { orderBy, order: 'desc', limit: 3 })).flat(), ids.toReversed(), `descending by ${orderBy}`)
    }
  })

  it('queries', 'orders ids that tie by their UTF-8 bytes, also where the same instant is written in two ways', async ({ store }) => {
    const ids = ['!', '0', '10', '9', 'A', 'Z', '_', 'a', 'aa', 'b', '~', 'é', '日', '\ue000', 'ﬁ', '\uff01', '😀', '\u{10ffff}']
    const times = ['2024-05-15T15:02:00Z', '2024-05-15T17:02:00.000+02:00', '2024-05-15T15:02']
    const sessions = ids.map((id, index) => sessionOf(id, { updatedAt: times[index % 3] ?? '', createdAt: times[(index + 1) % 3] ?? '' }))
    await saveAll(store, shuffled(sessions))
    for (const orderBy of ['updatedAt', 'createdAt'] as const) {
      for (const limit of [1, 4, 50]) {
        same((await pages(store, { orderBy, order: 'asc', limit })).flat(), ids, `ascending by ${orderBy}, pages of ${limit}`)
        same((await pages(store, { orderBy, order: 'desc', limit })).flat(), ids.toReversed(), `descending by ${orderBy}, pages of ${limit}`)
      }
    }
    for (const [index, id] of ids.entries()) await store.saveSession(sessionOf(id, { updatedAt: index % 2 === 0 ? '' : 'no time', createdAt: '' }))
    same((await pages(store, { order: 'asc', limit: 4 })).flat(), ids, 'ids whose times are empty or unreadable')
  })

  it('queries', 'filters by every member, alone and together', async ({ store }) => {
    const sessions = fleet()
    await saveAll(store, sessions)
    const filters: SessionQuery[] = [
      { workspaceId: 'w' }, { workspaceId: null }, { workspaceId: 'none' },
      { agentId: 'a' }, { agentId: null }, { agentId: 'A' }, { agentId: '' }, { agentId: '%' },
      { parentSessionId: 's0' }, { parentSessionId: null }, { parentSessionId: 'none' },
      { ended: true }, { ended: false },
      { updatedAfter: minute(5) }, { updatedBefore: minute(5) }, { updatedAfter: minute(5), updatedBefore: minute(7) },
      { updatedAfter: '2026-01-01T01:05:00+01:00' }, { updatedAfter: '2026-01-01T00:04:59.999999' }, { updatedBefore: '2026-01-01T00:05:00.000001' },
      { createdAfter: minute(3) }, { createdBefore: minute(3) }, { createdAfter: minute(2), createdBefore: minute(2) },
      { createdAfter: minute(1), updatedBefore: minute(9) },
      { metadata: {} }, { metadata: { n: 1 } }, { metadata: { n: '1' } }, { metadata: { n: true } }, { metadata: { n: null } }, { metadata: { n: 0 } }, { metadata: { n: '' } },
      { metadata: { n: false } }, { metadata: { n: -0 } }, { metadata: { n: 'null' } }, { metadata: { n: '%' } }, { metadata: { n: 1.5 } }, { metadata: { missing: null } },
      { metadata: { n: 1, m: 'x' } }, { metadata: { N: 1 } }, { metadata: { 'deep.a': 1 } }, { metadata: { toString: 'x' } }, { metadata: { ended: true } },
      { metadata: Object.fromEntries([['__proto__', 1]]) }, { metadata: Object.fromEntries([['__proto__', null]]) }, { metadata: { "n') OR 1=1--": 1 } }, { metadata: { 'a"."b': 1 } },
      { workspaceId: 'w', agentId: 'a', ended: false, metadata: { n: 1 }, updatedAfter: minute(1) },
    ]
    for (const filter of filters) {
      for (const order of orders) {
        const query = { ...filter, ...order }
        same(idsOfPage((await store.querySessions(query)).sessions), idsOf(sessions, query), `the query ${show(query)}`)
      }
      same((await pages(store, { ...filter, limit: 2 })).flat(), idsOf(sessions, filter), `the query ${show(filter)} in pages of 2`)
    }
  }, { timeoutMs: 60_000 })

  it('queries', 'follows what a change does to the members by which it filters and orders', async ({ store }) => {
    await saveAll(store, [sessionOf('a', { agentId: 'x', metadata: { n: 1 } }), sessionOf('b', { agentId: 'x', metadata: { n: 1 } })])
    await store.changeSession('a', { agentId: 'y', setMetadata: { n: 2, ended: true }, updatedAt: minute(60 * 24 * 365) })
    const queries = [
      [{ agentId: 'x' }, ['b']], [{ agentId: 'y' }, ['a']], [{ metadata: { n: 1 } }, ['b']], [{ metadata: { n: 2 } }, ['a']],
      [{ ended: true }, ['a']], [{ ended: false }, ['b']], [{}, ['a', 'b']], [{ order: 'asc' }, ['b', 'a']], [{ updatedAfter: minute(60 * 24 * 364) }, ['a']],
    ] as const
    for (const [query, ids] of queries) same(idsOfPage((await store.querySessions(query)).sessions), ids, `the query ${show(query)} after a change`)
    await store.changeSession('a', { unsetMetadata: ['ended', 'n'], updatedAt: minute(0) })
    same(idsOfPage((await store.querySessions({ ended: false, order: 'asc' })).sessions), ['b', 'a'], 'after ended was taken away')
    await store.saveSession(sessionOf('a', { updatedAt: minute(0), createdAt: minute(0), metadata: { n: 1 } }))
    same(idsOfPage((await store.querySessions({ metadata: { n: 1 } })).sessions), ['b', 'a'], 'after it was saved with an earlier time')
    same(idsOfPage((await store.querySessions({ agentId: 'y' })).sessions), [], 'by the agent that it had')
    same(idsOfPage((await store.querySessions({ orderBy: 'createdAt' })).sessions), ['b', 'a'], 'by the new time of its creation')
    await store.deleteSession('b')
    same(idsOfPage((await store.querySessions()).sessions), ['a'], 'after the other was deleted')
  })

  for (const { orderBy, order } of orders) {
    it('queries', `loses and repeats nothing by ${orderBy} ${order} while sessions come, change and go between pages`, async ({ store }) => {
      for (const limit of [1, 2, 5]) {
        await disturb(store, { orderBy, order, limit })
        for (const id of await store.listSessions()) await store.deleteSession(id)
      }
    }, { timeoutMs: 60_000 })
  }

  it('queries', 'goes on behind a session that was deleted, moved or replaced since the page that ended with it', async ({ store }) => {
    const meddle: Record<string, (id: string) => Promise<unknown>> = {
      deleted: id => store.deleteSession(id),
      changed: id => store.changeSession(id, { setMetadata: { x: 1 }, updatedAt: minute(500) }),
      replaced: id => store.deleteSession(id).then(() => store.saveSession(sessionOf(id, { updatedAt: minute(500), createdAt: minute(500), workspaceId: 'v' }))),
    }
    for (const [name, act] of Object.entries(meddle)) {
      for (const order of orders) {
        const sessions = indexes(9).map(index => sessionOf(`s${index}`, { updatedAt: minute(index), createdAt: minute(index) }))
        await saveAll(store, sessions)
        const expected = idsOf(sessions, order)
        const { cursor } = await store.querySessions({ ...order, limit: 4 })
        await act(expected[3] ?? '')
        const rest = (await pages(store, { ...order, limit: 4, cursor: cursor ?? '' })).flat()
        same(rest.filter(id => id !== expected[3]), expected.slice(4), `what comes behind a session that was ${name}, ${show(order)}`)
        for (const id of await store.listSessions()) await store.deleteSession(id)
      }
    }
  }, { timeoutMs: 60_000 })

  it('queries', 'keeps a cursor good over handles', async ({ store, reopen }) => {
    await saveAll(store, indexes(5).map(index => sessionOf(`s${index}`, { updatedAt: minute(index) })))
    const { cursor } = await store.querySessions({ limit: 2 })
    const other = await reopen()
    same((await pages(other, { limit: 2, cursor: cursor ?? '' })).flat(), ['s2', 's1', 's0'], 'the rest, asked of another handle')
  }, { needs: 'reopen' })
}

/** Pages through 20 sessions while others are added, changed and deleted, and checks what the contract says of each. */
async function disturb(store: SessionStore, query: { orderBy: 'updatedAt' | 'createdAt'; order: 'asc' | 'desc'; limit: number }): Promise<void> {
  const sessions = indexes(20).map(index => sessionOf(`s${index}`, { updatedAt: minute(100 + (index >> 1)), createdAt: minute(100 + (index >> 1)) }))
  await saveAll(store, sessions)
  const changed = new Set<string>()
  const deleted = new Set<string>()
  const seen: string[] = []
  let cursor: string | null | undefined
  for (let page = 0; cursor !== null; page++) {
    const found = await store.querySessions({ ...query, ...(cursor === undefined ? {} : { cursor }) })
    seen.push(...idsOfPage(found.sessions))
    cursor = found.cursor
    holds(page < 200, 'paging does not end')
    if (page > 5) continue
    // One that comes before, one behind; one to change and one to delete, each time others.
    await store.saveSession(sessionOf(`before${page}`, { updatedAt: minute(page), createdAt: minute(page) }))
    await store.saveSession(sessionOf(`behind${page}`, { updatedAt: minute(900 + page), createdAt: minute(900 + page) }))
    const victim = `s${(page * 7) % 20}`
    const moved = `s${(page * 7 + 3) % 20}`
    if (await store.deleteSession(victim)) deleted.add(victim)
    if (!deleted.has(moved)) {
      await store.changeSession(moved, { ...appendOf(`t${page}`), updatedAt: minute(800 + page) })
      changed.add(moved)
    }
  }
  const what = `by ${query.orderBy} ${query.order} in pages of ${query.limit}`
  const times = (id: string): number => seen.filter(other => other === id).length
  for (const { sessionId } of sessions) {
    if (deleted.has(sessionId)) holds(times(sessionId) <= 1 || changed.has(sessionId), `a deleted session is seen ${times(sessionId)} times, ${what}`)
    else if (!changed.has(sessionId) || query.orderBy === 'createdAt') same(times(sessionId), 1, `how often ${sessionId}, which keeps its place, is seen ${what}`)
    else if (query.order === 'desc') holds(times(sessionId) <= 1, `${sessionId}, changed meanwhile, is seen ${times(sessionId)} times ${what}`)
    else holds(times(sessionId) >= 1, `${sessionId}, changed meanwhile, is never seen ${what}`)
  }
  for (const id of new Set(seen.filter(id => id.startsWith('be')))) same(times(id), 1, `how often ${id}, which is new, is seen ${what}`)
}

/** Sessions that differ in what filters look at. */
function fleet(): SessionRecord[] {
  const values = [1, '1', true, null, 0, '', false, 'null', '%', 1.5, [1], { a: 1 }]
  return indexes(24).map(index =>
    sessionOf(`s${index}`, {
      workspaceId: [null, 'w', 'W'][index % 3] ?? null,
      agentId: [null, 'a', 'A', ''][index % 4] ?? null,
      parentSessionId: [null, 's0', 's1'][(index >> 1) % 3] ?? null,
      createdAt: index % 11 === 0 ? '' : minute(index % 5),
      updatedAt: index % 7 === 6 ? 'no time' : minute(index % 10),
      metadata: {
        ...(index % 5 === 4 ? {} : { n: values[index % values.length] ?? null }),
        ...(index % 2 === 0 ? { m: 'x' } : { deep: { a: 1 } }),
        ...([{ ended: true }, { ended: false }, { ended: 'true' }, {}, { ended: 1 }][index % 5]),
        ...(index === 3 ? Object.fromEntries([['__proto__', 1]]) : {}),
        ...(index === 5 ? { "n') OR 1=1--": 1, 'a"."b': 1, 'deep.a': 1 } : {}),
      },
    }),
  )
}

async function pages(store: SessionStore, query: SessionQuery): Promise<string[][]> {
  const result: string[][] = []
  for (let next: SessionQuery | null = query; next !== null; ) {
    const { sessions, cursor }: { sessions: SessionSummary[]; cursor: string | null } = await store.querySessions(next)
    result.push(idsOfPage(sessions))
    holds(result.length < 100, `paging does not end: ${show(query)}`)
    next = cursor === null ? null : { ...query, cursor }
  }
  return result
}

async function saveAll(store: SessionStore, sessions: readonly SessionRecord[]): Promise<void> {
  await Promise.all(sessions.map(session => store.saveSession(session)))
}

function idsOfPage(sessions: readonly { readonly sessionId: string }[]): string[] {
  return sessions.map(({ sessionId }) => sessionId)
}

function minute(count: number): string {
  return new Date(Date.UTC(2026, 0, 1) + count * 60_000).toISOString()
}

/** Another order, the same each time. */
function shuffled<T>(items: readonly T[]): T[] {
  return items.map((item, index) => ({ item, rank: (index * 7919) % 104_729 % 31 })).toSorted((a, b) => a.rank - b.rank).map(({ item }) => item)
}
