import { applyChange, type SessionChange, type SessionStore, type TimedChange } from '@turnstore/core'
import type { Cases, Group } from '../../cases/cases.js'
import { fails, holds, present, refuses, same, show } from '../../checks/expect.js'
import { untyped } from '../../samples/methods.js'
import {
  appendOf,
  changeOf,
  fullSession,
  indexes,
  sessionOf,
  T0,
  T1,
  T2,
  toolCallOf,
  transitionOf,
  turnIdsOf,
  turnOf,
  turnsOf,
} from '../../samples/samples.js'

/** The rules of `applyChange`, one by one. */
export const changeGroup: Group = { title: 'Change', define }

function define({ it }: Cases): void {
  it('change', 'agrees with applyChange for every member', async ({ store }) => {
    const changes: TimedChange[] = [
      changeOf({ keepTurns: 1 }),
      changeOf({ updateTurns: [{ turnId: 't1', set: { status: 'success', error: null, metadata: {}, extra: {} } }] }),
      changeOf({ updateTurns: [{ turnId: 't1', set: { extra: { other: 1 } } }] }),
      changeOf({ updateTurns: [{ turnId: 't1', putToolCalls: [toolCallOf('c2', { result: 1 }), toolCallOf('c3')] }] }),
      changeOf({ appendTurns: [turnOf('a'), turnOf('b')] }),
      changeOf({
        appendTurns: [turnOf('t0', { startedAt: T1 })],
        appendAgentTransitions: [transitionOf('h2')],
        setMetadata: { customer: 'C-3' },
        agentId: 'billing',
      }),
      changeOf({
        updateTurns: [{ turnId: 't0', set: { prompt: 'updated' } }],
        appendTurns: [turnOf('t0', { prompt: 'updated' })],
      }),
      changeOf({ appendAgentTransitions: [transitionOf('h2'), transitionOf(null), transitionOf(null)] }),
      // Every repeated turn is reported, in the order of the batch, not of the session.
      changeOf({ appendTurns: [turnOf('t0'), turnOf('a', { agentId: 'other' }), turnOf('a', { agentId: 'other' })] }),
      changeOf({
        appendTurns: ['t0', 't1', 't0'].flatMap(id => fullSession('s').turns.filter(({ turnId }) => turnId === id)),
        agentId: 'billing',
      }),
      changeOf({ setMetadata: { added: 1 }, unsetMetadata: ['tags', 'added', 'tags'] }),
      changeOf({ appendTurns: [turnOf('a', { toolCalls: [toolCallOf('c'), toolCallOf('c', { result: 1 })] })] }),
      changeOf({ setMetadata: { customer: 'C-2', added: { a: 1 } } }),
      changeOf({ unsetMetadata: ['customer', 'not there'] }),
      changeOf({ agentId: 'billing' }),
      changeOf({ agentId: null }),
      changeOf({
        keepTurns: 1,
        updateTurns: [{ turnId: 't1', set: { agentId: 'other' } }],
        appendTurns: [turnOf('t0', { prompt: 'free again' })],
        appendAgentTransitions: [transitionOf('h2', { turnId: 't0' })],
        setMetadata: { a: 1, b: 2 },
        unsetMetadata: ['b', 'tags'],
        agentId: 'billing',
        updatedAt: '2030-01-01T00:00:00Z',
      }),
    ]
    for (const [index, change] of changes.entries()) {
      const id = `s${index}`
      await store.saveSession(fullSession(id))
      const { session, deduplicated } = applyChange(fullSession(id), change)
      const expected = { revision: 2, turnCount: session.turns.length, deduplicated }
      same(await store.changeSession(id, change), expected, `the result of ${Object.keys(change).join(' + ')}`)
      same(
        await store.loadSession(id),
        { ...session, revision: 2 },
        `the session after ${Object.keys(change).join(' + ')}`,
      )
    }
  })

  it('change', 'reopens an ended session if it adds a turn and says so', async ({ store }) => {
    const isEnded = async (id: string) => (await store.loadSession(id))?.metadata.ended
    const kinds: [name: string, change: SessionChange, ended: unknown][] = [
      ['an append', { appendTurns: [turnOf('new')], reopen: true }, undefined],
      ['an append that does not say so', { appendTurns: [turnOf('new')] }, true],
      ['an append that says no', { appendTurns: [turnOf('new')], reopen: false }, true],
      ['a retry', { appendTurns: [turnOf('t')], reopen: true }, true],
      ['no turn', { agentId: 'x', reopen: true }, true],
      [
        'an append that ends it again',
        { appendTurns: [turnOf('new')], reopen: true, setMetadata: { ended: true } },
        true,
      ],
      ['an append that sets it', { appendTurns: [turnOf('new')], reopen: true, setMetadata: { ended: 'x' } }, 'x'],
    ]
    for (const [name, change, ended] of kinds) {
      await store.saveSession(sessionOf(name, { turns: [turnOf('t')], metadata: { ended: true, a: 1 } }))
      await store.changeSession(name, changeOf(change))
      same(await isEnded(name), ended, name)
      same((await store.loadSummary(name))?.metadata.a, 1, `other metadata after ${name}`)
    }
    // It counts as appending, so a conditional retry is recognized.
    await store.saveSession(sessionOf('s', { metadata: { ended: true } }))
    const append = changeOf({ appendTurns: [turnOf('new')], reopen: true })
    for (const revision of [2, 2]) {
      same((await store.changeSession('s', append, { ifRevision: 1 })).revision, revision, 'the revision')
    }
    const untouched = await store.changeSession('s', changeOf({ setMetadata: { ended: true } }))
    same((await store.changeSession('s', append)).revision, untouched.revision, 'a retry after the end')
    same(await isEnded('s'), true, 'the end after that')
  })

  it('change', 'applies an update with ifStatus only while the turn has that status', async ({ store }) => {
    const turns = [turnOf('a', { status: 'running' }), turnOf('b'), turnOf('b', { status: 'running', prompt: '2' })]
    await store.saveSession(sessionOf('s', { turns }))
    const end = (turnId: string) => ({ turnId, ifStatus: 'running', set: { status: 'interrupted', endedAt: T2 } })
    const first = await store.changeSession('s', changeOf({ updateTurns: [end('a'), end('b'), end('a')] }))
    same(first, { revision: 2, turnCount: 3, deduplicated: [], skipped: ['a'] }, 'the result')
    const again = await store.changeSession('s', changeOf({ updateTurns: [end('a'), end('b')] }))
    same(again, { revision: 2, turnCount: 3, deduplicated: [], skipped: ['a', 'b'] }, 'the same again')
    const statuses = (await loaded(store)).turns.map(({ status }) => status)
    same(statuses, ['interrupted', 'success', 'interrupted'], 'the statuses')
    const both = changeOf({ updateTurns: [end('a')], appendTurns: [turnOf('c')], keepTurns: 2 })
    const result = await store.changeSession('s', both)
    same(result, { revision: 3, turnCount: 3, deduplicated: [], skipped: ['a'] }, 'a change that does other things too')
    const missing = () => store.changeSession('s', changeOf({ updateTurns: [end('z')] }))
    await refuses(missing, 'TURN_NOT_FOUND', 'a turn that is not there')
  })

  it('change', 'takes the present time if a change has none', async ({ store }) => {
    await store.saveSession(sessionOf('s', { updatedAt: T0 }))
    const before = Date.now()
    await store.changeSession('s', { setMetadata: { a: 1 } })
    const time = Date.parse((await store.loadSummary('s'))?.updatedAt ?? '')
    holds(time >= before && time <= Date.now(), 'updatedAt is the time of the call')
  })

  it('deleted', 'fails without a session, and creates none', async ({ store }) => {
    for (const change of [appendOf('t'), changeOf({}), changeOf({ keepTurns: 0 })]) {
      await refuses(() => store.changeSession('none', change), 'SESSION_NOT_FOUND', 'a change without a session', {
        sessionId: 'none',
      })
      const options = { ifRevision: 1 }
      await refuses(() => store.changeSession('none', change, options), 'SESSION_NOT_FOUND', 'a conditional one', {
        sessionId: 'none',
      })
    }
    same(await store.loadSession('none'), null, 'the session after that')
    same(await store.listSessions(), [], 'sessions after that')
  })

  it('revisions', 'a change increases the revision by one, however large it is', async ({ store }) => {
    await store.saveSession(sessionOf('s'))
    const changes = [
      appendOf('a'),
      changeOf({ appendTurns: turnsOf(9), setMetadata: { a: 1 }, agentId: 'x' }),
      changeOf({ keepTurns: 0 }),
    ]
    const revisions: number[] = []
    for (const change of changes) revisions.push((await store.changeSession('s', change)).revision)
    same(revisions, [2, 3, 4], 'revisions of three changes')
    same((await store.loadSummary('s'))?.revision, 4, 'the revision that is stored')
  })

  it('revisions', 'a change that alters nothing keeps the revision and updatedAt', async ({ store }) => {
    const call = toolCallOf('c', { arguments: { a: 1, b: 2 }, result: [1] })
    const first = turnOf('t0', { agentId: 'a', prompt: 'prompt 0', responseContent: 'b', toolCalls: [call] })
    const turns = [first, turnOf('t1', { prompt: 'prompt 1' })]
    const session = fullSession('s', { turns, metadata: { a: { b: 1, c: 2 } } })
    await store.saveSession(session)
    const nothing = [
      {},
      { keepTurns: 2 },
      { keepTurns: 99 },
      { updateTurns: [{ turnId: 't0' }] },
      {
        updateTurns: [
          { turnId: 't0', set: {} },
          { turnId: 't1', set: { prompt: 'prompt 1' }, putToolCalls: [] },
        ],
      },
      { appendTurns: turns },
      { appendTurns: [{ ...first, startedAt: T2, endedAt: T2 }] },
      { appendAgentTransitions: [{ ...session.agentTransitions[0], toAgent: 'billing', timestamp: T2 }] },
      { setMetadata: {} },
      { setMetadata: { a: { c: 2, b: 1 } } },
      { unsetMetadata: ['b', 'c'] },
      { setMetadata: { z: 1 }, unsetMetadata: ['z'] },
      { agentId: 'support' },
      { updateTurns: [{ turnId: 't0', putToolCalls: [call] }] },
      { updateTurns: [{ turnId: 't0', putToolCalls: [{ ...call, arguments: { b: 2, a: 1 } }] }] },
      { unsetMetadata: ['toString', '__proto__'] },
      { updateTurns: ['failed', 'success'].map(status => ({ turnId: 't0', set: { status } })) },
      { keepTurns: 2 ** 32 },
      { keepTurns: Number.MAX_SAFE_INTEGER },
      { keepTurns: undefined, agentId: undefined, appendTurns: undefined, setMetadata: undefined },
      { updateTurns: [{ turnId: 't0', set: { agentId: undefined, responseContent: undefined, prompt: undefined } }] },
    ]
    for (const members of nothing) {
      const change: SessionChange = untyped({ ...members, updatedAt: '2040-01-01T00:00:00Z' })
      for (const options of [{}, { ifRevision: 1 }]) {
        const what = `${show(members)} with ${show(options)}`
        const { revision, turnCount } = await store.changeSession('s', change, options)
        same({ revision, turnCount }, { revision: 1, turnCount: 2 }, `the result of ${what}`)
        same(await store.loadSession('s'), session, `the session after ${what}`)
      }
    }
    const listed = await Promise.all([
      store.querySessions({ orderBy: 'createdAt' }),
      store.querySessions({ updatedAfter: '2030-01-01T00:00:00Z' }),
    ])
    same(
      listed.map(({ sessions }) => sessions.map(({ updatedAt }) => updatedAt)),
      [[session.updatedAt], []],
      'what is listed by its time after changes that alter nothing',
    )
    await store.saveSession(sessionOf('bare'))
    for (const members of [{ keepTurns: 0 }, { agentId: null }, { keepTurns: 0, agentId: null }]) {
      const result = await store.changeSession('bare', changeOf(members))
      const expected = { revision: 1, turnCount: 0, deduplicated: [] }
      same(result, expected, `the result of ${show(members)} on an empty session`)
    }
    same(await store.loadSession('bare'), sessionOf('bare'), 'an empty session after them')
  })

  it('change', 'sets updatedAt to the later of two instants, and never moves it back', async ({ store }) => {
    const steps = [
      ['2026-01-31T12:00:00Z', '2026-01-31T11:59:59.999999Z', '2026-01-31T12:00:00Z'],
      ['2026-01-31T12:00:00Z', '2026-01-31T14:00:00+05:30', '2026-01-31T12:00:00Z'],
      ['2026-01-31T12:00:00Z', '2026-01-31T07:00:00-05:30', '2026-01-31T07:00:00-05:30'],
      ['2026-01-31T12:00:00.000001', '2026-01-31T12:00:00.000002', '2026-01-31T12:00:00.000002'],
      ['2026-01-31T12:00:00.1Z', '2026-01-31T12:00:00.09Z', '2026-01-31T12:00:00.1Z'],
      ['2026-01-31T12:00', '2026-01-31T12:00:00Z', '2026-01-31T12:00'],
      ['2026-01-31T12:00:00Z', 'tomorrow', '2026-01-31T12:00:00Z'],
      ['2026-01-31T12:00:00Z', '', '2026-01-31T12:00:00Z'],
      ['long ago', '1970-01-01T00:00:00Z', '1970-01-01T00:00:00Z'],
      ['', 'never', ''],
      // The same instant to the microsecond.
      ['2026-01-31T12:00:00.0000001Z', '2026-01-31T12:00:00.0000009Z', '2026-01-31T12:00:00.0000001Z'],
    ] as const
    for (const [index, [before, updatedAt, after]] of steps.entries()) {
      await store.saveSession(sessionOf(`s${index}`, { updatedAt: before }))
      await store.changeSession(`s${index}`, { appendTurns: [turnOf('t')], updatedAt })
      same((await store.loadSession(`s${index}`))?.updatedAt, after, `${updatedAt} upon ${before}`)
      same((await store.loadSummary(`s${index}`))?.updatedAt, after, `${updatedAt} upon ${before}, in the summary`)
      await store.saveSession(sessionOf(`s${index}`, { updatedAt: before }))
      await store.changeSession(`s${index}`, { setMetadata: { a: 1 }, updatedAt })
      same((await store.loadSession(`s${index}`))?.updatedAt, after, `${updatedAt} upon ${before}, without a turn`)
    }
  })

  it(
    'change',
    'a rewind removes turns and the agent transitions recorded with them, and frees their ids',
    async ({ store }) => {
      await store.saveSession(
        sessionOf('s', {
          turns: turnsOf(4),
          agentTransitions: [
            transitionOf('with t1', { turnId: 't1' }),
            transitionOf('with t3', { turnId: 't3' }),
            transitionOf('with none'),
            transitionOf('with another', { turnId: 'elsewhere' }),
            transitionOf(null, { turnId: 't2' }),
          ],
        }),
      )
      same(
        (await store.changeSession('s', changeOf({ keepTurns: 2 }))).turnCount,
        2,
        'the turnCount after a rewind to 2',
      )
      const rewound = await loaded(store)
      same(turnIdsOf(rewound), ['t0', 't1'], 'the turns')
      same(
        rewound.agentTransitions.map(({ transitionId }) => transitionId),
        ['with t1', 'with none', 'with another'],
        'the transitions',
      )
      same(
        await store.readTurns('s', { turnId: 't2' }),
        { turns: [], firstIndex: 2, turnCount: 2, revision: 2 },
        'a dropped turn',
      )
      const again = changeOf({
        appendTurns: [turnOf('t3', { prompt: 'other' })],
        appendAgentTransitions: [transitionOf('with t3', { toAgent: 'other' })],
      })
      same((await store.changeSession('s', again)).deduplicated, [], 'an id of a dropped turn, used again')
      const atOnce = changeOf({
        keepTurns: 0,
        appendTurns: [turnOf('t3', { prompt: 'third' })],
        appendAgentTransitions: [transitionOf('with t1', { toAgent: 'third', turnId: 't1' })],
      })
      same(
        await store.changeSession('s', atOnce),
        { revision: 4, turnCount: 1, deduplicated: [] },
        'ids freed by the same change',
      )
      same((await loaded(store)).turns, [turnOf('t3', { prompt: 'third' })], 'the turns after that')
      same(
        (await loaded(store)).agentTransitions.map(({ transitionId, toAgent }) => [transitionId, toAgent]),
        [
          ['with none', 'billing'],
          ['with another', 'billing'],
          ['with t3', 'other'],
          ['with t1', 'third'],
        ],
        'the transitions after that: a rewind drops what was there and nothing that comes with it',
      )
      const dropped = changeOf({ keepTurns: 0, updateTurns: [{ turnId: 't3', set: { status: 'x' } }] })
      await refuses(
        () => store.changeSession('s', dropped),
        'TURN_NOT_FOUND',
        'an update of a turn that the same change drops',
      )
    },
  )

  it('change', 'updates some members of a turn and keeps the others, in order', async ({ store }) => {
    const session = fullSession('s')
    await store.saveSession(session)
    const set = {
      agentId: null,
      prompt: 'p',
      responseContent: null,
      startedAt: T1,
      endedAt: T2,
      status: 'x',
      error: 'e',
      auditEventIds: [],
      metadata: { a: 1 },
    }
    for (const [name, value] of Object.entries(set)) {
      await store.changeSession('s', changeOf({ updateTurns: [{ turnId: 't1', set: { [name]: value } }] }))
      same(Reflect.get(present((await loaded(store)).turns[0], 'the turn'), name), value, `the ${name} that was set`)
    }
    const { extra, toolCalls, items } = present(session.turns[0], 'the turn')
    const expected = { turnId: 't1', toolCalls, items, ...set, extra }
    same((await loaded(store)).turns, [expected, session.turns[1]], 'the turns after nine updates')
    const two = [
      { turnId: 't1', set: { status: 'y' } },
      { turnId: 't0', set: { prompt: 'q' } },
      { turnId: 't1', set: { error: null, extra: {} } },
    ]
    same(
      (await store.changeSession('s', changeOf({ updateTurns: two }))).revision,
      11,
      'the revision after two turns at once',
    )
    const { extra: _extra, ...rest } = expected
    same(
      (await loaded(store)).turns,
      [
        { ...rest, status: 'y', error: null },
        { ...session.turns[1], prompt: 'q' },
      ],
      'both turns',
    )
    // Turns that have ended can still be changed.
    for (const change of [
      { status: 'success', endedAt: T2 },
      { prompt: 'later', metadata: { rating: 5 } },
    ])
      await store.changeSession('s', changeOf({ updateTurns: [{ turnId: 't1', set: change }] }))
    const ended = (await loaded(store)).turns[0]
    same([ended?.prompt, ended?.metadata], ['later', { rating: 5 }], 'what was set on a turn that has ended')
    // A time is kept as written, even if it is the same instant in another form.
    for (const time of ['2026-01-31T12:00:02Z', '2026-01-31T13:00:02.000+01:00', null]) {
      await store.changeSession('s', changeOf({ updateTurns: [{ turnId: 't1', set: { endedAt: time } }] }))
      same((await loaded(store)).turns[0]?.endedAt, time, `the endedAt that was set to ${show(time)}`)
    }
  })

  it('change', 'replaces tool calls with the same callId, and appends the others', async ({ store }) => {
    const calls = ['a', 'b', 'c'].map(id => toolCallOf(id))
    await store.saveSession(sessionOf('s', { turns: [turnOf('t', { toolCalls: calls }), turnOf('u')] }))
    const put = [toolCallOf('b', { result: 1, extra: { x: 1 } }), toolCallOf('d'), toolCallOf('d', { result: 2 })]
    await store.changeSession('s', changeOf({ updateTurns: [{ turnId: 't', putToolCalls: put }] }))
    const expected = [toolCallOf('a'), put[0], toolCallOf('c'), put[2]]
    same(
      (await loaded(store)).turns.map(turn => turn.toolCalls),
      [expected, []],
      'the tool calls',
    )
    const full = toolCallOf('c', { arguments: { a: 1 }, result: 1, error: 'e', metadata: { a: 1 }, extra: { x: 1 } })
    for (const call of [full, toolCallOf('c', { arguments: { b: 1 } })]) {
      const puts = [call, toolCallOf('d', { result: 3 })].map(each => ({
        turnId: 't',
        putToolCalls: [{ ...each, replace: true }],
      }))
      await store.changeSession('s', changeOf({ updateTurns: puts }))
      const [, , third, last] = (await loaded(store)).turns[0]?.toolCalls ?? []
      same([third, last], [call, toolCallOf('d', { result: 3 })], 'calls that replace others whole, in two updates')
    }
    await store.changeSession(
      's',
      changeOf({ updateTurns: [{ turnId: 'u', putToolCalls: [{ toolName: 'x' }, { toolName: 'x' }] }] }),
    )
    const ids = (await loaded(store)).turns[1]?.toolCalls.map(({ callId }) => callId) ?? []
    holds(
      ids.length === 2 && new Set([...ids, '']).size === 3,
      `calls without a callId get new ones, not ${JSON.stringify(ids)}`,
    )
    await store.changeSession('s', changeOf({ updateTurns: [{ turnId: 'u', putToolCalls: [{ toolName: 'x' }] }] }))
    same((await loaded(store)).turns[1]?.toolCalls.length, 3, 'one more without a callId')
    const twice = [toolCallOf('a', { result: 1 }), toolCallOf('a', { result: 2 }), toolCallOf('')]
    await store.saveSession(sessionOf('s', { turns: [turnOf('t', { toolCalls: twice })] }))
    const put3 = toolCallOf('a', { result: 3 })
    const empty = [toolCallOf('', { result: 4 }), toolCallOf('', { result: 5 })]
    await store.changeSession('s', changeOf({ updateTurns: [{ turnId: 't', putToolCalls: [put3, ...empty] }] }))
    const stored = (await loaded(store)).turns[0]?.toolCalls ?? []
    same(
      stored.slice(0, 3),
      [twice[0], put3, twice[2]],
      'a put replaces the last call with its id, and none with an empty one',
    )
    const added = stored.slice(3)
    same(
      added.map(call => ({ ...call, callId: '' })),
      empty,
      'the calls with an empty callId',
    )
    const all = stored.map(({ callId }) => callId)
    holds(new Set(all).size === 4, `each call with an empty callId gets an id of its own, not ${JSON.stringify(all)}`)
  })

  it('models', 'fills in the defaults of a change, and the same ones in a retry', async ({ store }) => {
    await store.saveSession(sessionOf('s', { turns: [turnOf('u')] }))
    const change = changeOf({
      appendTurns: [
        {
          turnId: 't',
          toolCalls: [
            { toolName: 'search' },
            { toolName: 'search', callId: 'own' },
            { toolName: 'search', callId: '' },
          ],
        },
      ],
      appendAgentTransitions: [{ transitionId: 'h', toAgent: 'billing' }],
      updateTurns: [{ turnId: 'u', putToolCalls: [{ callId: 'c', toolName: 'search' }] }],
    })
    await store.changeSession('s', change)
    const expected = sessionOf('s', {
      turns: [
        turnOf('u', { toolCalls: [toolCallOf('c')] }),
        turnOf('t', { toolCalls: [toolCallOf('t:0'), toolCallOf('own'), toolCallOf('t:2')] }),
      ],
      agentTransitions: [transitionOf('h')],
      updatedAt: T1,
      revision: 2,
    })
    same(await store.loadSession('s'), expected, 'the session')
    const again = { revision: 2, turnCount: 2, deduplicated: ['t'] }
    same(await store.changeSession('s', change), again, 'the result of the same change again')
  })

  it('change', 'fails if a turn to update is missing, and applies nothing', async ({ store }) => {
    const session = fullSession('s')
    await store.saveSession(session)
    for (const turnId of ['none', 'T1', 't', '']) {
      const change = changeOf({
        updateTurns: [
          { turnId: 't1', set: { status: 'x' } },
          { turnId, set: {} },
        ],
        appendTurns: [turnOf('new')],
      })
      await refuses(
        () => store.changeSession('s', change),
        'TURN_NOT_FOUND',
        `an update of ${JSON.stringify(turnId)}`,
        { sessionId: 's' },
      )
    }
    const own = changeOf({ updateTurns: [{ turnId: 'new', set: {} }], appendTurns: [turnOf('new')] })
    await refuses(
      () => store.changeSession('s', own),
      'TURN_NOT_FOUND',
      'an update of a turn that the same change appends',
    )
    same(await store.loadSession('s'), session, 'the session after that')
  })

  it('change', 'sets and removes top-level members of the metadata as a whole', async ({ store }) => {
    await store.saveSession(sessionOf('s', { metadata: { a: { b: 1 }, c: [1], d: 'x', i: { j: 1 } } }))
    await store.changeSession(
      's',
      changeOf({ setMetadata: { a: { e: 2 }, 'c.d': null, f: '' }, unsetMetadata: ['d', 'a.e', 'i.j'] }),
    )
    same((await loaded(store)).metadata, { a: { e: 2 }, c: [1], 'c.d': null, f: '', i: { j: 1 } }, 'the metadata')
    await store.changeSession('s', changeOf({ setMetadata: { g: 1 }, unsetMetadata: ['g', 'c', 'i'] }))
    same(
      (await loaded(store)).metadata,
      { a: { e: 2 }, 'c.d': null, f: '' },
      'a member that is set and taken away at once is gone',
    )
    // Each value equals the previous one in a loose or textual comparison.
    for (const value of [1, true, '1', 0, false, '', null, [], {}]) {
      await store.changeSession('s', changeOf({ setMetadata: { g: value } }))
      same((await loaded(store)).metadata.g, value, `a member that is set to ${show(value)}`)
    }
    await store.changeSession('s', changeOf({ unsetMetadata: ['g'] }))
    await store.changeSession('s', changeOf({ setMetadata: { a: { x: [1, 2], y: 1 } } }))
    await store.changeSession('s', changeOf({ setMetadata: { a: { x: [1] } } }))
    same((await loaded(store)).metadata.a, { x: [1] }, 'a member that is set to a part of what it was')
  })

  it('atomic', 'a change that fails in its last part applies none of the others', async ({ store }) => {
    const session = fullSession('s')
    await store.saveSession(session)
    const first = {
      keepTurns: 1,
      updateTurns: [{ turnId: 't1', set: { status: 'x' } }],
      appendTurns: [turnOf('new')],
      setMetadata: { a: 1 },
      agentId: 'other',
    }
    const failing = [
      [{ ...first, appendAgentTransitions: [transitionOf('h1', { toAgent: 'other' })] }, 'TRANSITION_ID_CONFLICT'],
      [{ ...first, appendTurns: [turnOf('new'), turnOf('t1')] }, 'TURN_ID_CONFLICT'],
      // The state before the same change.
      [{ ...first, appendTurns: session.turns.slice(0, 1) }, 'TURN_ID_CONFLICT'],
      [{ ...first, setMetadata: { a: 'x'.repeat(1024 * 1024) } }, 'INVALID_RECORD'],
    ] as const
    for (const [members, code] of failing) {
      await refuses(() => store.changeSession('s', changeOf(members)), code, `a change that fails with ${code}`)
      same(await store.loadSession('s'), session, `the session after ${code}`)
      same((await store.loadSummary('s'))?.turnCount, 2, `the summary after ${code}`)
      same((await store.readTurns('s', { turnId: 'new' }))?.turns, [], `the turn that it brought, after ${code}`)
      for (const query of [{}, { updatedBefore: T1 }, { metadata: { customer: 'C-1' } }])
        same((await store.querySessions(query)).sessions.length, 1, `what ${show(query)} finds after ${code}`)
    }
    same((await store.changeSession('s', changeOf(first))).revision, 2, 'the same change without the fault')
  })

  it('change', 'changes only its session, even if others have the same content', async ({ store }) => {
    const before = fullSession('other', { workspaceId: 'w', parentSessionId: 's' })
    await store.saveSession(before)
    await store.saveSession(fullSession('s'))
    const changes = [
      { updateTurns: [{ turnId: 't1', set: { status: 'x' }, putToolCalls: [toolCallOf('c3')], removeItems: ['i1'] }] },
      { setMetadata: { customer: 'C-2' }, unsetMetadata: ['tags'], agentId: 'billing' },
      { keepTurns: 1, appendTurns: [turnOf('new')], appendAgentTransitions: [transitionOf('h2')] },
      { keepTurns: 0 },
    ]
    for (const members of changes) {
      await store.changeSession('s', changeOf(members))
      same(await store.loadSession('other'), before, `another session after ${show(members)}`)
    }
    await store.saveSession(fullSession('s'))
    same(await store.loadSession('other'), before, 'another session after a save')
    await store.deleteSession('s')
    same(await store.loadSession('other'), before, 'another session after a delete')
    const { turns } = present(await store.readTurns('other', {}), 'the turns')
    same(turns, before.turns, 'the turns of the other, read by themselves')
  })

  it('stored', 'keeps many metadata members, agent transitions, tool calls and audit events', async ({ store }) => {
    const many = indexes(1030).map(String)
    const metadata = Object.fromEntries(many.map(key => [`k${key}`, key]))
    const turn = turnOf('t', { toolCalls: many.map(id => toolCallOf(id)), auditEventIds: many })
    const agentTransitions = many.map(id => transitionOf(id))
    await store.saveSession(sessionOf('s'))
    await store.changeSession(
      's',
      changeOf({ appendTurns: [turn], appendAgentTransitions: agentTransitions, setMetadata: metadata }),
    )
    const expected = sessionOf('s', { turns: [turn], agentTransitions, metadata, updatedAt: T1, revision: 2 })
    same(await store.loadSession('s'), expected, 'a session that grew in one change')
    await store.saveSession({ ...expected, sessionId: 'whole' })
    same(await store.loadSession('whole'), { ...expected, sessionId: 'whole', revision: 1 }, 'one that was saved whole')
    await store.changeSession('s', changeOf({ unsetMetadata: Object.keys(metadata).slice(1) }))
    same((await loaded(store)).metadata, { k0: '0' }, 'the metadata when all but one of them are taken away')
  })

  it('stored', 'keeps every turn of a large batch, and many batches', async ({ store }) => {
    await store.saveSession(sessionOf('s'))
    const turns = turnsOf(300)
    for (let from = 0; from < 300; from += 100)
      await store.changeSession('s', changeOf({ appendTurns: turns.slice(from, from + 100) }))
    same((await loaded(store)).turns, turns, 'all turns')
    same((await store.readTurns('s', { last: 3 }))?.turns, turns.slice(-3), 'the last three')
    same(
      (await store.readTurns('s', { from: 98, limit: 4 }))?.turns,
      turns.slice(98, 102),
      'a stretch over two batches',
    )
    const retry = await store.changeSession('s', changeOf({ appendTurns: turns.slice(250) }))
    same([retry.revision, retry.deduplicated], [4, turns.slice(250).map(turn => turn.turnId)], 'a repeated batch')
  })

  it('stored', 'reads a saved session and one that grew in the same way', async ({ store }) => {
    const session = fullSession('whole')
    await store.saveSession(session)
    await store.saveSession({ ...session, sessionId: 'grown', turns: [], agentTransitions: [], metadata: {} })
    for (const turn of session.turns) await store.changeSession('grown', changeOf({ appendTurns: [turn] }))
    for (const transition of session.agentTransitions)
      await store.changeSession('grown', changeOf({ appendAgentTransitions: [transition] }))
    await store.changeSession('grown', changeOf({ setMetadata: session.metadata }))
    const grown = { ...session, sessionId: 'grown', revision: 6, updatedAt: T1 }
    same(await store.loadSession('grown'), grown, 'a session that grew')
    await store.saveSession({ ...grown, sessionId: 'again' })
    await store.changeSession('again', appendOf('new'))
    await store.saveSession({ ...grown, sessionId: 'again' })
    same(
      await store.loadSession('again'),
      { ...grown, sessionId: 'again', revision: 3 },
      'saved whole, changed, and saved whole again',
    )
    await fails(
      () => store.changeSession('again', appendOf('t1', { prompt: 'x' })),
      'TURN_ID_CONFLICT',
      'its turns are known',
    )
  })
}

async function loaded(store: SessionStore): Promise<NonNullable<Awaited<ReturnType<SessionStore['loadSession']>>>> {
  return present(await store.loadSession('s'), 'the session')
}
