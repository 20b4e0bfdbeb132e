import type { SessionRecord, SessionStore, TurnPage } from '@turnstore/core'
import { summaryOf } from '../../histories/summary.js'
import type { Cases, Group } from '../../cases/cases.js'
import { holds, same } from '../../checks/expect.js'
import {
  appendOf,
  changeOf,
  fullSession,
  oldFile,
  sessionOf,
  T0,
  T2,
  transitionOf,
  turnIdsOf,
  turnOf,
  turnsOf,
} from '../../samples/samples.js'

/** Ranges of turns and summaries, also through another handle. */
export const readingGroup: Group = { title: 'Reading', define }

function define({ it }: Cases): void {
  it(
    'change',
    'uses the last turn for reads and changes if an old record has a turnId twice',
    async ({ store }) => {
      await store.saveSession(oldFile('s'))
      const page = await store.readTurns('s', { turnId: 'twice' })
      same(
        page,
        { turns: [turnOf('twice', { prompt: 'second' })], firstIndex: 2, turnCount: 7, revision: 1 },
        'readTurns',
      )
      same(await store.loadSummary('s'), summaryOf(oldFile('s')), 'its summary counts each turn and each transition')
      await store.changeSession('s', changeOf({ updateTurns: [{ turnId: 'twice', set: { status: 'x' } }] }))
      const loaded = await store.loadSession('s')
      same(
        loaded?.turns.map(turn => turn.status),
        ['success', 'success', 'x', ...Array<string>(4).fill('success')],
        'after an update',
      )
      await store.changeSession(
        's',
        changeOf({ keepTurns: 2, updateTurns: [{ turnId: 'twice', set: { status: 'y' } }] }),
      )
      const rewound = await load(store, 's')
      same(
        rewound.turns.map(turn => turn.status),
        ['y', 'success'],
        'after a rewind between the two',
      )
      holds(
        rewound.agentTransitions.some(({ transitionId }) => transitionId === 'of the second'),
        'a rewind has dropped a transition of a turn of which the first stays',
      )
    },
  )

  it('methods', 'reads ranges of turns and their positions', async ({ store }) => {
    const turns = turnsOf(5)
    await store.saveSession(sessionOf('s', { turns }))
    const page = (first: number, end: number): TurnPage => ({
      turns: turns.slice(first, end),
      firstIndex: first,
      turnCount: 5,
      revision: 1,
    })
    const ranges = [
      [{ last: 2 }, page(3, 5)],
      [{ last: 5 }, page(0, 5)],
      [{ last: 99 }, page(0, 5)],
      // Numbers that a 32-bit backend wraps or refuses, and a sum that is not a safe integer.
      [{ last: 2 ** 32 }, page(0, 5)],
      [{ last: Number.MAX_SAFE_INTEGER }, page(0, 5)],
      [{ from: 2 ** 32 }, page(5, 5)],
      [{ from: 3, limit: Number.MAX_SAFE_INTEGER - 1 }, page(3, 5)],
      [{ last: 0 }, page(5, 5)],
      [{}, page(0, 5)],
      [{ from: 3 }, page(3, 5)],
      [{ from: 1, limit: 2 }, page(1, 3)],
      [{ limit: 1 }, page(0, 1)],
      [{ from: 4, limit: 1 }, page(4, 5)],
      [{ from: 4, limit: 9 }, page(4, 5)],
      [{ from: 5 }, page(5, 5)],
      [{ from: 99, limit: 1 }, page(5, 5)],
      [{ turnId: 't0' }, page(0, 1)],
      [{ turnId: 't3' }, page(3, 4)],
      [{ turnId: 'none' }, page(5, 5)],
      [{ turnId: 'T3' }, page(5, 5)],
      [{ turnId: 't' }, page(5, 5)],
      [{ turnId: 't%' }, page(5, 5)],
    ] as const
    for (const [range, expected] of ranges) same(await store.readTurns('s', range), expected, JSON.stringify(range))
    await store.saveSession(sessionOf('empty'))
    const none = { turns: [], firstIndex: 0, turnCount: 0, revision: 1 }
    for (const range of [{ last: 3 }, {}, { from: 2 }, { turnId: 't0' }]) {
      same(await store.readTurns('empty', range), none, `${JSON.stringify(range)} of no turns`)
    }
  })

  it('methods', 'reads ranges of a session that was rewound and grew again', async ({ store }) => {
    await store.saveSession(sessionOf('s', { turns: turnsOf(5) }))
    const changes = [
      { keepTurns: 2 },
      { appendTurns: [turnOf('a'), turnOf('b')] },
      { keepTurns: 3, appendTurns: [turnOf('c')] },
      { updateTurns: [{ turnId: 'a', set: { status: 'x' } }] },
      { setMetadata: { a: 1 } },
      { agentId: 'x' },
    ]
    for (const members of changes) await store.changeSession('s', changeOf(members))
    const turns = [...turnsOf(2), turnOf('a', { status: 'x' }), turnOf('c')]
    const ranges = [
      [{}, 0, 4],
      [{ from: 1, limit: 2 }, 1, 3],
      [{ from: 2 }, 2, 4],
      [{ from: 3, limit: 1 }, 3, 4],
      [{ from: 4 }, 4, 4],
      [{ last: 1 }, 3, 4],
      [{ last: 3 }, 1, 4],
      [{ turnId: 't1' }, 1, 2],
      [{ turnId: 'a' }, 2, 3],
      [{ turnId: 'c' }, 3, 4],
      [{ turnId: 'b' }, 4, 4],
    ] as const
    for (const [range, first, end] of ranges) {
      const expected = { turns: turns.slice(first, end), firstIndex: first, turnCount: 4, revision: 7 }
      same(await store.readTurns('s', range), expected, `${JSON.stringify(range)} counts the existing turns`)
    }
  })

  it('methods', 'summarizes a session: everything except turns and agent transitions, which are counted', async ({ store }) => {
    const session = fullSession('s', { workspaceId: 'w', metadata: { a: { b: [1, null] }, ended: true } })
    await store.saveSession(session)
    const bare = sessionOf('bare', { agentTransitions: [transitionOf('h')] })
    for (const each of [sessionOf('bare'), bare]) {
      const revision = await store.saveSession(each)
      same(await store.loadSummary('bare'), { ...summaryOf(each), revision }, 'loadSummary of a session without turns')
    }
    await store.deleteSession('bare')
    same(await store.loadSummary('s'), summaryOf(session), 'loadSummary')
    same((await store.querySessions()).sessions, [summaryOf(session)], 'querySessions')
    await store.changeSession(
      's',
      changeOf({
        keepTurns: 1,
        appendTurns: [turnOf('a'), turnOf('b')],
        unsetMetadata: ['ended'],
        agentId: null,
        updatedAt: '2030-01-01T00:00:00Z',
      }),
    )
    const changed = { agentId: null, updatedAt: '2030-01-01T00:00:00Z', metadata: { a: { b: [1, null] } }, revision: 2 }
    const { lastTurn } = (await store.loadSummary('s')) ?? { lastTurn: null }
    same(lastTurn?.turnId, 'b', 'the last turn after a change')
    const expected = { ...summaryOf(session), ...changed, turnCount: 3, agentTransitionCount: 1, lastTurn }
    same(await store.loadSummary('s'), expected, 'loadSummary after a change')
    same((await store.querySessions()).sessions, [expected], 'querySessions after a change')
  })

  it(
    'stored',
    'shows each write to another handle at once, in every kind of read',
    async ({ store, reopen, open }) => {
      const handles = [store, await reopen()] as const
      // A store without another handle, which sees every write.
      const alone = await open()
      // Reads everything after each write, to detect stale caches.
      const read = (handle: SessionStore): Promise<unknown[]> =>
        Promise.all([
          handle.loadSession('s'),
          handle.loadSummary('s'),
          handle.readTurns('s', { last: 2 }),
          handle.readTurns('s', { turnId: 't1' }),
          handle.listSessions(),
          handle.listSessions({ workspaceId: 'w' }),
          handle.querySessions(),
          handle.querySessions({ metadata: { a: 1 } }),
        ])
      const writes: [name: string, write: (handle: SessionStore) => Promise<unknown>][] = [
        ['nothing', async () => {}],
        ['a save', handle => handle.saveSession(fullSession('s', { workspaceId: 'w' }))],
        ['an append', handle => handle.changeSession('s', appendOf('new'))],
        [
          'an update',
          handle => handle.changeSession('s', changeOf({ updateTurns: [{ turnId: 't1', set: { status: 'x' } }] })),
        ],
        ['a change of metadata', handle => handle.changeSession('s', changeOf({ setMetadata: { a: 1 } }))],
        ['a rewind', handle => handle.changeSession('s', changeOf({ keepTurns: 1 }))],
        ['another append', handle => handle.changeSession('s', appendOf('new', { prompt: 'other' }))],
        ['another save', handle => handle.saveSession(sessionOf('s', { workspaceId: 'w', turns: turnsOf(3) }))],
        ['a delete', handle => handle.deleteSession('s')],
        ['a new session of the id', handle => handle.saveSession(sessionOf('s', { turns: turnsOf(1) }))],
        ['an append to it', handle => handle.changeSession('s', appendOf('t1'))],
      ]
      for (const [index, [name, write]] of writes.entries()) {
        const [writer, reader] = index % 2 === 0 ? handles : [handles[1], handles[0]]
        await write(writer)
        await write(alone)
        const expected = await read(alone)
        same(await read(writer), expected, `what the handle itself reads after ${name}`)
        same(await read(reader), expected, `what the other handle reads after ${name}`)
      }
      same(turnIdsOf(await load(handles[1], 's')), ['t0', 't1'], 'the turns in the end')
    },
    { needs: 'reopen' },
  )

  it(
    'deleted',
    'shows nothing of a deleted session in a new one with its id, over two handles',
    async ({ store, reopen }) => {
      const other = await reopen()
      const read = (handle: SessionStore): Promise<unknown[]> =>
        Promise.all([
          handle.loadSession('s'),
          handle.loadSummary('s'),
          handle.readTurns('s', {}),
          handle.readTurns('s', { last: 1 }),
          handle.readTurns('s', { turnId: 't0' }),
        ])
      // The same number of turns, ids and revision: only the content differs.
      for (const life of ['first', 'second', 'third']) {
        const session = sessionOf('s', { turns: [turnOf('t0', { prompt: life })], metadata: { life } })
        await store.saveSession(session)
        const page = { turns: session.turns, firstIndex: 0, turnCount: 1, revision: 1 }
        const expected = [session, summaryOf(session), page, page, page]
        same(await read(store), expected, `what is read of the ${life} session`)
        same(await read(other), expected, `what the other handle reads of the ${life} session`)
        await store.deleteSession('s')
      }
    },
    { needs: 'reopen' },
  )

  it(
    'stored',
    'has everything after it was closed and reopened',
    async ({ store, reopen }) => {
      await store.saveSession(fullSession('s', { workspaceId: 'w' }))
      await store.saveSession(sessionOf('gone'))
      await store.changeSession('s', appendOf('new'))
      await store.deleteSession('gone')
      const before = await store.loadSession('s')
      const summary = await store.loadSummary('s')
      // Two handles, one of which is always open: data shared within a process must outlive each of them.
      const second = await reopen()
      await store.close()
      const third = await reopen()
      for (const handle of [second, third]) {
        same(await handle.loadSession('s'), before, 'the session')
        same(await handle.loadSummary('s'), summary, 'its summary')
        same(await handle.listSessions(), ['s'], 'the list')
        same((await handle.querySessions({ workspaceId: 'w' })).sessions, [summary], 'the query')
      }
      same(
        await third.changeSession('s', appendOf('again', { startedAt: T2 })),
        { revision: 3, turnCount: 4, deduplicated: [] },
        'an append',
      )
      same(
        (await second.changeSession('s', appendOf('new', { endedAt: T0 }))).deduplicated,
        ['new'],
        'a retry across handles',
      )
    },
    { needs: 'reopen' },
  )
}

async function load(store: SessionStore, id: string): Promise<SessionRecord> {
  return (await store.loadSession(id)) ?? sessionOf('nothing')
}
