import type { SessionStore } from '@turnstore/core'
import type { Cases, Group } from '../../cases/cases.js'
import { holds, same, show } from '../../checks/expect.js'
import { idsOfPage, minute, pages, saveAll } from '../../histories/listing.js'
import { gather } from '../../samples/methods.js'
import { idsOf } from '../../histories/query-oracle.js'
import { appendOf, indexes, sessionOf } from '../../samples/samples.js'

/** No gaps and no duplicates while sessions are created, changed and deleted between pages. */
export const pagingGroup: Group = { title: 'Paging', define }

const orders = (['updatedAt', 'createdAt'] as const).flatMap(orderBy =>
  (['asc', 'desc'] as const).map(order => ({ orderBy, order })),
)

function define({ it }: Cases): void {
  it(
    'queries',
    'returns 50 sessions by default, most recently changed first, and a cursor for the rest',
    async ({ store }) => {
      const sessions = indexes(55).map(index =>
        sessionOf(`s${index}`, { updatedAt: minute(index), createdAt: minute(99 - index) }),
      )
      await saveAll(store, sessions)
      const first = await store.querySessions()
      same(idsOfPage(first.sessions), idsOf(sessions, {}).slice(0, 50), 'the first page')
      holds(typeof first.cursor === 'string', 'there must be a cursor when there is more')
      same(await store.querySessions({}), first, 'the query {}')
      const rest = await pages(store, { cursor: first.cursor ?? '' })
      same(rest.flat(), idsOf(sessions, {}).slice(50), 'the rest')
      same(
        (await gather(store.sessions())).map(({ sessionId }) => sessionId),
        idsOf(sessions, {}),
        'sessions()',
      )
      same(
        idsOfPage(await gather(store.sessions({ cursor: first.cursor ?? '' }))),
        idsOf(sessions, {}).slice(50),
        'sessions() from the cursor on',
      )
    },
  )

  it('queries', 'returns pages of the requested size, which together contain every session once', async ({ store }) => {
    same(await store.querySessions(), { sessions: [], cursor: null }, 'the query of an empty store')
    const sessions = indexes(7).map(index =>
      sessionOf(`s${index}`, { updatedAt: minute(index), createdAt: minute(9 - index) }),
    )
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

  it('settles', 'supports iterations that are left early, and several at once', async ({ store }) => {
    const ids = ['a', 'b', 'c', 'd']
    await saveAll(
      store,
      ids.map(id => sessionOf(id)),
    )
    for (const limit of [1, 3]) {
      for await (const { sessionId } of store.sessions({ limit })) if (sessionId === 'c') break
      await store.saveSession(sessionOf('a'))
      await store.changeSession('b', appendOf(`t${limit}`))
      const left = store.sessions({ order: 'asc', limit })[Symbol.asyncIterator]()
      await left.next()
      same(idsOfPage(await gather(store.sessions({ orderBy: 'createdAt', limit }))), ids.toReversed(), 'another one')
      const rest = idsOfPage(await gather({ [Symbol.asyncIterator]: () => left }))
      same(rest, ['c', 'd', 'b'], 'the rest of an iteration that another one interrupted')
    }
    await store.deleteSession('a')
    await store.close()
  })

  it('queries', 'iterates over all sessions while each returned one is deleted or changed', async ({ store }) => {
    for (const [name, act] of Object.entries({
      deletes: (id: string) => store.deleteSession(id),
      changes: (id: string) => store.changeSession(id, { setMetadata: { x: 1 }, updatedAt: minute(500) }),
    })) {
      for (const { orderBy, order } of orders) {
        // Ascending by updatedAt, a changed session is listed again, which is correct.
        if (name === 'changes' && orderBy === 'updatedAt' && order === 'asc') continue
        const ids = indexes(9).map(index => `s${index}`)
        await saveAll(
          store,
          ids.map((id, at) => sessionOf(id, { updatedAt: minute(at), createdAt: minute(at) })),
        )
        const seen: string[] = []
        for await (const { sessionId } of store.sessions({ orderBy, order, limit: 2 })) {
          seen.push(sessionId)
          await act(sessionId)
        }
        const expected = order === 'asc' ? ids : ids.toReversed()
        same(seen, expected, `sessions() ${order} by ${orderBy} in a loop that ${name} each session`)
        for (const id of await store.listSessions()) await store.deleteSession(id)
      }
    }
  })

  it('queries', 'lists each session once by createdAt while all are saved repeatedly', async ({ store }) => {
    const ids = indexes(8).map(index => `s${index}`)
    const saveEach = (round: number) =>
      saveAll(
        store,
        ids.map((id, at) => sessionOf(id, { createdAt: minute(at), metadata: { round } })),
      )
    await saveEach(0)
    for (const round of indexes(6)) {
      for (const order of ['desc', 'asc'] as const) {
        const listing = pages(store, { orderBy: 'createdAt', order, limit: 1 + (round % 3) })
        const saving = saveEach(round).then(() => saveEach(round))
        const [listed] = await Promise.all([listing, saving])
        const expected = order === 'asc' ? ids : ids.toReversed()
        same(listed.flat(), expected, `all pages ${order}, listed while each session was saved as a whole`)
      }
    }
  })

  for (const { orderBy, order } of orders) {
    it(
      'queries',
      `has no gaps or duplicates by ${orderBy} ${order} while sessions are created, changed and deleted between pages`,
      async ({ store }) => {
        for (const limit of [1, 2, 5]) {
          await disturb(store, { orderBy, order, limit })
          for (const id of await store.listSessions()) await store.deleteSession(id)
        }
      },
    )
  }

  it(
    'queries',
    'continues after a session that was deleted, moved or replaced since it ended a page',
    async ({ store }) => {
      const meddle: Record<string, (id: string) => Promise<unknown>> = {
        deleted: id => store.deleteSession(id),
        changed: id => store.changeSession(id, { setMetadata: { x: 1 }, updatedAt: minute(500) }),
        replaced: id =>
          store
            .deleteSession(id)
            .then(() =>
              store.saveSession(sessionOf(id, { updatedAt: minute(500), createdAt: minute(500), workspaceId: 'v' })),
            ),
      }
      for (const [name, act] of Object.entries(meddle)) {
        for (const order of orders) {
          const sessions = indexes(9).map(index =>
            sessionOf(`s${index}`, { updatedAt: minute(index), createdAt: minute(index) }),
          )
          await saveAll(store, sessions)
          const expected = idsOf(sessions, order)
          const { cursor } = await store.querySessions({ ...order, limit: 4 })
          await act(expected[3] ?? '')
          const rest = (await pages(store, { ...order, limit: 4, cursor: cursor ?? '' })).flat()
          same(
            rest.filter(id => id !== expected[3]),
            expected.slice(4),
            `the sessions after one that was ${name}, ${show(order)}`,
          )
          for (const id of await store.listSessions()) await store.deleteSession(id)
        }
      }
    },
  )

  it(
    'queries',
    'accepts a cursor of another handle',
    async ({ store, reopen }) => {
      await saveAll(
        store,
        indexes(5).map(index => sessionOf(`s${index}`, { updatedAt: minute(index) })),
      )
      const { cursor } = await store.querySessions({ limit: 2 })
      const other = await reopen()
      same(
        (await pages(other, { limit: 2, cursor: cursor ?? '' })).flat(),
        ['s2', 's1', 's0'],
        'the rest, asked of another handle',
      )
    },
    { needs: 'reopen' },
  )
}

/** Pages through 20 sessions while others are added, changed and deleted, and checks how often each is listed. */
async function disturb(
  store: SessionStore,
  query: { orderBy: 'updatedAt' | 'createdAt'; order: 'asc' | 'desc'; limit: number },
): Promise<void> {
  const sessions = indexes(20).map(index =>
    sessionOf(`s${index}`, { updatedAt: minute(100 + (index >> 1)), createdAt: minute(100 + (index >> 1)) }),
  )
  await saveAll(store, sessions)
  const changed = new Set<string>()
  const deleted = new Set<string>()
  const seen: string[] = []
  let cursor: string | null | undefined
  for (let page = 0; cursor !== null; page++) {
    const found = await store.querySessions({ ...query, ...(cursor === undefined ? {} : { cursor }) })
    seen.push(...idsOfPage(found.sessions))
    for (const { sessionId } of found.sessions) {
      holds(!deleted.has(sessionId), `${sessionId} is on a page requested after it was deleted`)
    }
    cursor = found.cursor
    holds(page < 200, 'paging does not end')
    if (page > 5) continue
    // Each time: one added before, one added after, one changed and one deleted.
    await store.saveSession(sessionOf(`before${page}`, { updatedAt: minute(page), createdAt: minute(page) }))
    await store.saveSession(
      sessionOf(`behind${page}`, { updatedAt: minute(900 + page), createdAt: minute(900 + page) }),
    )
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
  for (const session of sessions) {
    const { sessionId } = session
    const tied = sessions.filter(other => other[query.orderBy] === session[query.orderBy]).length
    if (deleted.has(sessionId))
      holds(
        times(sessionId) <= 1 || changed.has(sessionId),
        `a deleted session is listed ${times(sessionId)} times, ${what}`,
      )
    else if (!changed.has(sessionId) || query.orderBy === 'createdAt')
      same(times(sessionId), 1, `how often ${sessionId}, unchanged and one of ${tied} with its time, is listed ${what}`)
    else if (query.order === 'desc')
      holds(times(sessionId) <= 1, `${sessionId}, changed in between, is listed ${times(sessionId)} times ${what}`)
    else holds(times(sessionId) >= 1, `${sessionId}, changed in between, is never listed ${what}`)
  }
  for (const id of new Set(seen.filter(id => id.startsWith('be'))))
    same(times(id), 1, `how often ${id}, a new session, is listed ${what}`)
}
