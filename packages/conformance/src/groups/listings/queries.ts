import type { SessionQuery, SessionRecord } from '@turnstore/core'
import type { Cases, Group } from '../../cases/cases.js'
import { present, same, show } from '../../checks/expect.js'
import { idsOfPage, minute, pages, saveAll } from '../../histories/listing.js'
import { idsOf } from '../../histories/query-oracle.js'
import { invalidIds } from '../../samples/hazards.js'
import { untyped } from '../../samples/methods.js'
import { changeOf, indexes, sessionOf, toolCallOf, turnOf } from '../../samples/samples.js'

/** Every filter and every order. */
export const queriesGroup: Group = { title: 'Queries', define }

const orders = (['updatedAt', 'createdAt'] as const).flatMap(orderBy =>
  (['asc', 'desc'] as const).map(order => ({ orderBy, order })),
)

function define({ it }: Cases): void {
  it('queries', 'shows the last turn of each session, after every kind of write', async ({ store }) => {
    const check = async (turn: { turnId: string; status: string; prompt: string } | null, after: string) => {
      const summary = present(await store.loadSummary('s'), 'the summary')
      const { startedAt: _startedAt, ...shown } = summary.lastTurn ?? { startedAt: '' }
      same(summary.lastTurn && shown, turn, `the last turn ${after}`)
      const { sessions } = await store.querySessions()
      same(sessions, [summary], `what is listed ${after}`)
    }
    const longest = `${'x'.repeat(199)}\ud83d\ude00y`
    const cut = { turnId: 'b', status: 'running', prompt: 'x'.repeat(199) }
    await store.saveSession(sessionOf('s'))
    await check(null, 'of a session without turns')
    const first = { turnId: 'a', prompt: 'A', startedAt: minute(1) }
    await store.changeSession('s', changeOf({ appendTurns: [turnOf('a', first)] }))
    await check({ turnId: 'a', status: 'success', prompt: 'A' }, 'after an append')
    same((await store.loadSummary('s'))?.lastTurn?.startedAt, minute(1), 'its start')
    await store.changeSession('s', changeOf({ appendTurns: [turnOf('b', { status: 'running', prompt: longest })] }))
    await check(cut, 'after the append of another one, whose prompt is cut before an emoji')
    await store.changeSession('s', changeOf({ updateTurns: [{ turnId: 'b', putToolCalls: [toolCallOf('c')] }] }))
    await check(cut, 'after a step')
    await store.changeSession('s', changeOf({ updateTurns: [{ turnId: 'a', set: { status: 'error' } }] }))
    await check(cut, 'after an update of an earlier turn')
    await store.changeSession('s', changeOf({ updateTurns: [{ turnId: 'b', set: { status: 'error', prompt: 'B' } }] }))
    await check({ turnId: 'b', status: 'error', prompt: 'B' }, 'after an update')
    await store.changeSession('s', changeOf({ keepTurns: 1 }))
    await check({ turnId: 'a', status: 'error', prompt: 'A' }, 'after a rewind')
    await store.changeSession('s', changeOf({ keepTurns: 0, appendTurns: [turnOf('c', { prompt: '\ud800' })] }))
    await check({ turnId: 'c', status: 'success', prompt: '\ud800' }, 'after a rewind and an append in one change')
    await store.changeSession('s', changeOf({ keepTurns: 0 }))
    await check(null, 'after a rewind to nothing')
    await store.saveSession(sessionOf('s', { turns: [turnOf('d', { prompt: 'D' })] }))
    await check({ turnId: 'd', status: 'success', prompt: 'D' }, 'after a save')
  })

  it('queries', 'finds sessions by the status of their last turn', async ({ store }) => {
    const statuses = ['running', 'success', 'interrupted', 'Running', 'running ', "'"]
    const sessions = indexes(40).map(index => {
      const status = statuses[index % 7] ?? 'none'
      const turns = status === 'none' ? [] : [turnOf('a', { status: 'running' }), turnOf('b', { status })]
      return sessionOf(`s${index}`, { turns, updatedAt: minute(index), createdAt: minute(index) })
    })
    await saveAll(store, sessions)
    for (const lastTurnStatus of [...statuses, 'none', '']) {
      for (const limit of [3, 50]) {
        const query = { lastTurnStatus, limit, updatedBefore: minute(30) }
        same((await pages(store, query)).flat(), idsOf(sessions, query), `with ${show(query)}`)
      }
    }
    await store.changeSession('s0', changeOf({ updateTurns: [{ turnId: 'b', set: { status: 'success' } }] }))
    const running = idsOfPage((await store.querySessions({ lastTurnStatus: 'running' })).sessions)
    same(running.includes('s0'), false, 'a session whose last turn has ended since is found')
  })

  it('queries', 'orders times as instants to the microsecond, however they are written', async ({ store }) => {
    const ascending = [
      '', // Missing and invalid times come first.
      '2024-02-30T00:00:00Z',
      '2024-05-15T24:00:00Z',
      // Texts that other software accepts as times.
      '2024-05-15 15:02:00',
      '15 May 2024 15:02:00 GMT',
      '2024-05-15',
      '0099-12-31T23:59:59.999999Z',
      '1969-12-31T23:59:59.999999Z',
      '2024-05-15T15:01:59.9999999',
      '2024-05-15T15:01:59.999999001',
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
    // Ids in a different order, except the first six, which tie, and two with the same microsecond.
    const sessions = ascending.map((time, index) =>
      sessionOf(index < 6 ? `0${index}` : `${(index * 5) % 23}`, { updatedAt: time, createdAt: time }),
    )
    await saveAll(store, shuffled(sessions))
    const ids = idsOfPage(sessions)
    for (const bound of [{ updatedAfter: '0001-01-01T00:00:00Z' }, { createdBefore: '9999-12-31T23:59:59.9999995Z' }]) {
      const readable = ids.slice(6, 'createdBefore' in bound ? -1 : undefined)
      const found = (await pages(store, { ...bound, order: 'asc' })).flat()
      same(found, readable, `times that the bound ${show(bound)} finds: an unreadable one matches none`)
    }
    for (const orderBy of ['updatedAt', 'createdAt'] as const) {
      same((await pages(store, { orderBy, order: 'asc', limit: 3 })).flat(), ids, `ascending by ${orderBy}`)
      same(
        (await pages(store, { orderBy, order: 'desc', limit: 3 })).flat(),
        ids.toReversed(),
        `descending by ${orderBy}`,
      )
    }
  })

  it(
    'queries',
    'orders sessions of the same instant by the UTF-8 bytes of their ids, however the time is written',
    async ({ store }) => {
      const ids = [
        '!',
        '0',
        '10',
        '9',
        'A',
        'Z',
        '_',
        'a',
        'a b',
        'a%2Fb',
        'a,b',
        'a.b',
        'a/b',
        'a:b',
        'aa',
        'a|b',
        'b',
        '~',
        'é',
        '日',
        '\ue000',
        'ﬁ',
        '\uff01',
        '😀',
        '\u{10ffff}',
      ]
      const times = ['2024-05-15T15:02:00Z', '2024-05-15T17:02:00.000+02:00', '2024-05-15T15:02']
      const sessions = ids.map((id, index) =>
        sessionOf(id, { updatedAt: times[index % 3] ?? '', createdAt: times[(index + 1) % 3] ?? '' }),
      )
      await saveAll(store, shuffled(sessions))
      for (const orderBy of ['updatedAt', 'createdAt'] as const) {
        for (const limit of [1, 4, 50]) {
          same(
            (await pages(store, { orderBy, order: 'asc', limit })).flat(),
            ids,
            `ascending by ${orderBy}, pages of ${limit}`,
          )
          same(
            (await pages(store, { orderBy, order: 'desc', limit })).flat(),
            ids.toReversed(),
            `descending by ${orderBy}, pages of ${limit}`,
          )
        }
      }
      for (const [index, id] of ids.entries())
        await store.saveSession(sessionOf(id, { updatedAt: index % 2 === 0 ? '' : 'no time', createdAt: '' }))
      for (const orderBy of ['updatedAt', 'createdAt'] as const) {
        const asc = (await pages(store, { orderBy, order: 'asc', limit: 4 })).flat()
        const desc = (await pages(store, { orderBy, order: 'desc', limit: 4 })).flat()
        same(asc, ids, `ids whose times are empty or unreadable, ascending by ${orderBy}`)
        same(desc, ids.toReversed(), `ids whose times are empty or unreadable, descending by ${orderBy}`)
      }
    },
  )

  it('queries', 'takes an agent or a parent that breaks the rules for ids, and finds who has it', async ({ store }) => {
    await store.saveSession(sessionOf('s', { agentId: 'a', parentSessionId: 'p' }))
    for (const name of ['agentId', 'parentSessionId'] as const) {
      for (const id of invalidIds) {
        const query = { [name]: id }
        same(await pages(store, query), [[]], `what ${show(query)} finds`)
      }
    }
    // Old records have such agents.
    const odd = ['a\nb', 'x'.repeat(201), '']
    for (const [index, agentId] of odd.entries()) await store.saveSession(sessionOf(`odd${index}`, { agentId }))
    for (const [index, agentId] of odd.entries())
      same(await pages(store, { agentId }), [[`odd${index}`]], `what ${show({ agentId })} finds`)
  })

  it('queries', 'filters by every member, alone and together', async ({ store }) => {
    const sessions = fleet()
    await saveAll(store, sessions)
    const filters: SessionQuery[] = [
      { workspaceId: 'w' },
      { workspaceId: null },
      { workspaceId: 'none' },
      { agentId: 'a' },
      { agentId: null },
      { agentId: 'A' },
      { agentId: '' },
      { agentId: '%' },
      { agentId: 'null' },
      { parentSessionId: 'null' },
      { parentSessionId: 's0' },
      { parentSessionId: null },
      { parentSessionId: 'none' },
      { ended: true },
      { ended: false },
      { updatedAfter: minute(5) },
      { updatedBefore: minute(5) },
      { updatedAfter: minute(5), updatedBefore: minute(7) },
      { updatedAfter: '2026-01-01T01:05:00+01:00' },
      { updatedAfter: '2026-01-01T00:04:59.999999' },
      { updatedBefore: '2026-01-01T00:05:00.000001' },
      { updatedBefore: '2026-01-01T00:05:00.0000009' },
      { createdAfter: minute(3) },
      { createdBefore: minute(3) },
      { createdAfter: minute(2), createdBefore: minute(2) },
      { createdAfter: '2026-01-01T01:03:00+01:00' },
      { createdBefore: '2026-01-01T01:03:00+01:00' },
      { createdAfter: '2026-01-01T00:02:59.999999' },
      { createdBefore: '2026-01-01T00:03:00.000001' },
      { updatedBefore: '2025-12-31T23:05:00-01:00' },
      { updatedAfter: minute(7), updatedBefore: minute(5) },
      untyped({ agentId: undefined, parentSessionId: undefined, ended: undefined, limit: undefined }),
      { parentSessionId: 'S0' },
      { createdAfter: minute(1), updatedBefore: minute(9) },
      { metadata: {} },
      { metadata: { n: 1 } },
      { metadata: { n: '1' } },
      { metadata: { n: true } },
      { metadata: { n: null } },
      { metadata: { n: 0 } },
      { metadata: { n: '' } },
      { metadata: { n: false } },
      { metadata: { n: -0 } },
      { metadata: { n: 'null' } },
      { metadata: { n: '%' } },
      { metadata: { n: 1.5 } },
      { metadata: { missing: null } },
      { metadata: { n: 1, m: 'x' } },
      { metadata: { n: '1', m: 'x' } },
      { metadata: { m: 'x', n: '1' } },
      { metadata: { N: 1 } },
      { metadata: { 'deep.a': 1 } },
      { metadata: { toString: 'x' } },
      { metadata: { ended: true } },
      { metadata: { ended: false } },
      { metadata: { 'p:q': 'r' } },
      { metadata: { p: 'q:r' } },
      { metadata: { agentId: 'a' } },
      { metadata: { parentSessionId: 's0' } },
      { metadata: { workspaceId: 'w' } },
      { workspaceId: 'W', metadata: { workspaceId: 'w' } },
      ...alike.map(value => ({ metadata: { alike: value } })),
      { metadata: Object.fromEntries([['__proto__', 1]]) },
      { metadata: Object.fromEntries([['__proto__', null]]) },
      { metadata: { "n') OR 1=1--": 1 } },
      { metadata: { 'a"."b': 1 } },
      { workspaceId: 'w', agentId: 'a', ended: false, metadata: { n: 1 }, updatedAfter: minute(1) },
    ]
    for (const [index, filter] of filters.entries()) {
      for (const order of orders) {
        const query = { ...filter, ...order }
        same(idsOfPage((await store.querySessions(query)).sessions), idsOf(sessions, query), `the query ${show(query)}`)
      }
      same(
        (await pages(store, { ...filter, limit: 2 })).flat(),
        idsOf(sessions, filter),
        `the query ${show(filter)} in pages of 2`,
      )
      if (index % 2 === 1) continue
      const query = { ...filter, ...orders[(index >> 1) % orders.length], limit: 3 }
      same((await pages(store, query)).flat(), idsOf(sessions, query), `the query ${show(query)}, page by page`)
    }
  })

  it('queries', 'filters by any two members together', async ({ store }) => {
    const sessions = fleet()
    await saveAll(store, sessions)
    const filters: SessionQuery[] = [
      { workspaceId: 'w' },
      { workspaceId: null },
      { agentId: 'a' },
      { agentId: null },
      { parentSessionId: 's0' },
      { parentSessionId: null },
      { ended: true },
      { ended: false },
      { updatedAfter: minute(4) },
      { updatedBefore: minute(5) },
      { createdAfter: minute(1) },
      { createdBefore: minute(3) },
      { metadata: { m: 'x' } },
    ]
    const pairs = filters.flatMap((one, index) => filters.slice(index + 1).map(other => ({ ...one, ...other })))
    for (const [index, filter] of pairs.entries()) {
      const query = { ...filter, ...orders[index % orders.length] }
      const found = idsOfPage((await store.querySessions(query)).sessions)
      same(found, idsOf(sessions, query), `the query ${show(query)}: each of its filters holds beside the others`)
    }
  })

  it('queries', 'follows changes of the members by which it filters and orders', async ({ store }) => {
    await saveAll(store, [
      sessionOf('a', { agentId: 'x', parentSessionId: 'p', metadata: { n: 1, ended: true } }),
      sessionOf('b', { agentId: 'x', parentSessionId: 'p', metadata: { n: 1 } }),
    ])
    await store.changeSession('a', {
      agentId: 'y',
      setMetadata: { n: 2, ended: true },
      updatedAt: minute(60 * 24 * 365),
    })
    const queries = [
      [{ agentId: 'x' }, ['b']],
      [{ agentId: 'y' }, ['a']],
      [{ metadata: { n: 1 } }, ['b']],
      [{ metadata: { n: 2 } }, ['a']],
      [{ ended: true }, ['a']],
      [{ ended: false }, ['b']],
      [{}, ['a', 'b']],
      [{ order: 'asc' }, ['b', 'a']],
      [{ updatedAfter: minute(60 * 24 * 364) }, ['a']],
    ] as const
    for (const [query, ids] of queries)
      same(idsOfPage((await store.querySessions(query)).sessions), ids, `the query ${show(query)} after a change`)
    await store.changeSession('a', { unsetMetadata: ['ended', 'n'], updatedAt: minute(0) })
    same(
      idsOfPage((await store.querySessions({ ended: false, order: 'asc' })).sessions),
      ['b', 'a'],
      'after ended was taken away',
    )
    for (const query of [{ metadata: { n: 2 } }, { metadata: { ended: true } }, { ended: true }])
      same(idsOfPage((await store.querySessions(query)).sessions), [], `${show(query)} after it was taken away`)
    await store.changeSession('a', changeOf({ setMetadata: { ended: true } }))
    same(idsOfPage((await store.querySessions({ ended: true })).sessions), ['a'], 'after it was ended again')
    await store.saveSession(sessionOf('a', { updatedAt: minute(0), createdAt: minute(0), metadata: { n: 1 } }))
    same(
      idsOfPage((await store.querySessions({ metadata: { n: 1 } })).sessions),
      ['b', 'a'],
      'after it was saved with an earlier time',
    )
    for (const query of [{ agentId: 'y' }, { ended: true }])
      same(idsOfPage((await store.querySessions(query)).sessions), [], `by what it had before the save, ${show(query)}`)
    same(idsOfPage((await store.querySessions({ parentSessionId: 'p' })).sessions), ['b'], 'by the parent that it had')
    same(
      idsOfPage((await store.querySessions({ orderBy: 'createdAt' })).sessions),
      ['b', 'a'],
      'by the new time of its creation',
    )
    await store.deleteSession('b')
    same(idsOfPage((await store.querySessions()).sessions), ['a'], 'after the other was deleted')
    await store.saveSession(sessionOf('b', { parentSessionId: 'q', metadata: { n: 3 } }))
    const old = [{ metadata: { n: 1 } }, { agentId: 'x' }, { parentSessionId: 'p' }, { orderBy: 'createdAt' }] as const
    const found = await Promise.all(old.map(async query => idsOfPage((await store.querySessions(query)).sessions)))
    same(found, [['a'], [], [], ['b', 'a']], 'a new session with the id, by the members of the deleted one')
  })
}

/** Metadata values that a store may confuse. */
const alike: readonly (string | number)[] = [
  'x',
  'X',
  'x ',
  'x\0',
  'x\0y',
  'é',
  'e\u0301',
  '\ud800',
  '\ud801',
  '\ufffd',
  'y'.repeat(300),
  `${'y'.repeat(299)}z`,
  'null',
  'true',
  '1e21',
  1e21,
  0.1 + 0.2,
  0.3,
  Number.MAX_SAFE_INTEGER,
  Number.MAX_SAFE_INTEGER - 1,
  2 ** 53 + 2,
  1e-7,
  -1,
  '🍣',
  '🍺',
]

/** Sessions that differ in the filtered members. */
function fleet(): SessionRecord[] {
  const values = [1, '1', true, null, 0, '', false, 'null', '%', 1.5, [1], { a: 1 }]
  return indexes(26).map(index =>
    sessionOf(`s${index}`, {
      workspaceId: [null, 'w', 'W'][index % 3] ?? null,
      agentId: [null, 'a', 'A', ''][index % 4] ?? null,
      parentSessionId: [null, 's0', 's1'][(index >> 1) % 3] ?? null,
      createdAt: index % 11 === 0 ? '' : minute(index % 5),
      updatedAt: index % 7 === 6 ? 'no time' : minute(index % 10),
      metadata: {
        ...(index % 5 === 4 ? {} : { n: values[index % values.length] ?? null }),
        ...(index % 2 === 0 ? { m: 'x' } : { deep: { a: 1 } }),
        ...[{ ended: true }, { ended: false }, { ended: 'true' }, {}, { ended: 1 }][index % 5],
        alike: alike[index] ?? null,
        ...(index === 1 ? { p: 'q:r' } : index === 2 ? { 'p:q': 'r' } : {}),
        ...(index === 3 ? Object.fromEntries([['__proto__', 1]]) : {}),
        ...(index === 5 ? { "n') OR 1=1--": 1, 'a"."b': 1, 'deep.a': 1 } : {}),
      },
    }),
  )
}

/** A fixed shuffle. */
function shuffled<T>(items: readonly T[]): T[] {
  return items
    .map((item, index) => ({ item, rank: ((index * 7919) % 104_729) % 31 }))
    .toSorted((a, b) => a.rank - b.rank)
    .map(({ item }) => item)
}
