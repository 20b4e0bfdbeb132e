import type { Cases, Group } from '../../cases/cases.js'
import { holds, refuses, same } from '../../checks/expect.js'
import {
  appendOf,
  changeOf,
  fullSession,
  oldFile,
  sessionOf,
  T1,
  toolCallOf,
  transitionOf,
  turnOf,
  turnsOf,
} from '../../samples/samples.js'

/** The basics: save, load, list, delete, and the members of records. */
export const recordsGroup: Group = { title: 'Records', define }

/** From weakest to strongest. */
const durabilities: readonly string[] = ['none', 'process-crash', 'power-loss']
const sharings: readonly string[] = ['process', 'host', 'network']

function define({ it, capabilities }: Cases): void {
  it('capabilities', 'declares what it promises, once it is ready', async ({ store }) => {
    const early = { ...store.capabilities }
    await store.ready()
    const { durability, sharing, constantAppend, failover } = store.capabilities
    holds(durabilities.includes(durability), `durability is ${durability}`)
    holds(sharings.includes(sharing), `sharing is ${sharing}`)
    holds(typeof constantAppend === 'boolean', 'constantAppend must be true or false')
    holds([undefined, 'may-lose-acknowledged'].includes(failover), `failover is ${failover}`)
    holds(
      durabilities.indexOf(early.durability) <= durabilities.indexOf(durability) &&
        sharings.indexOf(early.sharing) <= sharings.indexOf(sharing) &&
        Number(early.constantAppend) <= Number(constantAppend),
      'it declares more before it is ready than afterwards',
    )
    same(store.capabilities, capabilities, 'the capabilities of two stores of one setup')
  })

  it('stored', 'returns a record as it was saved, in every member', async ({ store }) => {
    same(await store.saveSession(fullSession('s')), 1, 'the revision of a new session')
    same(await store.loadSession('s'), fullSession('s'), 'the loaded session')
  })

  it('models', 'fills in the defaults of missing members', async ({ store }) => {
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

  it('stored', 'returns null for a session that does not exist', async ({ store }) => {
    same(await store.loadSession('s'), null, 'loadSession')
    same(await store.loadSummary('s'), null, 'loadSummary')
    same(await store.readTurns('s', { last: 1 }), null, 'readTurns')
  })

  it('stored', 'replaces a session completely', async ({ store }) => {
    await store.saveSession(fullSession('s'))
    await store.saveSession(sessionOf('s', { createdAt: T1, turns: turnsOf(1) }))
    same(
      await store.loadSession('s'),
      sessionOf('s', { createdAt: T1, turns: turnsOf(1), revision: 2 }),
      'after a second save',
    )
    same(
      await store.readTurns('s', { turnId: 't1' }),
      { turns: [], firstIndex: 1, turnCount: 1, revision: 2 },
      'an old turn',
    )
    await store.changeSession('s', appendOf('t1', { prompt: 'other' }))
    same((await store.loadSession('s'))?.turns[1]?.prompt, 'other', 'an id of the old session, appended again')
    await store.saveSession(sessionOf('s'))
    same(await store.loadSession('s'), sessionOf('s', { revision: 4 }), 'after a save without turns')
    same(await store.readTurns('s', {}), { turns: [], firstIndex: 0, turnCount: 0, revision: 4 }, 'its turns')
  })

  it('revisions', 'increases the revision by one with each save, whatever the record says', async ({ store }) => {
    const revisions = [
      await store.saveSession(sessionOf('s', { revision: 40 })),
      await store.saveSession(sessionOf('s', { revision: 1 })),
      await store.saveSession(sessionOf('s', { revision: 2 })),
    ]
    same(revisions, [1, 2, 3], 'revisions of three saves')
    same((await store.loadSession('s'))?.revision, 3, 'the stored revision')
    same((await store.loadSummary('s'))?.revision, 3, 'the revision of the summary')
    await store.saveSession(fullSession('s'))
    same(await store.saveSession(fullSession('s')), 5, 'the revision of a save that alters nothing')
    same((await store.loadSession('s'))?.revision, 5, 'the stored revision after it')
  })

  it('noLostUpdate', 'saves conditionally: 0 means that the session must not exist', async ({ store }) => {
    same(await store.saveSession(sessionOf('s'), { ifRevision: 0 }), 1, 'ifRevision 0 without a session')
    const conflict = { sessionId: 's', actualRevision: 1 }
    const other = sessionOf('s', { metadata: { other: true } })
    await refuses(
      () => store.saveSession(other, { ifRevision: 0 }),
      'REVISION_CONFLICT',
      'ifRevision 0 with a session',
      conflict,
    )
    await refuses(
      () => store.saveSession(other, { ifRevision: 2 }),
      'REVISION_CONFLICT',
      'ifRevision 2 at revision 1',
      conflict,
    )
    same((await store.querySessions()).sessions, [await store.loadSummary('s')], 'what is listed after two conflicts')
    for (const ifRevision of [2 ** 32 + 1, Number.MAX_SAFE_INTEGER]) {
      const early = () => store.saveSession(other, { ifRevision })
      await refuses(early, 'REVISION_CONFLICT', `ifRevision ${ifRevision} at revision 1`, conflict)
    }
    const again = () => store.saveSession(sessionOf('s'), { ifRevision: 0 })
    await refuses(again, 'REVISION_CONFLICT', 'the same record with the same condition', conflict)
    same(await store.loadSession('s'), sessionOf('s'), 'after three conflicts')
    same(await store.saveSession(other, { ifRevision: 1 }), 2, 'ifRevision 1 at revision 1')
    const absent = { sessionId: 'none', actualRevision: 0 }
    await refuses(
      () => store.saveSession(sessionOf('none'), { ifRevision: 1 }),
      'REVISION_CONFLICT',
      'without a session',
      absent,
    )
    same(await store.listSessions(), ['s'], 'sessions after a conflict')
    same((await store.querySessions()).sessions.length, 1, 'how many are listed after it')
  })

  it('deleted', 'deletes a session, returns whether it existed, and no longer shows it', async ({ store }) => {
    same(await store.deleteSession('s'), false, 'deleting what is not there')
    await store.saveSession(fullSession('s'))
    await store.saveSession(sessionOf('other'))
    same(await store.deleteSession('s'), true, 'deleting a session')
    same(await store.deleteSession('s'), false, 'deleting it again')
    same(await store.loadSession('s'), null, 'loadSession')
    same(await store.loadSummary('s'), null, 'loadSummary')
    same(await store.readTurns('s', {}), null, 'readTurns')
    same(await store.listSessions(), ['other'], 'listSessions')
    same(
      (await store.querySessions()).sessions.map(({ sessionId }) => sessionId),
      ['other'],
      'querySessions',
    )
    await refuses(() => store.changeSession('s', appendOf('t')), 'SESSION_NOT_FOUND', 'changing it', { sessionId: 's' })
    same(await store.loadSession('s'), null, 'after the change that failed')
  })

  it('deleted', 'starts from scratch with the id of a deleted session', async ({ store }) => {
    await store.saveSession(fullSession('s'))
    await store.saveSession(fullSession('s'))
    await store.deleteSession('s')
    for (const ifRevision of [1, 2]) {
      const save = () => store.saveSession(fullSession('s'), { ifRevision })
      const none = { sessionId: 's', actualRevision: 0 }
      await refuses(save, 'REVISION_CONFLICT', `a save with ifRevision ${ifRevision}, of the old life`, none)
      const change = () => store.changeSession('s', appendOf('t'), { ifRevision })
      await refuses(change, 'SESSION_NOT_FOUND', `a change with ifRevision ${ifRevision}, of the old life`)
    }
    same(
      await store.saveSession(sessionOf('s', { workspaceId: 'w' }), { ifRevision: 0 }),
      1,
      'the first revision of the new one',
    )
    await store.changeSession(
      's',
      changeOf({ appendTurns: [turnOf('t1', { prompt: 'new' })], appendAgentTransitions: [transitionOf('h1')] }),
    )
    const expected = sessionOf('s', {
      workspaceId: 'w',
      turns: [turnOf('t1', { prompt: 'new' })],
      agentTransitions: [transitionOf('h1')],
      revision: 2,
      updatedAt: T1,
    })
    same(await store.loadSession('s'), expected, 'the new session')
  })

  it('stored', 'deletes only the session, and keeps its forks', async ({ store }) => {
    await store.saveSession(sessionOf('s'))
    const fork = sessionOf('fork', { parentSessionId: 's', turns: turnsOf(1) })
    await store.saveSession(fork)
    same(await store.deleteSession('s'), true, 'deleting a session that has a fork')
    same(await store.loadSession('fork'), fork, 'the fork')
  })

  it('stored', 'lists the ids of all sessions, of one workspace, or of those without a workspace', async ({ store }) => {
    same(await store.listSessions(), [], 'of an empty store')
    for (const [id, workspaceId] of [
      ['a', null],
      ['b', 'w'],
      ['c', 'w'],
      ['d', 'W'],
      ['e', null],
    ] as const) {
      await store.saveSession(sessionOf(id, { workspaceId }))
    }
    const lists = [{}, { workspaceId: 'w' }, { workspaceId: 'W' }, { workspaceId: null }, { workspaceId: 'none' }]
    const found = await Promise.all(lists.map(async options => (await store.listSessions(options)).toSorted()))
    same(found, [['a', 'b', 'c', 'd', 'e'], ['b', 'c'], ['d'], ['a', 'e'], []], 'listSessions')
    same((await store.listSessions(undefined)).length, 5, 'listSessions without options')
  })

  it('models', 'keeps keys of a newer version at all four levels, through changes too', async ({ store }) => {
    await store.saveSession(fullSession('s'))
    await store.changeSession(
      's',
      changeOf({
        updateTurns: [
          { turnId: 't1', set: { status: 'success' }, putToolCalls: [toolCallOf('c3', { extra: { three: 3 } })] },
        ],
        appendTurns: [turnOf('t2', { extra: { two: 2 }, toolCalls: [toolCallOf('c', { extra: { one: [1] } })] })],
        appendAgentTransitions: [transitionOf('h2', { extra: { four: null } })],
      }),
    )
    const loaded = await store.loadSession('s')
    same(loaded?.extra, { newer: ['writer'] }, 'extra of the session')
    same(
      loaded?.turns.map(turn => turn.extra),
      [{ model: { name: 'x' } }, undefined, { two: 2 }],
      'extra of the turns',
    )
    same(
      loaded?.turns[0]?.toolCalls.map(call => call.extra),
      [{ cost: 1 }, undefined, { three: 3 }],
      'extra of tool calls',
    )
    same(loaded?.turns[2]?.toolCalls[0]?.extra, { one: [1] }, 'extra of an appended tool call')
    same(
      loaded?.agentTransitions.map(({ extra }) => extra),
      [{ urgent: true }, undefined, { four: null }],
      'extra of transitions',
    )
  })

  it('models', 'distinguishes null, empty and missing', async ({ store }) => {
    const session = sessionOf('s', {
      workspaceId: 'w',
      agentId: null,
      turns: [
        turnOf('null'),
        turnOf('empty', { agentId: '', responseContent: '', endedAt: '', error: '', status: '', auditEventIds: [''] }),
        turnOf('values', {
          metadata: { null: null, empty: '', zero: 0, false: false, list: [], object: {} },
          toolCalls: [
            toolCallOf('', { toolName: '', result: '', error: '', durationMs: 0, sandboxContext: {} }),
            toolCallOf('n'),
          ],
        }),
      ],
      agentTransitions: [transitionOf('h', { fromAgent: '', reason: '', toAgent: '' }), transitionOf('', {})],
      metadata: { null: null },
    })
    await store.saveSession(session)
    same(await store.loadSession('s'), session, 'the loaded session')
  })

  it(
    'models',
    'keeps the order of turns, tool calls, audit events and agent transitions, whatever their times and ids',
    async ({ store }) => {
      const turns = ['z', 'a', '10', '9', 'B'].map((id, index) =>
        turnOf(id, {
          startedAt: new Date(1e12 - index * 1e6).toISOString(),
          toolCalls: ['2', '1', '10'].map(call => toolCallOf(call)),
          auditEventIds: ['b', 'a', 'b'],
        }),
      )
      const agentTransitions = ['z', 'a', 'm'].map((id, index) =>
        transitionOf(id, { timestamp: new Date(1e12 - index).toISOString() }),
      )
      await store.saveSession(
        sessionOf('s', { turns: turns.slice(0, 2), agentTransitions: agentTransitions.slice(0, 1) }),
      )
      await store.changeSession('s', changeOf({ appendTurns: turns.slice(2, 4) }))
      await store.changeSession(
        's',
        changeOf({ appendTurns: turns.slice(4), appendAgentTransitions: agentTransitions.slice(1) }),
      )
      const expected = sessionOf('s', { turns, agentTransitions, updatedAt: T1, revision: 3 })
      same(await store.loadSession('s'), expected, 'the loaded session')
    },
  )

  it('models', 'keeps times as written', async ({ store }) => {
    const times = [
      '',
      'yesterday',
      '2024-05-15T15:02',
      '2024-05-15T15:02:00+0530',
      '2024-05-15T15:02:00.123456789-11:30',
      '2024-05-15',
      ' 2024-05-15T15:02:00Z ',
      'at \ud800, or 🍣 o’clock',
      'x'.repeat(300),
    ]
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

  it('retry', 'keeps duplicate and invalid ids of old records in a save', async ({ store }) => {
    const session = oldFile('s')
    await store.saveSession(session)
    same(await store.loadSession('s'), session, 'the loaded session')
    for (const id of ['', 'a\nb', 'x'.repeat(300), '\ud800']) {
      const page = await store.readTurns('s', { turnId: id })
      same(
        page?.turns,
        session.turns.filter(turn => turn.turnId === id),
        `the turn ${JSON.stringify(id).slice(0, 20)}`,
      )
    }
    const result = await store.changeSession('s', appendOf('new'))
    same(result, { revision: 2, turnCount: session.turns.length + 1, deduplicated: [] }, 'an append to it')
    const expected = { ...session, turns: [...session.turns, turnOf('new')], revision: 2, updatedAt: T1 }
    same(await store.loadSession('s'), expected, 'after an append')
  })
}
