import fc from 'fast-check'
import type { SessionStore, ToolCallRecord, TurnItem, TurnRecord, TurnUpdate } from '@turnstore/core'
import type { Cases, Group } from '../../cases/cases.js'
import { holds, present, refuses, same, show } from '../../checks/expect.js'
import { turnOfTheEventLoop } from '../../checks/races.js'
import { untyped } from '../../samples/methods.js'
import { expectProperty } from '../../samples/property.js'
import {
  appendOf,
  changeOf,
  fullSession,
  indexes,
  itemOf,
  sessionOf,
  T2,
  toolCallOf,
  turnOf,
} from '../../samples/samples.js'

/** The parts of a turn: its tool calls and items, put, replaced, removed and read one by one. */
export const partsGroup: Group = { title: 'Parts', define }

const KiB = 1024

function define(cases: Cases): void {
  const { it } = cases

  it('change', 'applies the members of an update in their order', async ({ store }) => {
    const calls = ['a', 'b', 'c'].map(id => toolCallOf(id))
    const items = ['a', 'b', 'c'].map(id => itemOf(id))
    const turn = turnOf('t', { toolCalls: calls, items, metadata: { a: 1, b: 1 } })
    await store.saveSession(sessionOf('s', { turns: [turn, turnOf('u')] }))
    const result = await update(store, {
      turnId: 't',
      set: { status: 'running', metadata: { c: 3, d: 3 } },
      setMetadata: { d: 4, e: 4 },
      unsetMetadata: ['e', 'f', 'c'],
      removeToolCalls: ['b', 'none'],
      removeItems: ['a'],
      putToolCalls: [toolCallOf('b', { result: 1 }), toolCallOf('a', { result: 2 }), toolCallOf('d')],
      putItems: [itemOf('c', { value: 7 }), itemOf('a'), itemOf('d')],
    })
    same(result, { revision: 2, turnCount: 2, deduplicated: [] }, 'the result')
    const expected = {
      ...turn,
      status: 'running',
      metadata: { d: 4 },
      toolCalls: [toolCallOf('a', { result: 2 }), toolCallOf('c'), toolCallOf('b', { result: 1 }), toolCallOf('d')],
      items: [itemOf('b'), itemOf('c', { value: 7 }), itemOf('a'), itemOf('d')],
    }
    await expectTurn(store, 't', expected)
    await expectTurn(store, 'u', turnOf('u'))
    await update(
      store,
      { turnId: 't', removeItems: ['d'], putItems: [itemOf('e')] },
      { turnId: 'u', putItems: [itemOf('x')] },
      { turnId: 't', removeItems: ['e'], putItems: [itemOf('d'), itemOf('f')] },
    )
    await expectTurn(store, 't', { ...expected, items: [...expected.items.slice(0, 3), itemOf('d'), itemOf('f')] })
    await expectTurn(store, 'u', turnOf('u', { items: [itemOf('x')] }))
  })

  it('revisions', 'an update of parts that alters nothing keeps the revision and updatedAt', async ({ store }) => {
    const calls = [toolCallOf('a', { arguments: { x: 1, y: [2] } }), toolCallOf('b'), toolCallOf('c', { result: 1 })]
    const items = [itemOf('a', { value: { x: 1, y: [2] } }), itemOf('b'), itemOf('c', { extra: { more: 1 } })]
    const session = sessionOf('s', { turns: [turnOf('t', { toolCalls: calls, items, metadata: { a: 1 } })] })
    await store.saveSession(session)
    const nothing: Omit<TurnUpdate, 'turnId'>[] = [
      {},
      { putToolCalls: [], putItems: [], removeToolCalls: [], removeItems: [], setMetadata: {}, unsetMetadata: [] },
      { removeToolCalls: ['none', ''], removeItems: ['A', 'a:b'], unsetMetadata: ['none'] },
      { setMetadata: { a: 1, b: { x: 1, y: 2 } }, unsetMetadata: ['b'] },
      { set: { status: 'success', metadata: { a: 1 } } },
      { putToolCalls: calls, putItems: items },
      { putToolCalls: calls.toReversed(), putItems: items.toReversed() },
      { putToolCalls: [toolCallOf('a', { arguments: { y: [2], x: 1 } })] },
      { putItems: [itemOf('a', { value: { y: [2], x: 1 } })] },
      { putToolCalls: [toolCallOf('c', { result: 2 }), toolCallOf('c', { result: 1 })] },
      { putItems: [itemOf('a', { value: 2 }), itemOf('a', { value: { x: 1, y: [2] } })] },
      // Removed and put again in the same place.
      { removeToolCalls: ['c'], putToolCalls: [toolCallOf('c', { result: 1 })] },
      { removeItems: ['b', 'c'], putItems: [itemOf('b'), itemOf('c', { extra: { more: 1 } })] },
      { removeItems: ['a', 'b', 'c'], putItems: items },
      { removeToolCalls: ['a', 'b', 'c'], putToolCalls: calls },
    ]
    for (const members of nothing) {
      const { revision } = await store.changeSession('s', { updateTurns: [{ turnId: 't', ...members }], updatedAt: T2 })
      same(revision, 1, `the revision after ${show(members)}`)
      same(await store.loadSession('s'), session, `the session after ${show(members)}`)
    }
    const both = [
      { turnId: 't', putItems: [itemOf('z')] },
      { turnId: 't', removeItems: ['z'] },
    ]
    same((await update(store, ...both)).revision, 1, 'the revision after two updates that cancel out')
    const something: Omit<TurnUpdate, 'turnId'>[] = [
      { removeItems: ['a'], putItems: [itemOf('a', { value: { x: 1, y: [2] } })] },
      { removeItems: ['c', 'b'], putItems: [itemOf('c', { extra: { more: 1 } }), itemOf('b')] },
      { removeToolCalls: ['b', 'c'], putToolCalls: [toolCallOf('b')] },
      { putItems: [itemOf('a', { format: 'other' })] },
      { putItems: [itemOf('a', { value: null })] },
      { putItems: [itemOf('c')] },
      { putToolCalls: [toolCallOf('c', { result: 1, extra: { x: 1 } })] },
    ]
    for (const [index, members] of something.entries()) {
      await store.saveSession({ ...session, sessionId: `s${index}` })
      const { revision } = await store.changeSession(`s${index}`, { updateTurns: [{ turnId: 't', ...members }] })
      same(revision, 2, `the revision after ${show(members)}`)
    }
  })

  it('change', 'keeps repeated ids of old records: a put replaces the last, a removal takes all', async ({ store }) => {
    const calls = [toolCallOf('a', { result: 1 }), toolCallOf('b'), toolCallOf('a', { result: 2 })]
    const items = [itemOf('a', { value: 1 }), itemOf('b'), itemOf('a', { value: 2 })]
    const turn = turnOf('t', { toolCalls: calls, items })
    await store.saveSession(sessionOf('s', { turns: [turn, turnOf('u'), turn] }))
    const put = [toolCallOf('a', { result: 3 })]
    await update(store, { turnId: 't', putToolCalls: put, putItems: [itemOf('a', { value: 3 })] })
    const turns = present(await store.loadSession('s'), 'the session').turns
    same(turns[0], turn, 'the first turn with the id')
    same(turns[2]?.toolCalls, [calls[0], calls[1], put[0]], 'the calls of the last turn with the id')
    same(turns[2]?.items, [items[0], items[1], itemOf('a', { value: 3 })], 'its items')
    await update(store, { turnId: 't', removeToolCalls: ['a'], removeItems: ['a'], putItems: [itemOf('a')] })
    await expectTurn(store, 't', turnOf('t', { toolCalls: [toolCallOf('b')], items: [itemOf('b'), itemOf('a')] }))
  })

  it('change', 'applies an update of parts only while the turn has the status that it asks for', async ({ store }) => {
    const turn = turnOf('t', { toolCalls: [toolCallOf('a')], items: [itemOf('a')], metadata: { a: 1 } })
    const session = sessionOf('s', { turns: [turn] })
    await store.saveSession(session)
    const members = {
      turnId: 't',
      ifStatus: 'running',
      set: { prompt: 'x' },
      setMetadata: { b: 1 },
      unsetMetadata: ['a'],
      removeToolCalls: ['a'],
      removeItems: ['a'],
      putToolCalls: [toolCallOf('b')],
      putItems: [itemOf('b')],
    }
    const skipped = { revision: 1, turnCount: 1, deduplicated: [], skipped: ['t'] }
    same(await update(store, members), skipped, 'the result for a turn with another status')
    same(await store.loadSession('s'), session, 'the session after that')
    // What counts is the status that earlier updates of the change have set.
    const result = await update(store, { turnId: 't', set: { status: 'running' } }, members, {
      turnId: 't',
      ifStatus: 'success',
      putItems: [itemOf('c')],
    })
    same(result, { ...skipped, revision: 2 }, 'the result of three updates')
    const [toolCalls, items] = [[toolCallOf('b')], [itemOf('b')]]
    await expectTurn(store, 't', { ...turn, status: 'running', prompt: 'x', metadata: { b: 1 }, toolCalls, items })
  })

  it(
    'change',
    'keeps the parts of a turn with its place, and none under an id that is free again',
    async ({ store }) => {
      const first = turnOf('t', { toolCalls: [toolCallOf('a'), toolCallOf('b')], items: [itemOf('a'), itemOf('b')] })
      const second = turnOf('t', { prompt: '2', toolCalls: [toolCallOf('c')], items: [itemOf('c', { value: 2 })] })
      const session = sessionOf('s', { turns: [first, turnOf('u'), second] })
      await store.saveSession(session)
      await update(store, { turnId: 't', putToolCalls: [toolCallOf('a')], putItems: [itemOf('a')] })
      await store.changeSession('s', changeOf({ keepTurns: 2 }))
      await expectTurn(store, 't', first)
      await update(store, { turnId: 't', putToolCalls: [toolCallOf('a', { result: 1 })], removeItems: ['b', 'c'] })
      const changed = { toolCalls: [toolCallOf('a', { result: 1 }), toolCallOf('b')], items: [itemOf('a')] }
      await expectTurn(store, 't', { ...first, ...changed })
      // A finished call of a turn that is gone is in no one's way.
      const other = toolCallOf('a', { toolName: 'other' })
      const bare = turnOf('t', { status: 'running' })
      const append = changeOf({ appendTurns: [bare] })
      const ways: Record<string, () => Promise<unknown>> = {
        'a rewind': async () => {
          await store.changeSession('s', changeOf({ keepTurns: 0 }))
          await store.changeSession('s', append)
        },
        'a rewind in the change that appends it': () => store.changeSession('s', { ...append, keepTurns: 0 }),
        'a save': async () => {
          await store.saveSession(sessionOf('s'))
          await store.changeSession('s', append)
        },
        'a save with it': () => store.saveSession(sessionOf('s', { turns: [bare] })),
        'a delete': async () => {
          await store.deleteSession('s')
          await store.changeSession('s', append, { createIfMissing: {} })
        },
      }
      for (const [way, replace] of Object.entries(ways)) {
        await store.saveSession(session)
        await replace()
        await expectTurn(store, 't', bare)
        await update(store, { turnId: 't', putToolCalls: [toolCallOf('z'), other], putItems: [itemOf('a')] })
        const toolCalls = [toolCallOf('z'), other]
        same(await turnIn(store, 't'), { ...bare, toolCalls, items: [itemOf('a')] }, `the turn after ${way}`)
      }
    },
  )

  it('retry', 'knows an appended turn again by its parts in their order, or as running by none', async ({ store }) => {
    const toolCalls = [toolCallOf('a', { arguments: { x: 1, y: 2 } }), toolCallOf('b')]
    const items = [itemOf('a', { value: { x: 1, y: 2 } }), itemOf('b')]
    const turn = turnOf('t', { toolCalls, items })
    const session = sessionOf('s', { turns: [turn] })
    await store.saveSession(session)
    const again = { revision: 1, turnCount: 1, deduplicated: ['t'] }
    const alike: object[] = [
      {},
      { toolCalls: [toolCallOf('a', { arguments: { y: 2, x: 1 } }), toolCallOf('b')] },
      { items: [itemOf('a', { value: { y: 2, x: 1 } }), itemOf('b')] },
      { status: 'running', toolCalls: [], items: [] },
      { status: 'running', toolCalls: [toolCallOf('z')], items: items.toReversed() },
    ]
    for (const members of alike) {
      const retry = changeOf({ appendTurns: [{ ...turn, ...members }] })
      same(await store.changeSession('s', retry), again, `an append of ${show(members)}`)
    }
    const other: object[] = [
      { toolCalls: toolCalls.toReversed() },
      { items: items.toReversed() },
      { toolCalls: toolCalls.slice(0, 1) },
      { items: [...items, itemOf('c')] },
      { items: [] },
      { toolCalls: [toolCallOf('a', { arguments: { x: 1 } }), toolCallOf('b')] },
      { items: [itemOf('a', { value: { x: 1, y: '2' } }), itemOf('b')] },
      { items: [itemOf('a', { value: { x: 1, y: 2 }, format: 'own' }), itemOf('b')] },
    ]
    for (const members of other) {
      const conflict = () => store.changeSession('s', changeOf({ appendTurns: [{ ...turn, ...members }] }))
      await refuses(conflict, 'TURN_ID_CONFLICT', `an append of ${show(members)}`)
    }
    same(await store.loadSession('s'), session, 'the session after that')
    await update(store, { turnId: 't', removeItems: ['a'], putToolCalls: [toolCallOf('c')] })
    const begun = changeOf({ appendTurns: [{ ...turn, status: 'running' }] })
    same((await store.changeSession('s', begun, { ifRevision: 1 })).deduplicated, ['t'], 'a retry after steps')
    await refuses(() => store.changeSession('s', appendOf('t', turn)), 'TURN_ID_CONFLICT', 'what it was before them')
  })

  it('models', 'keeps what a record of another program has under the key `items`', async ({ store }) => {
    for (const [index, items] of [7, 'text', { a: [1] }, ['x']].entries()) {
      const id = `s${index}`
      const turns = [turnOf('t', { toolCalls: [toolCallOf('a')], extra: { items, more: 1 } })]
      await store.saveSession(sessionOf(id, { turns }))
      await store.changeSession(id, changeOf({ appendTurns: [turnOf('u', { extra: { items } })] }))
      await store.changeSession(id, changeOf({ updateTurns: [{ turnId: 't', putToolCalls: [toolCallOf('b')] }] }))
      const stored = present(await store.loadSession(id), 'the session').turns
      same(
        stored.map(({ extra, items: own }) => [extra, own]),
        [
          [{ items, more: 1 }, []],
          [{ items }, []],
        ],
        `turns with ${show(items)} under \`items\``,
      )
    }
  })

  it('atomic', 'shows readers of a growing turn one moment, and lets them finish', async ({ store }) => {
    await store.saveSession(sessionOf('s', { turns: [turnOf('t', { status: 'running' })] }))
    const work = { done: false }
    const text = 'x'.repeat(200)
    const writer = async (): Promise<void> => {
      for (const index of indexes(60)) {
        const put = { putToolCalls: [toolCallOf(`c${index}`)], putItems: [itemOf(`i${index}`, { value: text })] }
        await update(store, { turnId: 't', ...put, set: { responseContent: `${index + 1}` } })
      }
    }
    const expectMoment = (turn: TurnRecord | undefined, revision: number, how: string): void => {
      const counts = [turn?.toolCalls.length, turn?.items.length, Number(turn?.responseContent)]
      same(counts, [revision - 1, revision - 1, revision - 1], `tool calls, items and the head at its revision, ${how}`)
    }
    const reader = async (): Promise<void> => {
      for (; !work.done; await turnOfTheEventLoop()) {
        const session = present(await store.loadSession('s'), 'the session')
        expectMoment(session.turns[0], session.revision, 'loaded')
        const page = present(await store.readTurns('s', { last: 1 }), 'the page')
        expectMoment(page.turns[0], page.revision, 'read')
        const heads = present(await store.readTurns('s', {}, { parts: 'none' }), 'the heads')
        const count = heads.revision - 1
        same(heads.turns[0]?.partCounts, { toolCalls: count, items: count }, 'the counts of a head at its revision')
        const parts = present(await store.readParts('s', 't', { list: 'items', last: 2 }), 'the parts')
        const last = indexes(parts.count).slice(-2)
        const expected = { parts: last.map(index => `i${index}`), firstIndex: last[0] ?? 0, count: parts.revision - 1 }
        same(
          { ...parts, parts: parts.parts.map(({ itemId }) => itemId), revision: 0 },
          { ...expected, revision: 0 },
          'the last items',
        )
      }
    }
    const readers = [reader(), reader()]
    try {
      await Promise.all([...readers, writer().finally(() => (work.done = true))])
    } finally {
      work.done = true
    }
  })

  it('retry', 'refuses a finished tool call with another name or other arguments', async ({ store }) => {
    const statuses = ['success', 'error', 'timeout', 'skipped', 'odd']
    const calls = [...statuses, 'running'].map(status => toolCallOf(status, { status, arguments: { a: 1 } }))
    const session = sessionOf('s', { turns: [turnOf('t', { toolCalls: calls })] })
    await store.saveSession(session)
    const others = [{ toolName: 'other' }, { arguments: { a: 2 } }, { arguments: {} }]
    for (const status of statuses) {
      for (const other of others) {
        const call = toolCallOf(status, { status, arguments: { a: 1 }, ...other })
        const change = { turnId: 't', set: { status: 'x' }, putToolCalls: [toolCallOf('new'), call] }
        await refuses(() => update(store, change), 'CALL_ID_CONFLICT', show(call), { sessionId: 's' })
      }
    }
    same(await store.loadSession('s'), session, 'the session after conflicts')
    // In one change, what it puts itself counts too.
    const twice = [toolCallOf('new'), toolCallOf('new', { toolName: 'other' })]
    await refuses(() => update(store, { turnId: 't', putToolCalls: twice }), 'CALL_ID_CONFLICT', 'two calls')
    const allowed = [
      toolCallOf('running', { toolName: 'other', arguments: { a: 2 } }),
      toolCallOf('success', { arguments: { a: 1 }, status: 'error', result: 1, error: 'e' }),
      { ...toolCallOf('error', { toolName: 'other' }), replace: true },
      toolCallOf('new', { status: 'running' }),
      toolCallOf('new', { toolName: 'other' }),
    ]
    await update(store, { turnId: 't', putToolCalls: allowed })
    const found = present(await store.loadSession('s'), 'the session').turns[0]?.toolCalls ?? []
    same(
      found.map(({ callId, toolName, status }) => [callId, toolName, status].join(' ')),
      [
        'success search error',
        'error other success',
        'timeout search timeout',
        'skipped search skipped',
        'odd search odd',
        'running other success',
        'new other success',
      ],
      'the calls',
    )
    await update(store, { turnId: 't', removeToolCalls: ['odd'], putToolCalls: [toolCallOf('odd', { toolName: 'z' })] })
  })

  it('ids', 'gives an id to a part without one, and checks the others', async ({ store }) => {
    await store.saveSession(sessionOf('s', { turns: [turnOf('t')] }))
    const bare = { toolCalls: [{ toolName: 'f' }, { callId: '', toolName: 'f' }], items: [{ format: 'f', value: 1 }] }
    const long = 'x'.repeat(200)
    for (const turnId of ['new', long]) {
      const append = changeOf({ appendTurns: [{ turnId, ...bare }] })
      await store.changeSession('s', append)
      same((await store.changeSession('s', append)).deduplicated, [turnId], 'a retry finds the same ids')
      const { toolCalls, items } = await turnIn(store, turnId)
      const ids = [...toolCalls.map(({ callId }) => callId), ...items.map(({ itemId }) => itemId)]
      if (turnId === 'new') same(ids, ['new:0', 'new:1', 'new:item:0'], 'the ids')
      same(new Set([...ids, '']).size, 4, 'three ids, all different')
      holds(
        ids.every(id => id.length <= 200),
        'no id is too long',
      )
    }
    await update(store, { turnId: 't', putToolCalls: [{ toolName: 'f' }], putItems: [{ format: 'f', value: 1 }] })
    await update(store, { turnId: 't', putItems: [{ itemId: '', format: 'f', value: 1 }] })
    const { toolCalls, items } = await turnIn(store, 't')
    same(
      [toolCalls.length, items.length, new Set(items.map(({ itemId }) => itemId)).size],
      [1, 2, 2],
      'parts that were put',
    )
    for (const id of ['a\nb', '\ud800', 'x'.repeat(201)]) {
      const invalid = [
        changeOf({ appendTurns: [turnOf('other', { toolCalls: [toolCallOf(id)] })] }),
        changeOf({ appendTurns: [turnOf('other', { items: [itemOf(id)] })] }),
        changeOf({ updateTurns: [{ turnId: 't', putToolCalls: [toolCallOf(id)] }] }),
        changeOf({ updateTurns: [{ turnId: 't', putItems: [itemOf(id)] }] }),
      ]
      for (const change of invalid) await refuses(() => store.changeSession('s', change), 'INVALID_ID', show(change))
    }
    // A save takes any id, so that every old record can be copied.
    const old = sessionOf('old', { turns: [turnOf('t', { toolCalls: [toolCallOf('a\nb'), toolCallOf('')] })] })
    await store.saveSession(old)
    same(await store.loadSession('old'), old, 'a session with odd ids')
  })

  it('values', 'refuses parts that are not records, and applies nothing', async ({ store }) => {
    await store.saveSession(fullSession('s'))
    const items = [
      null,
      7,
      {},
      { format: 'f' },
      { format: 1, value: 1 },
      { value: 1 },
      { format: 'f', value: 1, more: 1 },
    ]
    for (const item of [...items, { format: 'f', value: Number.NaN }, { format: 'f', value: new Map() }]) {
      const changes = [
        changeOf({ appendTurns: [turnOf('new', { items: [untyped(item)] })] }),
        changeOf({ updateTurns: [{ turnId: 't1', putItems: [untyped(item)] }] }),
      ]
      for (const change of changes) {
        await refuses(() => store.changeSession('s', change), 'INVALID_RECORD', `the item ${show(item)}`)
      }
    }
    for (const name of ['putItems', 'removeItems', 'removeToolCalls', 'unsetMetadata']) {
      for (const value of [null, 'x', {}, [7]]) {
        const call = () => update(store, untyped({ turnId: 't1', [name]: value }))
        const code = name === 'putItems' && Array.isArray(value) ? 'INVALID_RECORD' : 'INVALID_ARGUMENT'
        await refuses(call, code, `${name}: ${show(value)}`)
      }
    }
    same(await store.loadSession('s'), fullSession('s'), 'the session after that')
  })

  it('models', 'reads a range of the parts of a turn', async ({ store }) => {
    const toolCalls = indexes(40).map(index => toolCallOf(`c${index}`, { result: index }))
    const items = indexes(7).map(index => itemOf(`i${index}`, { value: index }))
    const first = turnOf('t', { prompt: 'first', toolCalls: toolCalls.slice(0, 3) })
    const turns = [first, turnOf('u'), turnOf('t', { toolCalls, items })]
    await store.saveSession(sessionOf('s', { workspaceId: 'w', turns }))
    await update(store, { turnId: 't', removeToolCalls: ['c3', 'c39'], putToolCalls: [toolCallOf('c40')] })
    const kept = [...toolCalls.filter(({ callId }) => callId !== 'c3' && callId !== 'c39'), toolCallOf('c40')]
    const lists: { toolCalls: ToolCallRecord[]; items: TurnItem[] } = { toolCalls: kept, items }
    for (const list of ['toolCalls', 'items'] as const) {
      const all = lists[list]
      const count = all.length
      const ranges: [range: object, first: number, end: number][] = [
        [{}, 0, count],
        [{ from: 2 }, 2, count],
        [{ from: 2, limit: 3 }, 2, 5],
        [{ limit: 1 }, 0, 1],
        [{ from: count }, count, count],
        [{ from: 10 ** 9 }, count, count],
        [{ last: 2 }, count - 2, count],
        [{ last: 0 }, count, count],
        [{ last: 10 ** 9 }, 0, count],
      ]
      for (const [range, firstIndex, end] of ranges) {
        const page = await store.readParts('s', 't', { list, ...range }, { workspaceId: 'w' })
        const expected = { parts: all.slice(firstIndex, end), firstIndex, count, revision: 2 }
        same(page, expected, `${list}, ${show(range)}`)
      }
    }
    same((await store.readParts('s', 'u', { list: 'items' }))?.parts, [], 'a turn without parts')
    same(await store.readParts('s', 'none', { list: 'items' }), null, 'a turn that is not there')
    same(await store.readParts('none', 't', { list: 'items' }), null, 'a session that is not there')
    same(await store.readParts('s', 't', { list: 'items' }, { workspaceId: null }), null, 'another workspace')
  })

  it('models', 'reads turns without their parts', async ({ store }) => {
    const session = fullSession('s', { workspaceId: 'w' })
    await store.saveSession(session)
    await update(store, { turnId: 't1', putItems: [itemOf('i3')], removeToolCalls: ['c1'] })
    const heads = session.turns.map(({ toolCalls: _calls, items: _items, ...head }) => head)
    const counts = [
      { toolCalls: 1, items: 3 },
      { toolCalls: 0, items: 0 },
    ]
    const expected = heads.map((head, index) => ({ ...head, partCounts: counts[index] }))
    const page = await store.readTurns('s', {}, { parts: 'none', workspaceId: 'w' })
    same(page, { turns: expected, firstIndex: 0, turnCount: 2, revision: 2 }, 'all turns')
    same((await store.readTurns('s', { last: 1 }, { parts: 'none' }))?.turns, expected.slice(1), 'the last turn')
    same((await store.readTurns('s', { turnId: 't1' }, { parts: 'none' }))?.turns, expected.slice(0, 1), 'one by id')
    same(await store.readTurns('s', {}, { parts: 'none', workspaceId: null }), null, 'another workspace')
    same(await store.readTurns('none', {}, { parts: 'none' }), null, 'a session that is not there')
    same((await store.readTurns('s', { last: 2 }, { parts: 'all' }))?.turns.length, 2, 'with their parts')
  })

  it(
    'noLostUpdate',
    'keeps the parts that 64 callers put into one turn, each once, in one order',
    async ({ store }) => {
      await putAtOnce([store], 64)
    },
  )

  it(
    'noLostUpdate',
    'keeps the parts that 16 callers put into one turn over two handles',
    async ({ store, reopen }) => {
      await putAtOnce([store, await reopen()], 16)
    },
    { needs: 'reopen' },
  )

  it('values', 'lets a part grow up to its limit, and a turn beyond it', async ({ store }) => {
    const [MiB, limit] = [KiB * KiB, 16 * KiB * KiB]
    const call = toolCallOf('c', { result: 'x'.repeat(9 * MiB) })
    await store.saveSession(sessionOf('s', { turns: [turnOf('t', { toolCalls: [call] })] }))
    const around = JSON.stringify({ item_id: 'i', format: 'own', value: '' }).length
    const itemOfBytes = (bytes: number): TurnItem => itemOf('i', { format: 'own', value: 'x'.repeat(bytes - around) })
    const larger = { turnId: 't', putItems: [itemOfBytes(limit + 1)] }
    await refuses(() => update(store, larger), 'INVALID_RECORD', 'an item of 16 MiB and one byte')
    const largest = itemOfBytes(cases.thorough ? limit : 8 * MiB)
    const put = { turnId: 't', putItems: [largest], set: { responseContent: 'done' } }
    same((await update(store, put)).revision, 2, 'the revision of a turn that is larger than a part may be')
    const page = present(await store.readParts('s', 't', { list: 'items', last: 1 }), 'the page')
    same([page.count, page.parts[0]?.value === largest.value], [1, true], 'the item, read by itself')
    const turn = await turnIn(store, 't')
    same([turn.items[0]?.value === largest.value, turn.responseContent], [true, 'done'], 'the item in its turn')
    same(turn.toolCalls[0]?.result === call.result, true, 'the tool call beside it')
  })

  it('change', 'agrees with a naive list for random updates of small and large turns', async ({ open }) => {
    const property = fc.asyncProperty(histories, async updates => {
      const store = await open()
      await agrees(store, updates)
      await store.close()
    })
    await expectProperty(cases, property, { runs: 20, tell: updates => updates.map(each => show(each)) })
  })
}

function update(store: SessionStore, ...updateTurns: TurnUpdate[]): ReturnType<SessionStore['changeSession']> {
  return store.changeSession('s', changeOf({ updateTurns }))
}

async function turnIn(store: SessionStore, turnId: string): Promise<TurnRecord> {
  const page = present(await store.readTurns('s', { turnId }), 'the page')
  return present(page.turns[0], `turn ${turnId}`)
}

async function expectTurn(store: SessionStore, turnId: string, expected: TurnRecord): Promise<void> {
  same(await turnIn(store, turnId), expected, `turn ${turnId}`)
  const whole = present(await store.loadSession('s'), 'the session')
  same(
    whole.turns.findLast(turn => turn.turnId === turnId),
    expected,
    `turn ${turnId} in the whole session`,
  )
  for (const list of ['toolCalls', 'items'] as const) {
    const page = present(await store.readParts('s', turnId, { list }), 'the page of parts')
    same([page.parts, page.count], [expected[list], expected[list].length], `the ${list} of turn ${turnId}`)
  }
  const { toolCalls, items, ...head } = expected
  const partCounts = { toolCalls: toolCalls.length, items: items.length }
  const heads = await store.readTurns('s', { turnId }, { parts: 'none' })
  same(heads?.turns, [{ ...head, partCounts }], `the head of turn ${turnId}`)
}

async function putAtOnce(handles: readonly SessionStore[], callers: number): Promise<void> {
  const store = present(handles[0], 'a store')
  await store.saveSession(sessionOf('s', { turns: [turnOf('t', { status: 'running' })] }))
  const revisions = await Promise.all(
    indexes(callers).map(async caller => {
      const handle = present(handles[caller % handles.length], 'a handle')
      const mine: number[] = []
      for (const step of indexes(2)) {
        const part =
          step === 0
            ? { putToolCalls: [toolCallOf(`c${caller}`, { status: 'running' })] }
            : {
                putToolCalls: [toolCallOf(`c${caller}`, { result: caller })],
                putItems: [itemOf(`i${caller}`, { value: caller })],
              }
        mine.push((await update(handle, { turnId: 't', ...part })).revision)
      }
      return mine
    }),
  )
  same(
    revisions.flat().toSorted((a, b) => a - b),
    indexes(callers * 2).map(index => index + 2),
    'the revisions: each once',
  )
  for (const handle of handles) {
    const { toolCalls, items } = await turnIn(handle, 't')
    same(toolCalls.length, callers, 'how many tool calls there are')
    same(new Set(toolCalls.map(({ callId }) => callId)).size, callers, 'each once')
    holds(
      toolCalls.every(({ callId, status, result }) => status === 'success' && `c${show(result)}` === callId),
      'each call has its result',
    )
    same(new Set(items.map(({ value }) => value)).size, callers, 'how many items there are')
    same((await handle.readParts('s', 't', { list: 'toolCalls' }))?.parts, toolCalls, 'the same order everywhere')
  }
}

const ids: fc.Arbitrary<string> = fc.constantFrom('a', 'b', 'c', 'd')
/** Some are so large that a store may keep the turn in another way. */
const values = fc.oneof(
  fc.integer({ min: 0, max: 2 }),
  fc.constantFrom(3000, 9000).map(length => 'x'.repeat(length)),
)
const histories = fc.array(
  fc.array(
    fc.record(
      {
        status: fc.constantFrom('running', 'success'),
        removeToolCalls: fc.array(ids, { maxLength: 2 }),
        removeItems: fc.array(ids, { maxLength: 2 }),
        putToolCalls: fc.array(fc.record({ id: ids, result: values, status: fc.constantFrom('running', 'success') }), {
          maxLength: 3,
        }),
        putItems: fc.array(fc.record({ id: ids, value: values }), { maxLength: 3 }),
      },
      { requiredKeys: [] },
    ),
    { minLength: 1, maxLength: 3 },
  ),
  { maxLength: 12 },
)
type History = typeof histories extends fc.Arbitrary<infer T> ? T : never

/** Applies the updates to a store and to plain arrays. */
async function agrees(store: SessionStore, history: History): Promise<void> {
  let expected = turnOf('t', { toolCalls: [toolCallOf('a')], items: [itemOf('a'), itemOf('b')] })
  let revision = 1
  await store.saveSession(sessionOf('s', { turns: [expected, turnOf('later')] }))
  for (const updates of history) {
    const before = expected
    for (const members of updates) expected = naively(expected, members)
    if (JSON.stringify(before) !== JSON.stringify(expected)) revision++
    const result = await update(store, ...updates.map(updateOf))
    same(result, { revision, turnCount: 2, deduplicated: [] }, 'the result')
    await expectTurn(store, 't', expected)
    for (const [range, parts] of [
      [{ last: 1 }, expected.items.slice(-1)],
      [{ from: 1, limit: 2 }, expected.items.slice(1, 3)],
    ] as const) {
      const page = await store.readParts('s', 't', { list: 'items', ...range })
      same(page?.parts, parts, `the items, ${show(range)}`)
    }
  }
  await store.changeSession('s', appendOf('more'))
  await expectTurn(store, 't', expected)
}

type Members = History[number][number]

function callOf({ id, result, status }: NonNullable<Members['putToolCalls']>[number]): ToolCallRecord {
  return toolCallOf(id, { result, status })
}

function updateOf({ status, removeToolCalls, removeItems, putToolCalls, putItems }: Members): TurnUpdate {
  return {
    turnId: 't',
    ...(status === undefined ? {} : { set: { status } }),
    ...(removeToolCalls === undefined ? {} : { removeToolCalls }),
    ...(removeItems === undefined ? {} : { removeItems }),
    ...(putToolCalls === undefined ? {} : { putToolCalls: putToolCalls.map(callOf) }),
    ...(putItems === undefined ? {} : { putItems: putItems.map(({ id, value }) => itemOf(id, { value })) }),
  }
}

function naively(turn: TurnRecord, members: Members): TurnRecord {
  const { status = turn.status, removeToolCalls = [], removeItems = [], putToolCalls = [], putItems = [] } = members
  const toolCalls = turn.toolCalls.filter(({ callId }) => !removeToolCalls.includes(callId))
  for (const call of putToolCalls.map(callOf)) {
    const place = toolCalls.findLastIndex(({ callId }) => callId === call.callId)
    toolCalls.splice(place === -1 ? toolCalls.length : place, place === -1 ? 0 : 1, call)
  }
  const items = turn.items.filter(({ itemId }) => !removeItems.includes(itemId))
  for (const item of putItems.map(({ id, value }) => itemOf(id, { value }))) {
    const place = items.findLastIndex(({ itemId }) => itemId === item.itemId)
    items.splice(place === -1 ? items.length : place, place === -1 ? 0 : 1, item)
  }
  return { ...turn, status, toolCalls, items }
}
