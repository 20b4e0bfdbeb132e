import { describe, expect, it } from 'vitest'
import {
  createTurn,
  type JsonObject,
  NO_RESULT,
  SessionManager,
  type SessionManagerOptions,
  type SessionSummary,
  TurnstoreError,
} from '../../src/index.ts'
import { MapStore } from '../map-store.ts'

/** A manager whose clock advances by one second per call. */
function manage(
  options: SessionManagerOptions = {},
  store = new MapStore(),
): { manager: SessionManager; store: MapStore } {
  let seconds = 0
  let ids = 0
  const now = (): string => new Date(Date.UTC(2026, 0, 1, 0, 0, seconds++)).toISOString()
  return { manager: new SessionManager(store, { now, newId: () => `id-${++ids}`, ...options }), store }
}

async function idsOf(sessions: AsyncIterable<SessionSummary>): Promise<string[]> {
  const ids: string[] = []
  for await (const { sessionId } of sessions) ids.push(sessionId)
  return ids
}

const failsWith = (code: string, more: object = {}): object => ({ code, ...more })

describe('startSession', () => {
  it('creates a session with a random id, and stores it', async () => {
    const manager = new SessionManager(new MapStore())
    const session = await manager.startSession({ agentId: 'support', metadata: { lang: 'en' } })
    expect(session).toMatchObject({
      workspaceId: null,
      agentId: 'support',
      metadata: { lang: 'en' },
      turns: [],
      revision: 1,
    })
    expect(session.sessionId).toMatch(/^[0-9a-f]{32}$/)
    expect(await manager.getSession(session.sessionId)).toEqual(session)
  })

  it('fails if the id is in use, and overwrites nothing, unlike the reference', async () => {
    const { manager } = manage()
    await manager.startSession({ sessionId: 's' })
    await manager.recordTurn('s', { prompt: 'Hello' })
    await expect(manager.startSession({ sessionId: 's' })).rejects.toMatchObject(failsWith('SESSION_EXISTS'))
    expect(await manager.getTurns('s')).toHaveLength(1)
  })

  it('resume returns the stored session and clears ended, or starts a session if there is none', async () => {
    const { manager } = manage()
    expect(await manager.startSession({ sessionId: 's', ifExists: 'resume' })).toMatchObject({ revision: 1 })
    await manager.recordTurn('s', { prompt: 'Hello' })
    await manager.endSession('s')
    const resumed = await manager.startSession({ sessionId: 's', agentId: 'other', ifExists: 'resume' })
    expect(resumed).toMatchObject({ turns: [{ prompt: 'Hello' }], agentId: 'other', metadata: {} })
    expect(await manager.getSession('s')).toEqual(resumed)
  })

  it('resume returns a session that another caller created in the meantime', async () => {
    const { manager, store } = manage()
    store.beforeSave = async () => {
      store.beforeSave = async () => {}
      await manager.startSession({ sessionId: 's', agentId: 'first', metadata: { a: 1 } })
    }
    const metadata = { b: 1 }
    expect(await manager.startSession({ sessionId: 's', metadata, ifExists: 'resume' })).toMatchObject({
      agentId: 'first',
      metadata: { a: 1, b: 1 },
    })
  })

  it('replace starts again; no mode reaches a session of another workspace', async () => {
    const { manager } = manage()
    await manager.startSession({ sessionId: 's', workspaceId: 'acme' })
    await manager.recordTurn('s', { prompt: 'Hello' })
    for (const ifExists of ['fail', 'resume', 'replace'] as const) {
      const starting = manager.startSession({ sessionId: 's', workspaceId: 'globex', ifExists })
      await expect(starting).rejects.toMatchObject(failsWith('SESSION_EXISTS'))
    }
    expect(await manager.startSession({ sessionId: 's', workspaceId: 'acme', ifExists: 'replace' })).toMatchObject({
      turns: [],
      revision: 3,
    })
  })

  it('resume without a workspace finds a session in any workspace', async () => {
    const { manager } = manage()
    await manager.startSession({ sessionId: 's', workspaceId: 'acme' })
    expect(await manager.startSession({ sessionId: 's', ifExists: 'resume' })).toMatchObject({ workspaceId: 'acme' })
  })

  it.each<object>([{ workspaceId: undefined }, { workspace: 'acme' }, { ifExists: 'destroy' }])(
    'refuses %j',
    async options => {
      const { manager } = manage()
      await expect(manager.startSession(options)).rejects.toMatchObject(failsWith('INVALID_ARGUMENT'))
    },
  )
})

describe('recording', () => {
  it('a prompt is enough for a turn; ids, times and defaults are filled in', async () => {
    const { manager } = manage()
    await manager.startSession({ sessionId: 's' })
    const { turn, revision, deduplicated } = await manager.recordTurn('s', {
      prompt: 'Hello',
      toolCalls: [{ toolName: 'f' }],
    })
    expect([revision, deduplicated]).toEqual([2, []])
    expect(turn).toMatchObject({ turnId: 'id-1', status: 'success', toolCalls: [{ callId: 'id-1:0' }] })
    expect(turn.startedAt).not.toBe('')
    expect(turn.endedAt).not.toBe(null)
    expect(await manager.getTurns('s')).toEqual([turn])
  })

  it('a turn is not recorded twice, and a different turn with its id is refused', async () => {
    const { manager } = manage()
    await manager.startSession({ sessionId: 's' })
    await manager.recordTurn('s', { turnId: 't', prompt: 'Hello' })
    expect(await manager.recordTurn('s', { turnId: 't', prompt: 'Hello' })).toMatchObject({
      revision: 2,
      deduplicated: ['t'],
    })
    await expect(manager.recordTurn('s', { turnId: 't', prompt: 'Bye' })).rejects.toMatchObject(
      failsWith('TURN_ID_CONFLICT'),
    )
    expect(await manager.getTurns('s')).toHaveLength(1)
  })

  it('a running turn that has grown is not recorded again, and the result is the turn that was passed in', async () => {
    const { manager } = manage()
    await manager.startSession({ sessionId: 's' })
    const turn = { turnId: 't', prompt: 'Tea?', status: 'running' }
    await manager.recordTurn('s', turn)
    await manager.recordToolCall('s', 't', {
      callId: 'a',
      toolName: 'find',
      arguments: { of: 'tea' },
      status: 'running',
    })
    expect(await manager.recordTurn('s', turn)).toMatchObject({ deduplicated: ['t'], turn: { toolCalls: [] } })
    expect(await manager.getTurns('s', { turnId: 't' })).toMatchObject([{ toolCalls: [{ arguments: { of: 'tea' } }] }])
    await manager.recordToolCall('s', 't', { callId: 'a', toolName: 'find', result: 3 })
    expect(await manager.getTurns('s')).toMatchObject([{ toolCalls: [{ arguments: {}, result: 3 }] }])
  })

  it('a running turn grows, call by call, and ends', async () => {
    const { manager } = manage()
    await manager.startSession({ sessionId: 's' })
    await manager.recordTurn('s', { turnId: 't', prompt: 'Tea?', status: 'running' })
    await manager.recordToolCall('s', 't', { callId: 'a', toolName: 'find', status: 'running' })
    await manager.recordToolCall('s', 't', { callId: 'a', toolName: 'find', result: 3 })
    const { toolCall } = await manager.recordToolCall('s', 't', { toolName: 'brew' })
    expect(toolCall.callId).toBe('id-1')
    expect(await manager.getTurns('s')).toMatchObject([
      { endedAt: null, toolCalls: [{ callId: 'a', result: 3, status: 'success' }, { callId: 'id-1' }] },
    ])
    await manager.updateTurn('s', 't', { status: 'success', responseContent: 'Here' })
    const [turn] = await manager.getTurns('s')
    expect(turn).toMatchObject({ status: 'success', responseContent: 'Here' })
    expect(turn?.endedAt).not.toBe(null)
  })

  it('updateTurn keeps an endedAt from the caller, and does not end a running turn', async () => {
    const { manager } = manage()
    await manager.startSession({ sessionId: 's' })
    await manager.recordTurn('s', { turnId: 't', status: 'running' })
    await manager.updateTurn('s', 't', { prompt: 'x' })
    expect(await manager.getTurns('s')).toMatchObject([{ endedAt: null }])
    await manager.updateTurn('s', 't', { status: 'cancelled', endedAt: null })
    expect(await manager.getTurns('s')).toMatchObject([{ endedAt: null, status: 'cancelled' }])
  })

  it('keeps everything that is recorded concurrently', async () => {
    const { manager, store } = manage()
    await manager.startSession({ sessionId: 's' })
    await manager.recordTurn('s', { turnId: 't', status: 'running' })
    const others = Array.from({ length: 5 }, (_, index) => new SessionManager(store, { newId: () => `other-${index}` }))
    await Promise.all(
      others.flatMap((other, index) => [
        other.recordTurn('s', { prompt: `${index}` }),
        other.recordToolCall('s', 't', { toolName: 'f' }),
      ]),
    )
    const turns = await manager.getTurns('s')
    expect(turns).toHaveLength(6)
    expect(turns[0]?.toolCalls).toHaveLength(5)
    expect(await store.loadSummary('s')).toMatchObject({ revision: 12 })
  })

  it('agent transitions are recorded with an id and do not change the agentId of the session', async () => {
    const { manager } = manage()
    await manager.startSession({ sessionId: 's', agentId: 'front' })
    const { transition, revision } = await manager.recordAgentTransition('s', {
      fromAgent: 'front',
      toAgent: 'back',
      reason: 'busy',
    })
    expect([transition.transitionId, revision]).toEqual(['id-1', 2])
    expect(await manager.getSession('s')).toMatchObject({
      agentId: 'front',
      agentTransitions: [{ toAgent: 'back', timestamp: transition.timestamp }],
    })
  })

  it('endSession sets metadata.ended and keeps the rest', async () => {
    const { manager } = manage()
    await manager.startSession({ sessionId: 's', metadata: { lang: 'en' } })
    await manager.endSession('s')
    expect(await manager.getSession('s')).toMatchObject({ metadata: { lang: 'en', ended: true } })
  })

  it('every mutation sets updatedAt, unless the clock went back', async () => {
    const times = ['2026-01-01T00:00:00Z', '2026-01-03T00:00:00Z', '2026-01-02T00:00:00Z']
    const { manager } = manage({ now: () => times.shift() ?? '' })
    await manager.startSession({ sessionId: 's' })
    await manager.endSession('s')
    await manager.recordAgentTransition('s', { toAgent: 'x', timestamp: '' })
    expect(await manager.getSession('s')).toMatchObject({
      createdAt: '2026-01-01T00:00:00Z',
      updatedAt: '2026-01-03T00:00:00Z',
    })
  })

  it('without a session, the error message is the same as in the reference', async () => {
    const { manager } = manage()
    const mutations = [
      manager.recordTurn('nope'),
      manager.updateTurn('nope', 't', {}),
      manager.recordToolCall('nope', 't', { toolName: 'f' }),
      manager.recordAgentTransition('nope', { toAgent: 'x' }),
      manager.endSession('nope'),
      manager.rewindSession('nope', 0),
      manager.forkSession('nope'),
      manager.getTurns('nope'),
      manager.getMessages('nope'),
    ]
    for (const mutation of mutations) {
      await expect(mutation).rejects.toMatchObject(
        failsWith('SESSION_NOT_FOUND', { message: 'Session not found: nope' }),
      )
    }
    expect(await manager.getSession('nope')).toBe(null)
    expect(await manager.deleteSession('nope')).toBe(false)
  })
})

describe('the limits of the store', () => {
  const depth = (levels: number): JsonObject => (levels === 1 ? {} : { a: depth(levels - 1) })
  const large = 'x'.repeat(17 * 1024 * 1024)

  it('apply to what the manager records if they are higher than the default', async () => {
    const MiB = 1024 * 1024
    const store = new MapStore({ limits: { partBytes: 64 * MiB, metadataBytes: 4 * MiB, jsonDepth: 500 } })
    const { manager } = manage({}, store)
    const metadata = { deep: depth(499), large: 'x'.repeat(2 * 1024 * 1024) }
    await manager.startSession({ sessionId: 's', metadata })
    await manager.recordTurn('s', { turnId: 't', prompt: large, metadata: depth(500) })
    await manager.recordToolCall('s', 't', { callId: 'c', toolName: 'f', arguments: depth(500), result: large })
    await manager.updateTurn('s', 't', { metadata: depth(400) })
    await manager.recordAgentTransition('s', { toAgent: 'x', reason: large, turnId: 't' })
    const fork = await manager.forkSession('s', { sessionId: 'f', metadata: { more: depth(499) } })
    expect(fork.turns).toEqual(await manager.getTurns('s'))
    expect(await manager.getSession('f')).toEqual(fork)
  })

  it('apply if they are the default, and if they are lower', async () => {
    const { manager } = manage()
    await manager.startSession({ sessionId: 's' })
    const { manager: narrow, store } = manage({}, new MapStore({ limits: { turnBytes: 1000, jsonDepth: 5 } }))
    await narrow.startSession({ sessionId: 's' })
    for (const attempt of [
      () => manager.recordTurn('s', { prompt: large }),
      () => manager.recordTurn('s', { metadata: depth(129) }),
      () => manager.startSession({ metadata: depth(129) }),
      () => narrow.recordTurn('s', { prompt: 'x'.repeat(1000) }),
      () => narrow.recordTurn('s', { metadata: depth(6) }),
      () => narrow.startSession({ metadata: depth(6) }),
      () => narrow.forkSession('s', { metadata: depth(6) }),
      () => manager.recordTurn('s', { metadata: depth(1001) }),
    ]) {
      await expect(attempt()).rejects.toMatchObject(failsWith('INVALID_RECORD'))
    }
    expect(await store.listSessions()).toEqual(['s'])
    expect(await manager.getTurns('s')).toEqual([])
  })
})

describe('an object that looks empty', () => {
  class Said {
    readonly prompt = 'x'
    get responseContent(): string {
      return 'y'
    }
  }

  it.each<[string, object, RegExp]>([
    ['a promise that was not awaited', Promise.resolve({ prompt: 'x' }), /await it/],
    ['a map', new Map([['prompt', 'x']]), /without own members/],
    ['a list', [], /must be an object/],
    ['an object that inherits its prompt', Object.create({ prompt: 'x' }), /inherits prompt/],
    ['an object whose response is a getter of its class', new Said(), /inherits responseContent/],
  ])('%s is refused', async (_name, source, message) => {
    const { manager, store } = manage()
    await manager.startSession({ sessionId: 's' })
    await manager.recordTurn('s', { turnId: 't', status: 'running' })
    const before = await store.loadSession('s')
    await expect(manager.recordTurn('s', source)).rejects.toMatchObject({
      code: 'INVALID_RECORD',
      outcome: 'not-stored',
    })
    await expect(manager.recordTurn('s', source)).rejects.toThrow(message)
    await expect(manager.updateTurn('s', 't', source)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    await expect(manager.startSession(source)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    await expect(manager.querySessions(source)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    expect(() => createTurn(source)).toThrow(message)
    expect(await store.loadSession('s')).toEqual(before)
    expect(await store.listSessions()).toEqual(['s'])
  })
})

describe('a clock that returns no valid time', () => {
  it.each([
    ['milliseconds', () => Date.now()],
    ['an invalid Date', () => new Date(Number.NaN)],
    ['another text', () => 'yesterday'],
  ])('is refused: %s', async (_name, now) => {
    const options: object = { now }
    const { store, manager } = manage(options)
    await manage({}, store).manager.startSession({ sessionId: 's', metadata: { ended: true } })
    const message = 'options.now must return a Date or an ISO 8601 time'
    const expected = failsWith('INVALID_ARGUMENT', { outcome: 'not-stored', message })
    const calls = [
      () => manager.startSession(),
      () => manager.startSession({ sessionId: 's', ifExists: 'resume' }),
      () => manager.recordTurn('s', { prompt: 'x' }),
      () => manager.endSession('s'),
      () => manager.forkSession('s'),
    ]
    for (const call of calls) await expect(call()).rejects.toMatchObject(expected)
    expect(store.ids).toEqual(['s'])
  })
})

describe('a rejected call', () => {
  // TypeScript would refuse these.
  const date: object = { metadata: { a: new Date() } }
  const withToolCalls: object = { toolCalls: [] }
  const wrongOptions: object = { ifRevison: 1 }
  const noNumber: unknown = '1'

  async function ready(): Promise<SessionManager> {
    const { manager } = manage()
    await manager.startSession({ sessionId: 's' })
    await manager.recordTurn('s', { turnId: 't', prompt: 'x' })
    return manager
  }

  it.each<[string, (manager: SessionManager) => Promise<unknown>]>([
    ['recordTurn', manager => manager.recordTurn('s', date)],
    ['recordTurn with an empty id', manager => manager.recordTurn('', {})],
    ['updateTurn', manager => manager.updateTurn('s', 't', withToolCalls)],
    ['recordToolCall', manager => manager.recordToolCall('s', 't', { toolName: 'f', ...date })],
    ['recordAgentTransition', manager => manager.recordAgentTransition('s', { toAgent: 'x', ...withToolCalls })],
    ['startSession with an empty id', manager => manager.startSession({ sessionId: '' })],
    ['startSession with wrong options', manager => manager.startSession(wrongOptions)],
    ['startSession with an empty agent id', manager => manager.startSession({ agentId: '' })],
    ['startSession with wrong metadata', manager => manager.startSession(date)],
    ['startSession with an empty id to resume', manager => manager.startSession({ sessionId: '', ifExists: 'resume' })],
    ['endSession', manager => manager.endSession('')],
    ['forkSession with a negative number of turns', manager => manager.forkSession('s', { turns: -1 })],
    ['forkSession with wrong options', manager => manager.forkSession('s', wrongOptions)],
    ['forkSession with wrong metadata', manager => manager.forkSession('s', date)],
    ['forkSession of an empty id', manager => manager.forkSession('')],
    ['forkSession to an empty id', manager => manager.forkSession('s', { sessionId: '' })],
    ['rewindSession', manager => manager.rewindSession('s', -1)],
    ['rewindSession with wrong options', manager => manager.rewindSession('s', 1, wrongOptions)],
    ['deleteSession', manager => manager.deleteSession('')],
    ['pruneSessions', manager => manager.pruneSessions({})],
    ['pruneSessions with a wrong time', manager => manager.pruneSessions({ updatedBefore: 'yesterday' })],
  ])('%s says that nothing was stored', async (_name, write) => {
    const manager = await ready()
    await expect(write(manager)).rejects.toMatchObject({ name: 'TurnstoreError', outcome: 'not-stored' })
    expect(await manager.listSessions()).toEqual(['s'])
    expect(await manager.getSession('s')).toMatchObject({ revision: 2 })
  })

  it('forkSession has outcome not-stored if the session cannot be loaded', async () => {
    const { manager, store } = manage()
    store.loadSession = async () => Promise.reject(new TurnstoreError('CORRUPT_SESSION', 'damaged', { sessionId: 's' }))
    await expect(manager.forkSession('s')).rejects.toMatchObject(
      failsWith('CORRUPT_SESSION', { message: 'damaged', sessionId: 's', outcome: 'not-stored' }),
    )
  })

  it('has no outcome if the store sets none', async () => {
    const { manager, store } = manage()
    const broken = new TurnstoreError('STORE_UNAVAILABLE', 'broken')
    store.saveSession = async () => Promise.reject(broken)
    store.changeSession = async () => Promise.reject(broken)
    for (const write of [() => manager.startSession(), () => manager.endSession('s')]) {
      await expect(write()).rejects.not.toHaveProperty('outcome')
    }
  })

  it.each<[string, (manager: SessionManager) => Promise<unknown>]>([
    ['getSession', manager => manager.getSession('')],
    ['getTurns', manager => manager.getTurns('s', { last: -1 })],
    ['getMessages', manager => manager.getMessages('s', { last: -1 })],
    ['listSessions', manager => manager.listSessions({ workspaceId: '' })],
    ['querySessions', manager => manager.querySessions({ limit: 0 })],
  ])('%s reads, so it has no outcome', async (_name, read) => {
    await expect(read(await ready())).rejects.not.toHaveProperty('outcome')
  })

  it('names the argument as the caller knows it', async () => {
    const manager = await ready()
    const wrongLast: object = { last: '1' }
    await expect(manager.forkSession('s', { turns: -1 })).rejects.toThrow(/^options\.turns must be a whole number/)
    for (const turns of [-1, noNumber]) {
      // @ts-expect-error TypeScript would refuse it.
      await expect(manager.rewindSession('s', turns)).rejects.toThrow(/^turns must be a whole number/)
    }
    for (const last of [{ last: -1 }, wrongLast]) {
      await expect(manager.getMessages('s', last)).rejects.toThrow(/^options\.last must be a whole number/)
    }
    const noWorkspace: object = { workspaceId: undefined }
    await expect(manager.querySessions(noWorkspace)).rejects.toThrow(/^query\.workspaceId is undefined/)
    await expect(manager.pruneSessions({ updatedBefore: 'yesterday' })).rejects.toThrow(
      /^options\.updatedBefore must be/,
    )
  })
})

describe('getMessages', () => {
  it('returns the whole conversation, or its last turns', async () => {
    const { manager } = manage()
    await manager.startSession({ sessionId: 's' })
    await manager.recordTurn('s', { prompt: '1', responseContent: 'one' })
    await manager.recordTurn('s', {
      prompt: '2',
      toolCalls: [{ callId: 'a', toolName: 'f', result: { n: 2 } }],
      responseContent: 'two',
    })
    expect(await manager.getMessages('s', { last: 1 })).toEqual([
      { role: 'user', content: '2' },
      {
        role: 'assistant',
        content: null,
        tool_calls: [{ id: 'a', type: 'function', function: { name: 'f', arguments: '{}' } }],
      },
      { role: 'tool', tool_call_id: 'a', content: '{"n":2}' },
      { role: 'assistant', content: 'two' },
    ])
    expect(await manager.getMessages('s')).toHaveLength(6)
    expect(await manager.getMessages('s', { last: 0 })).toEqual([])
  })

  it('an interrupted turn contains the call whose result is unknown', async () => {
    const { manager } = manage()
    await manager.startSession({ sessionId: 's' })
    await manager.recordTurn('s', { turnId: 't', prompt: 'Pay', status: 'running' })
    await manager.recordToolCall('s', 't', { callId: 'a', toolName: 'pay', status: 'running' })
    expect((await manager.getMessages('s')).at(-1)).toEqual({ role: 'tool', tool_call_id: 'a', content: NO_RESULT })
  })
})

describe('forks and rewinds', () => {
  async function threeTurns(): Promise<SessionManager> {
    const { manager } = manage()
    await manager.startSession({ sessionId: 's', workspaceId: 'acme', metadata: { lang: 'en' } })
    for (const turnId of ['a', 'b', 'c']) await manager.recordTurn('s', { turnId, prompt: turnId })
    await manager.recordAgentTransition('s', { toAgent: 'x', turnId: 'a' })
    await manager.recordAgentTransition('s', { toAgent: 'y', turnId: 'c' })
    await manager.endSession('s')
    return manager
  }

  it('a fork equals a copy rewound to n turns, is not ended, and has parentSessionId', async () => {
    const manager = await threeTurns()
    const fork = await manager.forkSession('s', { turns: 2, sessionId: 'f', metadata: { try: 2 } })
    expect(fork).toMatchObject({
      sessionId: 'f',
      parentSessionId: 's',
      workspaceId: 'acme',
      metadata: { lang: 'en', try: 2 },
      revision: 1,
    })
    expect(fork.metadata).not.toHaveProperty('ended')
    expect(fork.turns.map(({ turnId }) => turnId)).toEqual(['a', 'b'])
    expect(fork.agentTransitions.map(({ toAgent }) => toAgent)).toEqual(['x'])
    expect(await manager.getSession('f')).toEqual(fork)
    expect(await manager.getTurns('s')).toHaveLength(3)
  })

  it('a fork has the metadata as passed, even if the caller modifies it afterwards', async () => {
    const manager = await threeTurns()
    const metadata = { try: [2] }
    const forking = manager.forkSession('s', { sessionId: 'f', metadata })
    metadata.try.push(3)
    expect((await forking).metadata).toEqual({ lang: 'en', try: [2] })
    const text: object = { metadata: 'text' }
    await expect(manager.forkSession('s', text)).rejects.toThrow(/^options\.metadata must be an object/)
  })

  it('a fork copies all turns by default, and refuses an id in use', async () => {
    const manager = await threeTurns()
    expect((await manager.forkSession('s')).turns).toHaveLength(3)
    await expect(manager.forkSession('s', { sessionId: 's' })).rejects.toMatchObject(failsWith('SESSION_EXISTS'))
  })

  it('a rewind drops turns with their agent transitions, and frees their ids', async () => {
    const manager = await threeTurns()
    expect(await manager.rewindSession('s', 2)).toMatchObject({ turnCount: 2 })
    expect(await manager.getSession('s')).toMatchObject({ agentTransitions: [{ toAgent: 'x' }] })
    expect(await manager.recordTurn('s', { turnId: 'c', prompt: 'another' })).toMatchObject({ deduplicated: [] })
  })

  it('a conditional rewind fails if another writer was first', async () => {
    const manager = await threeTurns()
    await expect(manager.rewindSession('s', 1, { ifRevision: 2 })).rejects.toMatchObject(
      failsWith('REVISION_CONFLICT', { actualRevision: 7 }),
    )
    expect(await manager.getTurns('s')).toHaveLength(3)
  })
})

describe('a manager that is bound to a workspace', () => {
  it('sees no session of another workspace, with any method', async () => {
    const { manager, store } = manage()
    await manager.startSession({ sessionId: 's', workspaceId: 'globex' })
    await manager.recordTurn('s', { turnId: 't', prompt: 'SECRET' })
    const { manager: acme } = manage({ workspaceId: 'acme' }, store)
    expect(await acme.getSession('s')).toBe(null)
    expect(await acme.deleteSession('s')).toBe(false)
    expect(await acme.listSessions()).toEqual([])
    expect((await acme.querySessions()).sessions).toEqual([])
    for await (const session of acme.sessions()) expect.unreachable(session.sessionId)
    expect(await acme.pruneSessions({ ended: false })).toEqual([])
    for (const attempt of [
      acme.recordTurn('s'),
      acme.updateTurn('s', 't', {}),
      acme.recordToolCall('s', 't', { toolName: 'f' }),
      acme.endSession('s'),
      acme.forkSession('s'),
      acme.rewindSession('s', 0),
      acme.getMessages('s'),
    ]) {
      await expect(attempt).rejects.toMatchObject(failsWith('SESSION_NOT_FOUND'))
    }
    expect(await manager.getSession('s')).toMatchObject({ revision: 2 })
  })

  it('starts sessions in its workspace, and refuses another workspace', async () => {
    const { manager } = manage({ workspaceId: 'acme' })
    expect(await manager.startSession()).toMatchObject({ workspaceId: 'acme' })
    await expect(manager.startSession({ workspaceId: 'globex' })).rejects.toMatchObject(failsWith('INVALID_ARGUMENT'))
    await expect(manager.listSessions({ workspaceId: 'globex' })).rejects.toMatchObject(failsWith('INVALID_ARGUMENT'))
    await expect(idsOf(manager.sessions({ workspaceId: 'globex' }))).rejects.toMatchObject(
      failsWith('INVALID_ARGUMENT'),
    )
    await expect(manager.querySessions({ workspaceId: null })).rejects.toMatchObject(failsWith('INVALID_ARGUMENT'))
    await expect(manager.pruneSessions({ ended: true, workspaceId: 'globex' })).rejects.toMatchObject(
      failsWith('INVALID_ARGUMENT'),
    )
  })

  it('bound to null, it sees only sessions without a workspace', async () => {
    const { manager, store } = manage()
    await manager.startSession({ sessionId: 'a', workspaceId: 'acme' })
    await manager.startSession({ sessionId: 'b' })
    const { manager: none } = manage({ workspaceId: null }, store)
    expect(await none.listSessions()).toEqual(['b'])
    expect(await none.getSession('a')).toBe(null)
  })

  it('refuses an undefined workspace instead of seeing all sessions', () => {
    const options: object = { workspaceId: undefined }
    expect(() => new SessionManager(new MapStore(), options)).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
    )
  })
})

describe('sessions', () => {
  it('returns all pages of what the manager sees, in order and filtered', async () => {
    const { manager, store } = manage()
    for (const sessionId of ['a', 'b', 'c']) await manager.startSession({ sessionId, workspaceId: 'acme' })
    await manager.startSession({ sessionId: 'd', workspaceId: 'globex' })
    await manager.endSession('b')
    const { manager: acme } = manage({ workspaceId: 'acme' }, store)
    expect(await idsOf(acme.sessions({ limit: 1, order: 'asc' }))).toEqual(['a', 'c', 'b'])
    expect(await idsOf(acme.sessions({ ended: true }))).toEqual(['b'])
    expect(await idsOf(manager.sessions())).toHaveLength(4)
    expect(await idsOf(manager.sessions({ workspaceId: 'globex' }))).toEqual(['d'])
  })

  it('copies the query when called, and reports its errors when the iteration starts', async () => {
    const { manager } = manage()
    await manager.startSession({ sessionId: 'a', metadata: { n: 1 } })
    const query = { metadata: { n: 1 } }
    const listing = manager.sessions(query)
    query.metadata.n = 2
    expect(await idsOf(listing)).toEqual(['a'])
    const wrong = manager.sessions({ limit: 0 })
    await expect(idsOf(wrong)).rejects.toMatchObject(failsWith('INVALID_ARGUMENT'))
  })
})

describe('pruneSessions', () => {
  it('deletes sessions that are old, ended, or both, and returns their ids', async () => {
    const { manager, store } = manage()
    for (const [sessionId, updatedAt, ended] of [
      ['old', '2020', true],
      ['older', '2019', false],
      ['new', '2030', true],
      ['timeless', '', true],
    ] as const) {
      const time = updatedAt === '' ? '' : `${updatedAt}-01-01T00:00:00Z`
      await store.saveSession({ sessionId, createdAt: time, updatedAt: time, metadata: { ended } })
    }
    const updatedBefore = '2025-01-01T00:00:00Z'
    expect(await manager.pruneSessions({ updatedBefore, ended: true })).toEqual(['old'])
    expect(await manager.pruneSessions({ updatedBefore })).toEqual(['older'])
    expect((await manager.pruneSessions({ ended: true })).toSorted()).toEqual(['new', 'timeless'])
  })

  it('keeps a session that was changed in the meantime', async () => {
    const { manager, store } = manage()
    await manager.startSession({ sessionId: 's' })
    await manager.endSession('s')
    const loadSummary = store.loadSummary.bind(store)
    store.loadSummary = async (...args) => {
      await manager.startSession({ sessionId: 's', ifExists: 'resume' })
      return loadSummary(...args)
    }
    expect(await manager.pruneSessions({ ended: true })).toEqual([])
  })

  it('keeps what was recorded between its look and its delete', async () => {
    const { manager, store } = manage()
    await manager.startSession({ sessionId: 's' })
    await manager.endSession('s')
    const deleteSession = store.deleteSession.bind(store)
    store.deleteSession = async (...args) => {
      await manager.recordTurn('s', { turnId: 'new' })
      return deleteSession(...args)
    }
    expect(await manager.pruneSessions({ ended: true })).toEqual([])
    expect((await manager.getTurns('s')).map(({ turnId }) => turnId)).toEqual(['new'])
  })

  it('deletes what changes meanwhile and still matches', async () => {
    const { manager, store } = manage()
    await manager.startSession({ sessionId: 's', metadata: { userId: 'u' } })
    const deleteSession = store.deleteSession.bind(store)
    let changes = 3
    store.deleteSession = async (...args) => {
      if (changes-- > 0) await manager.recordTurn('s')
      return deleteSession(...args)
    }
    expect(await manager.deleteSessions({ metadata: { userId: 'u' } })).toEqual(['s'])
    expect(store.ids).toEqual([])
  })

  it('deleteSessions takes any query but an empty one, and stays in the workspace', async () => {
    const { store } = manage()
    for (const [sessionId, workspaceId, userId] of [
      ['a', 'acme', 'u'],
      ['b', 'acme', 'v'],
      ['c', 'globex', 'u'],
    ] as const) {
      await store.saveSession({ sessionId, workspaceId, metadata: { userId } })
    }
    const acme = new SessionManager(store, { workspaceId: 'acme' })
    const deleted: string[] = []
    for (const query of [{}, { signal: new AbortController().signal }]) {
      await expect(acme.deleteSessions(query)).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
        outcome: 'not-stored',
      })
    }
    await expect(acme.deleteSessions({ workspaceId: 'globex' })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    const options = { onDeleted: (id: string) => deleted.push(id) }
    expect(await acme.deleteSessions({ metadata: { userId: 'u' } }, options)).toEqual(['a'])
    expect(deleted).toEqual(['a'])
    expect(store.ids).toEqual(['b', 'c'])
    expect(await new SessionManager(store).deleteSessions({ workspaceId: 'globex' })).toEqual(['c'])
  })

  describe('with a damaged session', () => {
    async function ended(...ids: string[]): Promise<{ manager: SessionManager; store: MapStore }> {
      const managed = manage()
      for (const sessionId of ids) await managed.manager.startSession({ sessionId, metadata: { ended: true } })
      return managed
    }

    it('deletes the others, reports each at once, and throws the damage at the end', async () => {
      const { manager, store } = await ended('a', 'b', 'c')
      store.damaged.add('b')
      const reported: [string, boolean][] = []
      const pruning = manager.pruneSessions({
        ended: true,
        onDeleted: sessionId => reported.push([sessionId, store.ids.includes(sessionId)]),
      })
      await expect(pruning).rejects.toMatchObject(
        failsWith('CORRUPT_SESSION', { sessionId: 'b', outcome: 'not-stored' }),
      )
      expect(reported).toEqual([
        ['a', false],
        ['c', false],
      ])
      expect(store.ids).toEqual(['b'])
    })

    it.each(['loadSummary', 'deleteSession'] as const)('continues if only %s detects the damage', async method => {
      const { manager, store } = await ended('a', 'b', 'c', 'd')
      const work = store[method].bind(store)
      const failures = new Map([
        ['b', new TurnstoreError('SCHEMA_TOO_NEW', 'too new', { sessionId: 'b' })],
        ['c', new TurnstoreError('CORRUPT_SESSION', 'damaged', { sessionId: 'c' })],
      ])
      Object.assign(store, {
        [method]: async (sessionId: string) => {
          const failure = failures.get(sessionId)
          if (failure !== undefined) throw failure
          return work(sessionId)
        },
      })
      await expect(manager.pruneSessions({ ended: true })).rejects.toMatchObject(
        failsWith('SCHEMA_TOO_NEW', { sessionId: 'b' }),
      )
      expect(store.ids).toEqual(['b', 'c'])
    })

    it('another failure stops it at once; earlier deletions were reported', async () => {
      const { manager, store } = await ended('a', 'b', 'c')
      const deleteSession = store.deleteSession.bind(store)
      store.deleteSession = async sessionId => {
        if (sessionId === 'b') throw new TurnstoreError('STORE_UNAVAILABLE', 'broken', { outcome: 'unknown' })
        return deleteSession(sessionId)
      }
      const reported: string[] = []
      const pruning = manager.pruneSessions({ ended: true, onDeleted: sessionId => reported.push(sessionId) })
      await expect(pruning).rejects.toMatchObject(failsWith('STORE_UNAVAILABLE', { outcome: 'unknown' }))
      expect([reported, store.ids]).toEqual([['a'], ['b', 'c']])
    })
  })

  it('refuses an onDeleted that is not a function before it deletes anything', async () => {
    const { manager, store } = manage()
    await manager.startSession({ sessionId: 's', metadata: { ended: true } })
    const wrong: object = { ended: true, onDeleted: 'print' }
    await expect(manager.pruneSessions(wrong)).rejects.toMatchObject(failsWith('INVALID_ARGUMENT'))
    expect(store.ids).toEqual(['s'])
  })

  it('refuses to run without a condition, which would delete everything', async () => {
    const { manager } = manage()
    await expect(manager.pruneSessions({})).rejects.toMatchObject(failsWith('INVALID_ARGUMENT'))
  })
})

describe('an ended session', () => {
  it('is open again when a turn is recorded, and is not pruned while it is in use', async () => {
    const { manager } = manage()
    await manager.startSession({ sessionId: 's' })
    await manager.recordTurn('s', { turnId: 't' })
    await manager.endSession('s')
    await manager.recordTurn('s', { turnId: 't' })
    expect((await manager.getSummary('s'))?.metadata).toEqual({ ended: true })
    await manager.recordTurn('s', { turnId: 'u' })
    expect((await manager.getSummary('s'))?.metadata).toEqual({})
    expect(await manager.pruneSessions({ ended: true })).toEqual([])
  })
})

describe('updateSession', () => {
  it('sets and removes metadata and sets the agent, and nothing else', async () => {
    const { manager } = manage()
    await manager.startSession({ sessionId: 's', metadata: { a: 1, b: 1 } })
    await manager.recordTurn('s', { turnId: 't' })
    const update = { metadata: { title: 'Tea' }, unsetMetadata: ['a'], agentId: 'x' }
    const options = { idempotencyKey: 'k', ifRevision: 2 }
    expect(await manager.updateSession('s', update, options)).toMatchObject({ revision: 3 })
    expect(await manager.updateSession('s', update, options)).toMatchObject({ revision: 3, replayed: true })
    await expect(manager.updateSession('s', update, { ifRevision: 2 })).rejects.toMatchObject({
      code: 'REVISION_CONFLICT',
    })
    expect(await manager.getSession('s')).toMatchObject({
      metadata: { title: 'Tea', b: 1 },
      agentId: 'x',
      turns: [{ turnId: 't' }],
    })
    expect(await manager.getSummary('none')).toBe(null)
  })
})

describe('interruptTurn', () => {
  it('marks a running turn, and needs the revision at which it was seen', async () => {
    const { manager } = manage()
    await manager.startSession({ sessionId: 's' })
    await manager.recordTurn('s', { turnId: 't', status: 'running' })
    // @ts-expect-error -- JavaScript callers can leave it out
    await expect(manager.interruptTurn('s', 't', {})).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    await manager.recordToolCall('s', 't', { callId: 'c', toolName: 'f' })
    await expect(manager.interruptTurn('s', 't', { ifRevision: 2 })).rejects.toMatchObject({
      code: 'REVISION_CONFLICT',
      actualRevision: 3,
    })
    expect(await manager.interruptTurn('s', 't', { ifRevision: 3 })).toMatchObject({ revision: 4 })
    const [turn] = await manager.getTurns('s')
    expect([turn?.status, turn?.endedAt === null]).toEqual(['interrupted', false])
    expect(await manager.interruptTurn('s', 't', { ifRevision: 4 })).toMatchObject({ revision: 4, skipped: ['t'] })
  })
})

it("resume keeps an application's own ended, and reopening leaves it", async () => {
  const { manager } = manage()
  await manager.startSession({ sessionId: 's', metadata: { ended: 'no' } })
  expect((await manager.startSession({ sessionId: 's', ifExists: 'resume' })).metadata).toEqual({ ended: 'no' })
  await manager.recordTurn('s', {})
  expect((await manager.getSummary('s'))?.metadata).toEqual({ ended: 'no' })
})
