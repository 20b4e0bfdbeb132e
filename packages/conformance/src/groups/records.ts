import type { SessionRecord, SessionStore, TurnPage } from '@turnstore/core'
import type { Cases, Group } from '../cases.js'
import { holds, refuses, same } from '../expect.js'
import { appendOf, changeOf, fullSession, sessionOf, T0, T1, T2, toolCallOf, transitionOf, turnOf, turnIdsOf, turnsOf } from '../samples.js'

/** The reference's own behaviour: save, load, list, delete, and what a record is made of. */
export const recordsGroup: Group = { title: 'Records', define }

function define({ it, capabilities }: Cases): void {
  it('capabilities', 'declares what it promises, once it is ready', async ({ store }) => {
    await store.ready()
    const { durability, sharing, constantAppend } = store.capabilities
    holds(['none', 'process-crash', 'power-loss'].includes(durability), `durability is ${durability}`)
    holds(['process', 'host', 'network'].includes(sharing), `sharing is ${sharing}`)
    holds(typeof constantAppend === 'boolean', 'constantAppend must be true or false')
    same(store.capabilities, capabilities, 'two stores of one setup declare the same')
  })

  it('stored', 'gives a record back as it was saved, in every member', async ({ store }) => {
    same(await store.saveSession(fullSession('s')), 1, 'the revision of a new session')
    same(await store.loadSession('s'), fullSession('s'), 'the loaded session')
  })

  it('models', 'fills in the defaults of what a caller leaves out', async ({ store }) => {
    await store.saveSession({
      sessionId: 's',
      turns: [{ turnId: 't', toolCalls: [{ toolName: 'search' }, { toolName: 'search', callId: 'own' }] }],
      agentTransitions: [{ toAgent: 'billing' }],
    })
    const expected = sessionOf('s', {
      createdAt: '',
      updatedAt: '',
      turns: [turnOf('t', { toolCalls: [toolCallOf('t:0'), toolCallOf('own')] })],
      agentTransitions: [transitionOf(null)],
    })
    same(await store.loadSession('s'), expected, 'the loaded session')
  })

  it('stored', 'gives null for a session that is not there', async ({ store }) => {
    same(await store.loadSession('s'), null, 'loadSession')
    same(await store.loadSummary('s'), null, 'loadSummary')
    same(await store.readTurns('s', { last: 1 }), null, 'readTurns')
  })

  it('stored', 'replaces a session as a whole and leaves nothing of the old one', async ({ store }) => {
    await store.saveSession(fullSession('s'))
    await store.saveSession(sessionOf('s', { createdAt: T1, turns: turnsOf(1) }))
    same(await store.loadSession('s'), sessionOf('s', { createdAt: T1, turns: turnsOf(1), revision: 2 }), 'after a second save')
    same(await store.readTurns('s', { turnId: 't1' }), { turns: [], firstIndex: 1, turnCount: 1, revision: 2 }, 'an old turn')
    await store.changeSession('s', appendOf('t1', { prompt: 'other' }))
    same((await store.loadSession('s'))?.turns[1]?.prompt, 'other', 'an id of the old session, appended anew')
  })

  it('revisions', 'raises the revision by one with each save, whatever the record says', async ({ store }) => {
    const revisions = [
      await store.saveSession(sessionOf('s', { revision: 40 })),
      await store.saveSession(sessionOf('s', { revision: 1 })),
      await store.saveSession(sessionOf('s', { revision: 2 })),
    ]
    same(revisions, [1, 2, 3], 'revisions of three saves')
    same((await store.loadSession('s'))?.revision, 3, 'the stored revision')
    same((await store.loadSummary('s'))?.revision, 3, 'the revision of the summary')
  })

  it('noLostUpdate', 'saves conditionally: 0 means that there must be none', async ({ store }) => {
    same(await store.saveSession(sessionOf('s'), { ifRevision: 0 }), 1, 'ifRevision 0 without a session')
    const conflict = { sessionId: 's', actualRevision: 1 }
    const other = sessionOf('s', { metadata: { other: true } })
    await refuses(() => store.saveSession(other, { ifRevision: 0 }), 'REVISION_CONFLICT', 'ifRevision 0 with a session', conflict)
    await refuses(() => store.saveSession(other, { ifRevision: 2 }), 'REVISION_CONFLICT', 'ifRevision 2 at revision 1', conflict)
    same(await store.loadSession('s'), sessionOf('s'), 'after two conflicts')
    same(await store.saveSession(other, { ifRevision: 1 }), 2, 'ifRevision 1 at revision 1')
    const absent = { sessionId: 'none', actualRevision: 0 }
    await refuses(() => store.saveSession(sessionOf('none'), { ifRevision: 1 }), 'REVISION_CONFLICT', 'without a session', absent)
    same(await store.listSessions(), ['s'], 'sessions after a conflict')
  })

  it('deleted', 'deletes: says whether there was something, and shows nothing of it any more', async ({ store }) => {
    same(await store.deleteSession('s'), false, 'deleting what is not there')
    await store.saveSession(fullSession('s'))
    await store.saveSession(sessionOf('other'))
    same(await store.deleteSession('s'), true, 'deleting a session')
    same(await store.deleteSession('s'), false, 'deleting it again')
    same(await store.loadSession('s'), null, 'loadSession')
    same(await store.loadSummary('s'), null, 'loadSummary')
    same(await store.readTurns('s', {}), null, 'readTurns')
    same(await store.listSessions(), ['other'], 'listSessions')
    same((await store.querySessions()).sessions.map(({ sessionId }) => sessionId), ['other'], 'querySessions')
    await refuses(() => store.changeSession('s', appendOf('t')), 'SESSION_NOT_FOUND', 'changing it', { sessionId: 's' })
    same(await store.loadSession('s'), null, 'after the change that failed')
  })

  it('deleted', 'begins anew with an id that was deleted', async ({ store }) => {
    await store.saveSession(fullSession('s'))
    await store.saveSession(fullSession('s'))
    await store.deleteSession('s')
    same(await store.saveSession(sessionOf('s', { workspaceId: 'w' }), { ifRevision: 0 }), 1, 'the first revision of the new one')
    await store.changeSession('s', appendOf('t1', { prompt: 'new' }))
    const expected = sessionOf('s', { workspaceId: 'w', turns: [turnOf('t1', { prompt: 'new' })], revision: 2, updatedAt: T1 })
    same(await store.loadSession('s'), expected, 'the new session')
  })

  it('stored', 'lists the ids of all, of one workspace, or of those without one', async ({ store }) => {
    same(await store.listSessions(), [], 'of an empty store')
    for (const [id, workspaceId] of [['a', null], ['b', 'w'], ['c', 'w'], ['d', 'W'], ['e', null]] as const) {
      await store.saveSession(sessionOf(id, { workspaceId }))
    }
    const lists = [{}, { workspaceId: 'w' }, { workspaceId: 'W' }, { workspaceId: null }, { workspaceId: 'none' }]
    const found = await Promise.all(lists.map(async options => (await store.listSessions(options)).toSorted()))
    same(found, [['a', 'b', 'c', 'd', 'e'], ['b', 'c'], ['d'], ['a', 'e'], []], 'listSessions')
    same((await store.listSessions(undefined)).length, 5, 'listSessions without options')
  })

  it('models', 'keeps the keys of a newer writer at all four levels, through changes too', async ({ store }) => {
    await store.saveSession(fullSession('s'))
    await store.changeSession('s', changeOf({
      updateTurns: [{ turnId: 't1', set: { status: 'success' }, putToolCalls: [toolCallOf('c3', { extra: { three: 3 } })] }],
      appendTurns: [turnOf('t2', { extra: { two: 2 }, toolCalls: [toolCallOf('c', { extra: { one: [1] } })] })],
      appendAgentTransitions: [transitionOf('h2', { extra: { four: null } })],
    }))
    const loaded = await store.loadSession('s')
    same(loaded?.extra, { newer: ['writer'] }, 'extra of the session')
    same(loaded?.turns.map(turn => turn.extra), [{ model: { name: 'x' } }, undefined, { two: 2 }], 'extra of the turns')
    same(loaded?.turns[0]?.toolCalls.map(call => call.extra), [{ cost: 1 }, undefined, { three: 3 }], 'extra of tool calls')
    same(loaded?.turns[2]?.toolCalls[0]?.extra, { one: [1] }, 'extra of an appended tool call')
    same(loaded?.agentTransitions.map(({ extra }) => extra), [{ urgent: true }, undefined, { four: null }], 'extra of transitions')
  })

  it('models', 'tells null, empty and missing apart', async ({ store }) => {
    const session = sessionOf('s', {
      workspaceId: 'w',
      agentId: null,
      turns: [
        turnOf('null'),
        turnOf('empty', { agentId: '', responseContent: '', endedAt: '', error: '', status: '', auditEventIds: [''] }),
        turnOf('values', {
          metadata: { null: null, empty: '', zero: 0, false: false, list: [], object: {} },
          toolCalls: [toolCallOf('', { toolName: '', result: '', error: '', durationMs: 0, sandboxContext: {} }), toolCallOf('n')],
        }),
      ],
      agentTransitions: [transitionOf('h', { fromAgent: '', reason: '', toAgent: '' }), transitionOf('', {})],
      metadata: { null: null },
    })
    await store.saveSession(session)
    same(await store.loadSession('s'), session, 'the loaded session')
  })

  it('models', 'keeps the order of turns, tool calls, events and transitions, whatever their times and ids', async ({ store }) => {
    const turns = ['z', 'a', '10', '9', 'B'].map((id, index) =>
      turnOf(id, {
        startedAt: new Date(1e12 - index * 1e6).toISOString(),
        toolCalls: ['2', '1', '10'].map(call => toolCallOf(call)),
        auditEventIds: ['b', 'a', 'b'],
      }),
    )
    const agentTransitions = ['z', 'a', 'm'].map((id, index) => transitionOf(id, { timestamp: new Date(1e12 - index).toISOString() }))
    await store.saveSession(sessionOf('s', { turns: turns.slice(0, 2), agentTransitions: agentTransitions.slice(0, 1) }))
    await store.changeSession('s', changeOf({ appendTurns: turns.slice(2, 4) }))
    await store.changeSession('s', changeOf({ appendTurns: turns.slice(4), appendAgentTransitions: agentTransitions.slice(1) }))
    const expected = sessionOf('s', { turns, agentTransitions, updatedAt: T1, revision: 3 })
    same(await store.loadSession('s'), expected, 'the loaded session')
  })

  it('models', 'keeps times as they came', async ({ store }) => {
    const times = ['', 'yesterday', '2024-05-15T15:02', '2024-05-15T15:02:00+0530', '2024-05-15T15:02:00.123456789-11:30', '2024-05-15']
    for (const [index, time] of times.entries()) {
      const session = sessionOf(`s${index}`, {
        createdAt: time,
        updatedAt: time,
        turns: [turnOf('t', { startedAt: time, endedAt: time })],
        agentTransitions: [transitionOf('h', { timestamp: time })],
      })
      await store.saveSession(session)
      same(await store.loadSession(`s${index}`), session, `a session with ${JSON.stringify(time)}`)
    }
  })

  it('retry', 'keeps what an old file has when it is saved as a whole: repeated and unruly ids', async ({ store }) => {
    const session = oldFile('s')
    await store.saveSession(session)
    same(await store.loadSession('s'), session, 'the loaded session')
    for (const id of ['', 'a\nb', 'x'.repeat(300), '\ud800']) {
      const page = await store.readTurns('s', { turnId: id })
      same(page?.turns, session.turns.filter(turn => turn.turnId === id), `the turn ${JSON.stringify(id).slice(0, 20)}`)
    }
    const result = await store.changeSession('s', appendOf('new'))
    same(result, { revision: 2, turnCount: session.turns.length + 1, deduplicated: [] }, 'an append to it')
    const expected = { ...session, turns: [...session.turns, turnOf('new')], revision: 2, updatedAt: T1 }
    same(await store.loadSession('s'), expected, 'after an append')
  })

  it('change', 'means the last turn where an old file has a turnId twice, in reading and in changing', async ({ store }) => {
    await store.saveSession(oldFile('s'))
    const page = await store.readTurns('s', { turnId: 'twice' })
    same(page, { turns: [turnOf('twice', { prompt: 'second' })], firstIndex: 2, turnCount: 7, revision: 1 }, 'readTurns')
    await store.changeSession('s', changeOf({ updateTurns: [{ turnId: 'twice', set: { status: 'x' } }] }))
    const loaded = await store.loadSession('s')
    same(loaded?.turns.map(turn => turn.status), ['success', 'success', 'x', ...Array<string>(4).fill('success')], 'after an update')
    await store.changeSession('s', changeOf({ keepTurns: 2, updateTurns: [{ turnId: 'twice', set: { status: 'y' } }] }))
    same((await store.loadSession('s'))?.turns.map(turn => turn.status), ['y', 'success'], 'after a rewind between the two')
  })

  it('methods', 'reads stretches of turns, with where they stand', async ({ store }) => {
    const turns = turnsOf(5)
    await store.saveSession(sessionOf('s', { turns }))
    const page = (first: number, end: number): TurnPage => ({ turns: turns.slice(first, end), firstIndex: first, turnCount: 5, revision: 1 })
    const ranges = [
      [{ last: 2 }, page(3, 5)],
      [{ last: 5 }, page(0, 5)],
      [{ last: 99 }, page(0, 5)],
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
      [{ turnId: 't%' }, page(5, 5)],
    ] as const
    for (const [range, expected] of ranges) same(await store.readTurns('s', range), expected, JSON.stringify(range))
    await store.saveSession(sessionOf('empty'))
    const none = { turns: [], firstIndex: 0, turnCount: 0, revision: 1 }
    for (const range of [{ last: 3 }, {}, { from: 2 }, { turnId: 't0' }]) {
      same(await store.readTurns('empty', range), none, `${JSON.stringify(range)} of no turns`)
    }
  })

  it('methods', 'summarises a session: all but its turns and transitions, which are counted', async ({ store }) => {
    const session = fullSession('s', { workspaceId: 'w', metadata: { a: { b: [1, null] }, ended: true } })
    await store.saveSession(session)
    same(await store.loadSummary('s'), summaryOf(session), 'loadSummary')
    same((await store.querySessions()).sessions, [summaryOf(session)], 'querySessions')
    await store.changeSession('s', changeOf({
      keepTurns: 1,
      appendTurns: [turnOf('a'), turnOf('b')],
      unsetMetadata: ['ended'],
      agentId: null,
      updatedAt: '2030-01-01T00:00:00Z',
    }))
    const changed = { agentId: null, updatedAt: '2030-01-01T00:00:00Z', metadata: { a: { b: [1, null] } }, revision: 2 }
    const expected = { ...summaryOf(session), ...changed, turnCount: 3, agentTransitionCount: 1 }
    same(await store.loadSummary('s'), expected, 'loadSummary after a change')
    same((await store.querySessions()).sessions, [expected], 'querySessions after a change')
  })

  it('stored', 'shows each write at once to another handle, in all that can be read', async ({ store, reopen }) => {
    const handles = [store, await reopen()] as const
    // All is read after each write, so that whatever a handle remembers of the time before is found out.
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
      ['an update', handle => handle.changeSession('s', changeOf({ updateTurns: [{ turnId: 't1', set: { status: 'x' } }] }))],
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
      same(await read(reader), await read(writer), `what the other handle reads after ${name}`)
    }
    same(turnIdsOf(await load(handles[1], 's')), ['t0', 't1'], 'the turns in the end')
  }, { needs: 'reopen' })

  it('stored', 'has it all again after it was closed and opened anew', async ({ store, reopen }) => {
    await store.saveSession(fullSession('s', { workspaceId: 'w' }))
    await store.saveSession(sessionOf('gone'))
    await store.changeSession('s', appendOf('new'))
    await store.deleteSession('gone')
    const before = await store.loadSession('s')
    const summary = await store.loadSummary('s')
    // Two handles, so that one is there all the while: data of one process must outlive each of them.
    const second = await reopen()
    await store.close()
    const third = await reopen()
    for (const handle of [second, third]) {
      same(await handle.loadSession('s'), before, 'the session')
      same(await handle.loadSummary('s'), summary, 'its summary')
      same(await handle.listSessions(), ['s'], 'the list')
      same((await handle.querySessions({ workspaceId: 'w' })).sessions, [summary], 'the query')
    }
    same(await third.changeSession('s', appendOf('again', { startedAt: T2 })), { revision: 3, turnCount: 4, deduplicated: [] }, 'an append')
    same((await second.changeSession('s', appendOf('new', { endedAt: T0 }))).deduplicated, ['new'], 'a retry across handles')
  }, { needs: 'reopen' })
}

async function load(store: SessionStore, id: string): Promise<SessionRecord> {
  return (await store.loadSession(id)) ?? sessionOf('nothing')
}

/** What the rules refuse in a change and every store keeps of a session saved whole. */
function oldFile(sessionId: string): SessionRecord {
  return sessionOf(sessionId, {
    agentId: '',
    turns: [
      turnOf('twice', { prompt: 'first' }),
      turnOf('once', { agentId: 'a\0b' }),
      turnOf('twice', { prompt: 'second' }),
      turnOf(''),
      turnOf('a\nb'),
      turnOf('x'.repeat(300)),
      turnOf('\ud800'),
    ],
    agentTransitions: [transitionOf('h'), transitionOf('h', { toAgent: '' }), transitionOf(null, { turnId: 'a\nb' })],
  })
}

function summaryOf({ turns, agentTransitions, extra: _extra, ...head }: SessionRecord): object {
  return { ...head, turnCount: turns.length, agentTransitionCount: agentTransitions.length }
}
