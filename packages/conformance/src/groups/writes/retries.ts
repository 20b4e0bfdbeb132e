import type { SessionStore } from '@turnstore/core'
import type { Cases, Group } from '../../cases/cases.js'
import { present, refuses, same, show } from '../../checks/expect.js'
import { untyped } from '../../samples/methods.js'
import {
  appendOf,
  changeOf,
  fullSession,
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

/** Safe retries: ids of turns and agent transitions, and conditions on the revision. */
export const retriesGroup: Group = { title: 'Retries', define }

function define({ it }: Cases): void {
  it('retry', 'appending a stored turn again is a no-op and reported as deduplicated', async ({ store }) => {
    const session = fullSession('s')
    await store.saveSession(session)
    const turn = present(session.turns[0], 'a turn')
    const retries = [
      turn,
      { ...turn, startedAt: T2, endedAt: T2 },
      { ...turn, startedAt: '', endedAt: null },
      { ...turn, metadata: { nothing: null, tokens: 17 } },
      // The order of keys does not matter at any level, and -0 equals 0.
      reversed(turn),
    ]
    for (const retry of retries) {
      const result = await store.changeSession('s', changeOf({ appendTurns: [retry] }))
      same(result, { revision: 1, turnCount: 2, deduplicated: ['t1'] }, 'the result of a retry')
    }
    same(await store.loadSession('s'), session, 'the session after retries')
    const both = await store.changeSession('s', changeOf({ appendTurns: [turnOf('new'), turn, turnOf('newer')] }))
    same(both, { revision: 2, turnCount: 4, deduplicated: ['t1'] }, 'a retry among new turns')
    same(turnIdsOf(await loaded(store)), ['t1', 't0', 'new', 'newer'], 'the turns after that')
    same((await store.loadSummary('s'))?.turnCount, 4, 'the turnCount of the summary')
    same((await store.querySessions()).sessions[0]?.turnCount, 4, 'the turnCount in a listing')
    const zero = appendOf('zero', { metadata: { a: -0 }, extra: { a: { b: 1, c: 2 }, d: 3 } })
    const times = [
      [zero, []],
      [zero, ['zero']],
      [reversed(zero), ['zero']],
    ] as const
    for (const [again, known] of times)
      same((await store.changeSession('s', again)).deduplicated, known, 'a turn with a -0 and unknown keys, and again')
  })

  it('retry', 'refuses a known turnId with different content, and applies nothing', async ({ store }) => {
    const session = fullSession('s')
    await store.saveSession(session)
    const turn = present(session.turns[0], 'a turn')
    const call = present(turn.toolCalls[0], 'a tool call')
    const { extra: _extra, ...bare } = turn
    const others = [
      { prompt: 'other' },
      { prompt: '' },
      { agentId: null },
      { responseContent: null },
      { status: 'success' },
      { error: null },
      { auditEventIds: ['e1', 'e2'] },
      { metadata: { tokens: 17 } },
      { metadata: { tokens: '17', nothing: null } },
      { extra: { model: { name: 'y' } } },
      { toolCalls: [] },
      { toolCalls: turn.toolCalls.toReversed() },
      { toolCalls: [{ ...call, result: null }, toolCallOf('c2', { result: [] })] },
      { toolCalls: [call, toolCallOf('c2', { result: {} })] },
      ...[
        { toolName: 'other' },
        { arguments: {} },
        { status: 'success' },
        { error: null },
        { durationMs: 12 },
        { sandboxContext: null },
        { metadata: {} },
        { extra: { cost: 2 } },
      ].map(other => ({ toolCalls: [{ ...call, ...other }, ...turn.toolCalls.slice(1)] })),
      { status: 'running', prompt: 'other' },
      { status: 'running', agentId: 'other' },
    ]
    const retries = others.map(other => ({ retry: { ...turn, ...other }, how: `with ${show(other)}` }))
    for (const { retry, how } of [...retries, { retry: bare, how: 'without its extra' }]) {
      const change = changeOf({ appendTurns: [turnOf('new'), retry], setMetadata: { a: 1 }, agentId: 'other' })
      await refuses(() => store.changeSession('s', change), 'TURN_ID_CONFLICT', `t1 again ${how}`, { sessionId: 's' })
    }
    same(await store.loadSession('s'), session, 'the session after conflicts')
    same(
      (await store.changeSession('s', changeOf({ appendTurns: [{ ...turn, turnId: 'T1' }] }))).deduplicated,
      [],
      'the same content, another id',
    )
  })

  it('retry', 'recognizes a running turn after it has grown', async ({ store }) => {
    const running = turnOf('t', { agentId: 'a', prompt: 'x', status: 'running', toolCalls: [toolCallOf('c1')] })
    await store.saveSession(sessionOf('s'))
    await store.changeSession('s', changeOf({ appendTurns: [running] }))
    const call = { turnId: 't', putToolCalls: [toolCallOf('c2')] }
    await store.changeSession('s', changeOf({ updateTurns: [call] }))
    const early = await store.changeSession('s', changeOf({ appendTurns: [running] }))
    same(early.deduplicated, ['t'], 'the retry of a running turn that has another tool call now')
    const grow = {
      turnId: 't',
      set: { status: 'success', responseContent: 'y', metadata: { a: 1 } },
      putToolCalls: [toolCallOf('c1', { result: 1 }), toolCallOf('c2')],
    }
    await store.changeSession('s', changeOf({ updateTurns: [grow] }))
    const before = await store.loadSession('s')
    for (const retry of [running, { ...running, startedAt: T2 }, { ...running, toolCalls: [] }]) {
      same(
        (await store.changeSession('s', changeOf({ appendTurns: [retry] }))).deduplicated,
        ['t'],
        'the late retry of its beginning',
      )
    }
    same(await store.loadSession('s'), before, 'the turn stays as it has grown')
    const again = changeOf({ appendTurns: [{ ...running, startedAt: T1 }] })
    const conditional = await store.changeSession('s', again, { ifRevision: 1 })
    same(conditional, { revision: 4, turnCount: 1, deduplicated: ['t'] }, 'the same with a condition')
    // In one batch, the end of a turn may precede a late retry of its start.
    const grown = { ...running, turnId: 'u', status: 'success', responseContent: 'y' }
    const both = changeOf({ appendTurns: [grown, { ...running, turnId: 'u' }] })
    same((await store.changeSession('s', both)).deduplicated, ['u'], 'the start after the end, in one batch')
    const others = changeOf({ appendTurns: [{ ...running, toolCalls: [toolCallOf('c1'), toolCallOf('c9')] }] })
    same((await store.changeSession('s', others)).deduplicated, ['t'], 'its beginning with other calls')
    for (const other of [{ status: 'success' }, { prompt: 'y' }]) {
      await refuses(
        () => store.changeSession('s', changeOf({ appendTurns: [{ ...running, ...other }] })),
        'TURN_ID_CONFLICT',
        `one that it has not grown from, with ${show(other)}`,
      )
    }
    const started = turnOf('still running', { status: 'running' })
    await store.changeSession('s', changeOf({ appendTurns: [started] }))
    const ended = changeOf({ appendTurns: [{ ...started, status: 'success', responseContent: 'z' }] })
    await refuses(() => store.changeSession('s', ended), 'TURN_ID_CONFLICT', 'the end of a turn that is still running')
  })

  it(
    'retry',
    'applies a duplicate id in one batch once if the content is the same, and refuses it otherwise',
    async ({ store }) => {
      await store.saveSession(sessionOf('s'))
      const batch = changeOf({
        appendTurns: [
          turnOf('a', { prompt: 'x', endedAt: T0 }),
          turnOf('b'),
          turnOf('a', { prompt: 'x', endedAt: T1 }),
        ],
        appendAgentTransitions: [transitionOf('h'), transitionOf('h', { timestamp: T2 })],
      })
      same(await store.changeSession('s', batch), { revision: 2, turnCount: 2, deduplicated: ['a'] }, 'the result')
      same(turnIdsOf(await loaded(store)), ['a', 'b'], 'the turns')
      same((await loaded(store)).agentTransitions, [transitionOf('h')], 'the transitions')
      const conflict = changeOf({ appendTurns: [turnOf('c'), turnOf('d'), turnOf('c', { prompt: 'x' })] })
      await refuses(() => store.changeSession('s', conflict), 'TURN_ID_CONFLICT', 'two turns of one id')
      const transitions = changeOf({
        appendTurns: [turnOf('c')],
        appendAgentTransitions: [transitionOf('i'), transitionOf('i', { toAgent: 'x' })],
      })
      await refuses(() => store.changeSession('s', transitions), 'TRANSITION_ID_CONFLICT', 'two transitions of one id')
      same(turnIdsOf(await loaded(store)), ['a', 'b'], 'the turns after conflicts')
    },
  )

  it(
    'retry',
    'applies the same rules to agent transitions by transitionId; those without an id never match',
    async ({ store }) => {
      await store.saveSession(sessionOf('s'))
      const transition = transitionOf('h', { fromAgent: 'a', reason: 'r', turnId: 't', timestamp: T0, extra: { x: 1 } })
      await store.changeSession(
        's',
        changeOf({ appendAgentTransitions: [transition, transitionOf(null), transitionOf(null)] }),
      )
      const retry = changeOf({ appendAgentTransitions: [{ ...transition, timestamp: T2 }] })
      same(await store.changeSession('s', retry), { revision: 2, turnCount: 0, deduplicated: [] }, 'a retry')
      for (const other of [
        { toAgent: 'x' },
        { fromAgent: null },
        { reason: null },
        { turnId: 'u' },
        { extra: { x: 2 } },
      ]) {
        const change = changeOf({ appendTurns: [turnOf('t')], appendAgentTransitions: [{ ...transition, ...other }] })
        await refuses(
          () => store.changeSession('s', change),
          'TRANSITION_ID_CONFLICT',
          `with ${JSON.stringify(other)}`,
          { sessionId: 's' },
        )
      }
      await store.changeSession('s', changeOf({ appendAgentTransitions: [transitionOf(null)] }))
      same(
        (await loaded(store)).agentTransitions.map(({ transitionId }) => transitionId),
        ['h', null, null, null],
        'the transitions',
      )
      same((await loaded(store)).turns, [], 'the turns')
    },
  )

  it(
    'noLostUpdate',
    'a conditional change fails on a different revision, reports the current one, and writes nothing',
    async ({ store }) => {
      const session = fullSession('s')
      await store.saveSession(session)
      const changes = [
        appendOf('new'),
        changeOf({}),
        changeOf({ keepTurns: 0 }),
        changeOf({ agentId: 'x' }),
        changeOf({ unsetMetadata: ['not there'] }),
        changeOf({ updateTurns: [{ turnId: 't1', set: { status: 'x' } }] }),
        changeOf({ appendAgentTransitions: [transitionOf('new')] }),
        // These would fail on their own too: the condition is checked first.
        changeOf({ updateTurns: [{ turnId: 'not there', set: { status: 'x' } }] }),
        appendOf('t1', { prompt: 'other' }),
      ]
      for (const change of changes) {
        for (const ifRevision of [2, 3, 2 ** 32 + 1, Number.MAX_SAFE_INTEGER]) {
          const expected = { sessionId: 's', actualRevision: 1 }
          await refuses(
            () => store.changeSession('s', change, { ifRevision }),
            'REVISION_CONFLICT',
            JSON.stringify(change),
            expected,
          )
        }
      }
      same(await store.loadSession('s'), session, 'the session after conflicts')
      same(
        (await store.changeSession('s', appendOf('new'), { ifRevision: 1 })).revision,
        2,
        'a change at the right revision',
      )
    },
  )

  it(
    'retry',
    'a conditional append whose response was lost succeeds when repeated, and applies nothing',
    async ({ store }) => {
      await store.saveSession(sessionOf('s'))
      const change = changeOf({ appendTurns: [turnOf('a'), turnOf('b')], appendAgentTransitions: [transitionOf('h')] })
      same((await store.changeSession('s', change, { ifRevision: 1 })).revision, 2, 'the append')
      await store.changeSession('s', appendOf('c'))
      const before = await store.loadSession('s')
      const repeated = await store.changeSession('s', { ...change, updatedAt: T2 }, { ifRevision: 1 })
      same(repeated, { revision: 3, turnCount: 3, deduplicated: ['a', 'b'] }, 'its repetition')
      same(await store.loadSession('s'), before, 'the session after it')
      const { agentTransitions } = await loaded(store)
      const others = [
        [changeOf({ appendTurns: [turnOf('a', { startedAt: T1, endedAt: T2 })] }), 1],
        [
          changeOf({
            appendTurns: [turnOf('a')],
            appendAgentTransitions: agentTransitions.map(each => ({ ...each, timestamp: T2 })),
          }),
          1,
        ],
        [changeOf({ appendTurns: [turnOf('a')], setMetadata: {}, unsetMetadata: [], updateTurns: [] }), 1],
        [appendOf('a'), 9],
      ] as const
      for (const [other, ifRevision] of others) {
        const { revision, deduplicated } = await store.changeSession('s', other, { ifRevision })
        same([revision, deduplicated], [3, ['a']], `a repetition with ifRevision ${ifRevision}, ${show(other)}`)
      }
      const scattered = changeOf({ appendTurns: [turnOf('c'), turnOf('a'), turnOf('c')] })
      const { deduplicated } = await store.changeSession('s', scattered, { ifRevision: 1 })
      same(deduplicated, ['c', 'a', 'c'], 'turns in another order, one of them twice')
      for (const a of [1, 2, 3]) await store.changeSession('s', changeOf({ setMetadata: { a } }))
      const later = await store.changeSession('s', change, { ifRevision: 1 })
      same(later, { revision: 6, turnCount: 3, deduplicated: ['a', 'b'] }, 'its repetition three changes later')
      await store.changeSession('s', changeOf({ keepTurns: 0 }))
      const late = () => store.changeSession('s', change, { ifRevision: 1 })
      await refuses(late, 'REVISION_CONFLICT', 'its repetition after a rewind', { actualRevision: 7 })
    },
  )

  it('retry', 'compares a repeated turn with its current stored content', async ({ store }) => {
    await store.saveSession(sessionOf('s'))
    const turn = turnOf('t', { prompt: 'x', toolCalls: [toolCallOf('c')] })
    const append = changeOf({ appendTurns: [turn] })
    await store.changeSession('s', append)
    const update = { turnId: 't', set: { responseContent: 'y' }, putToolCalls: [toolCallOf('c', { result: 1 })] }
    await store.changeSession('s', changeOf({ updateTurns: [update] }))
    const updated = { ...turn, responseContent: 'y', toolCalls: [toolCallOf('c', { result: 1 })] }
    const again = await store.changeSession('s', changeOf({ appendTurns: [updated] }))
    same(again, { revision: 3, turnCount: 1, deduplicated: ['t'] }, 'the turn as an update has left it')
    await refuses(() => store.changeSession('s', append), 'TURN_ID_CONFLICT', 'the turn as it was before the update')
    await store.saveSession(sessionOf('s', { turns: [{ ...turn, prompt: 'z' }] }))
    const old = changeOf({ appendTurns: [updated] })
    await refuses(() => store.changeSession('s', old), 'TURN_ID_CONFLICT', 'the turn as it was before a save')
    await store.saveSession(sessionOf('s'))
    const anew = await store.changeSession('s', append)
    same(anew, { revision: 6, turnCount: 1, deduplicated: [] }, 'the turn after a save removed it')
    await store.saveSession(sessionOf('s'))
    same((await store.changeSession('s', append)).deduplicated, [], 'the turn after a save removed it again')
    await store.changeSession('s', changeOf({ keepTurns: 0 }))
    same((await store.changeSession('s', append)).deduplicated, [], 'the turn after a rewind removed it')
    same((await loaded(store)).turns, [turn], 'the turns in the end')
    const alike = [
      ['é', 'e\u0301'],
      ['x', 'X'],
      ['x', 'x '],
      ['x', 'x\0'],
      ['1', '1.0'],
      ['\ud800', '\ud801'],
      [`${'x'.repeat(5000)}y`, `${'x'.repeat(5000)}z`],
    ] as const
    for (const [index, [prompt, other]] of alike.entries()) {
      await store.changeSession('s', appendOf(`a${index}`, { prompt }))
      const conflict = appendOf(`a${index}`, { prompt: other })
      await refuses(() => store.changeSession('s', conflict), 'TURN_ID_CONFLICT', `${show(other)} upon ${show(prompt)}`)
    }
  })

  it('retry', 'a conditional change that is not a retry fails on its revision', async ({ store }) => {
    await store.saveSession(
      sessionOf('s', {
        turns: turnsOf(2),
        agentTransitions: [transitionOf('h'), transitionOf(null)],
        metadata: { a: 1 },
      }),
    )
    await store.changeSession('s', changeOf({ agentId: 'x' }))
    const there = turnsOf(2)
    const conflicting = [
      { appendTurns: [...there, turnOf('new')] },
      { appendTurns: [turnOf('new'), ...there] },
      { appendTurns: [] },
      { appendTurns: [turnOf('t0', { prompt: 'other' })] },
      { appendTurns: there, keepTurns: 2 },
      { appendTurns: there, setMetadata: { a: 1 } },
      { appendTurns: there, unsetMetadata: ['not there'] },
      { appendTurns: there, agentId: 'x' },
      { appendTurns: there, updateTurns: [{ turnId: 't0', set: {} }] },
      { appendTurns: there, appendAgentTransitions: [transitionOf('new')] },
      { appendTurns: there, appendAgentTransitions: [transitionOf(null)] },
      { appendTurns: there, appendAgentTransitions: [transitionOf('h', { toAgent: 'other' })] },
      { appendAgentTransitions: [transitionOf('h')] },
      {},
    ]
    const before = await store.loadSession('s')
    for (const members of conflicting) {
      const call = () => store.changeSession('s', changeOf(members), { ifRevision: 1 })
      await refuses(call, 'REVISION_CONFLICT', JSON.stringify(members), { actualRevision: 2 })
    }
    same(await store.loadSession('s'), before, 'the session after conflicts')
  })
}

/** The same value with the keys of all objects reversed. */
function reversed<T>(value: T): T {
  return untyped(JSON.parse(JSON.stringify(value), (_key, member: unknown) => turnedRound(member)))
}

function turnedRound(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).toReversed())
}

async function loaded(store: SessionStore): Promise<NonNullable<Awaited<ReturnType<SessionStore['loadSession']>>>> {
  return present(await store.loadSession('s'), 'the session')
}
