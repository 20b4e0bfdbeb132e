import { createSession, mergeSession, type JsonObject, SessionManager, type SessionStore } from '@turnstore/core'
import { FileSessionStore } from '@turnstore/file'
import { syncMessages } from '@turnstore/formats'
import { InMemorySessionStore } from '@turnstore/memory'
import { RedisSessionStore } from '@turnstore/redis'
import { SqliteSessionStore } from '@turnstore/sqlite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Server, startServer } from '../../../redis/test/servers.ts'
import { temporaryFolder } from '../turnstore.ts'

const messages = [
  { id: 'm1', role: 'user', parts: [{ type: 'text', text: 'Is there tea?' }] },
  {
    id: 'm2',
    role: 'assistant',
    parts: [
      { type: 'tool-stock', toolCallId: 'c1', state: 'output-available', input: { of: 'tea' }, output: 3 },
      { type: 'text', text: 'Three kinds.' },
    ],
    metadata: { usage: { inputTokens: 7, outputTokens: 2 } },
  },
  { id: 'm3', role: 'user', parts: [{ type: 'text', text: 'Which?' }] },
  { id: 'm4', role: 'assistant', parts: [{ type: 'text', text: 'Green, black, white.' }] },
]

let server: Server | undefined
beforeAll(async () => {
  server = await startServer()
})
afterAll(() => server?.stop())

const stores: [string, () => SessionStore][] = [
  ['memory', () => new InMemorySessionStore()],
  ['SQLite', () => new SqliteSessionStore(':memory:')],
  ['files', () => new FileSessionStore(temporaryFolder())],
  ['Redis', () => new RedisSessionStore({ url: server?.url ?? '' })],
]

describe.each(stores)('syncMessages in %s', (_name, open) => {
  it('adds what has come since, and nothing the second time', async () => {
    const store = open()
    for (const length of [1, 2, 3, 4]) {
      const list = messages.slice(0, length)
      const outcome = length === 1 ? 'added' : 'grown'
      expect(await syncMessages(store, 'chat-1', list)).toEqual({ outcome, contradictions: [] })
      const { revision } = (await store.loadSummary('chat-1')) ?? {}
      expect(await syncMessages(store, 'chat-1', list)).toEqual({ outcome: 'unchanged', contradictions: [] })
      expect(await store.loadSummary('chat-1')).toMatchObject({ revision })
    }
    const session = await store.loadSession('chat-1')
    expect(session).toMatchObject({
      turns: [
        { prompt: 'Is there tea?', responseContent: 'Three kinds.', toolCalls: [{ callId: 'c1', result: 3 }] },
        { prompt: 'Which?', responseContent: 'Green, black, white.' },
      ],
    })
    expect(session?.createdAt).toMatch(/^20/)
    expect(session?.turns.flatMap(({ items }) => items.map(({ value }) => value))).toEqual(messages)
    await store.deleteSession('chat-1')
    await store.close()
  })

  it('lets a half-written answer grow, with its usage, and keeps what was noted beside it', async () => {
    const store = open()
    const answer = (text: string, outputTokens: number) => [
      ...messages.slice(0, 1),
      {
        id: 'm2',
        role: 'assistant',
        parts: [{ type: 'text', text }],
        metadata: { usage: { inputTokens: 7, outputTokens } },
      },
    ]
    await syncMessages(store, 'chat-1', answer('Three', 1))
    await new SessionManager(store).updateTurn('chat-1', 't1', { metadata: { rating: 5 } })
    expect(await syncMessages(store, 'chat-1', answer('Three kinds.', 3))).toEqual({
      outcome: 'grown',
      contradictions: [],
    })
    expect((await store.loadSession('chat-1'))?.turns).toMatchObject([
      { responseContent: 'Three kinds.', items: { length: 2 }, metadata: { rating: 5 } },
    ])
    await store.deleteSession('chat-1')
    await store.close()
  })

  it('lets a tool call of the last message get its result', async () => {
    const store = open()
    const calling = (state: JsonObject) => [
      ...messages.slice(0, 1),
      { id: 'm2', role: 'assistant', parts: [{ type: 'tool-stock', toolCallId: 'c1', input: {}, ...state }] },
    ]
    await syncMessages(store, 'chat-1', calling({ state: 'input-available' }))
    expect(await store.loadSession('chat-1')).toMatchObject({ turns: [{ toolCalls: [{ status: 'running' }] }] })
    const answered = calling({ state: 'output-available', output: 3 })
    expect(await syncMessages(store, 'chat-1', answered)).toEqual({ outcome: 'grown', contradictions: [] })
    expect(await store.loadSession('chat-1')).toMatchObject({
      turns: [{ toolCalls: [{ status: 'success', result: 3 }], items: [{}, { value: answered[1] }] }],
    })
    await store.deleteSession('chat-1')
    await store.close()
  })

  it('removes and changes nothing, and names the place of what differs', async () => {
    const store = open()
    await syncMessages(store, 'chat-1', messages)
    const before = await store.loadSession('chat-1')
    const other = [messages[0], { id: 'm2', role: 'assistant', parts: [{ type: 'text', text: 'None.' }] }]
    const { outcome, contradictions } = await syncMessages(store, 'chat-1', other)
    expect(outcome).toBe('unchanged')
    expect(contradictions.length).toBeGreaterThan(0)
    expect(await store.loadSession('chat-1')).toEqual(before)
    await store.deleteSession('chat-1')
    await store.close()
  })
})

it('refuses what mixes formats or has none, before it stores anything', async () => {
  const store = new InMemorySessionStore()
  for (const [list, options] of [
    [[...messages, { type: 'function_call', call_id: 'c', name: 'f', arguments: '{}' }], {}],
    [[{ nobody: 'knows' }], {}],
    [messages, { format: 'toString' }],
  ] as const) {
    await expect(syncMessages(store, 's', list, options)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      outcome: 'not-stored',
    })
  }
  await expect(syncMessages(store, 's', [{ role: 'user', content: 7 }])).rejects.toMatchObject({
    outcome: 'not-stored',
  })
  const session = createSession({ sessionId: 's' })
  const misspelt: object = { misspelt: 1 }
  for (const call of [
    () => syncMessages(store, 's', messages, misspelt),
    () => mergeSession(store, session, misspelt),
    () => mergeSession(store, session, { at: 'yesterday' }),
  ]) {
    await expect(call()).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', outcome: 'not-stored' })
  }
  expect(await store.listSessions()).toEqual([])
})

it('works in the workspace of a bound store, and with an agent and metadata', async () => {
  const store = new InMemorySessionStore()
  const { store: bound } = new SessionManager(store, { workspaceId: 'acme' })
  await syncMessages(bound, 'chat-1', messages, { agentId: 'support', metadata: { title: 'Tea' } })
  expect(await store.loadSession('chat-1')).toMatchObject({
    workspaceId: 'acme',
    agentId: 'support',
    metadata: { title: 'Tea' },
  })
  await expect(syncMessages(store, 'chat-1', messages, { workspaceId: 'globex' })).rejects.toMatchObject({
    code: 'SESSION_EXISTS',
  })
})
