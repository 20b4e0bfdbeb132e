import { validateUIMessages, type UIMessage } from 'ai'
import { bindStore, type SessionChange, SessionManager } from '@turnstore/core'
import { describe, expect, it } from 'vitest'
import { TurnstoreChats } from '../src/index.ts'
import { calls, says, user } from './messages.ts'
import { memory, stores } from './stores.ts'

const chatId = 'chat-1'

describe.each(stores)('A chat in the store %s', (_name, open) => {
  it('is created with its first messages, in its workspace and with its agent', async () => {
    const store = open()
    const chats = new TurnstoreChats({ store, workspaceId: 'acme', agentId: 'support' })
    expect(await chats.loadMessages(chatId)).toEqual([])
    expect(await chats.loadChat(chatId)).toBeNull()
    await chats.saveMessages(chatId, [])
    expect(await store.loadSession(chatId)).toBeNull()
    await chats.saveMessages(chatId, [user('u1', 'Hello')])
    expect(await store.loadSession(chatId)).toMatchObject({
      workspaceId: 'acme',
      agentId: 'support',
      turns: [{ turnId: 'u1', agentId: 'support', prompt: 'Hello', status: 'running' }],
    })
    const other = new TurnstoreChats({ store, workspaceId: 'other' })
    expect(await other.loadMessages(chatId)).toEqual([])
    await expect(other.saveMessages(chatId, [user('u1')])).rejects.toMatchObject({ code: 'SESSION_EXISTS' })
    expect(await new TurnstoreChats({ store: bindStore(store, 'acme') }).loadMessages(chatId)).toHaveLength(1)
  })

  it('is a turn for each exchange, with prompt, calls and response beside the messages', async () => {
    const store = open()
    const chats = new TurnstoreChats({ store })
    const answer: UIMessage = {
      id: 'a1',
      role: 'assistant',
      parts: [...calls('', 'c1', { at: 'depot' }).parts, ...says('', 'There.').parts],
    }
    await chats.saveMessages(chatId, [user('u1', 'Where is it?'), answer, user('u2', 'Thanks'), says('a2', 'Welcome.')])
    expect((await store.loadSession(chatId))?.turns).toMatchObject([
      {
        turnId: 'u1',
        prompt: 'Where is it?',
        responseContent: 'There.',
        status: 'success',
        toolCalls: [
          { callId: 'c1', toolName: 'track', arguments: { n: 7 }, result: { at: 'depot' }, status: 'success' },
        ],
        items: [{ format: 'ai-sdk' }, { format: 'ai-sdk' }],
      },
      { turnId: 'u2', prompt: 'Thanks', responseContent: 'Welcome.', status: 'success' },
    ])
  })

  it('leaves out undefined members, and refuses what JSON has no place for', async () => {
    const store = open()
    const chats = new TurnstoreChats({ store })
    const odd: UIMessage = { ...user('u1'), metadata: { none: undefined, deep: [{ none: undefined }] } }
    await chats.saveMessages(chatId, [odd])
    expect(await chats.loadMessages(chatId)).toStrictEqual([{ ...user('u1'), metadata: { deep: [{}] } }])
    const circle: Record<string, unknown> = {}
    circle.self = circle
    for (const value of [
      new Date(0),
      Number.NaN,
      1n,
      new Map(),
      () => 1,
      Symbol('secret'),
      circle,
      new Uint8Array(1),
    ]) {
      const saving = chats.saveMessages(chatId, [user('u1'), { ...says('a1', 'x'), metadata: { secret: value } }])
      await expect(saving).rejects.toMatchObject({ code: 'INVALID_RECORD', outcome: 'not-stored' })
    }
    expect(await chats.loadMessages(chatId)).toHaveLength(1)
  })

  it('changes by regenerating, editing and going on, each in one change that leaves earlier turns alone', async () => {
    const store = open()
    const chats = new TurnstoreChats({ store })
    const changes: SessionChange[] = []
    const change = store.changeSession.bind(store)
    store.changeSession = async (...args) => {
      changes.push(args[1])
      return change(...args)
    }
    const [u1, a1, u2, a2] = [user('u1'), says('a1', 'one'), user('u2'), says('a2', 'two')]
    await chats.saveMessages(chatId, [u1, a1])
    const first = (await store.loadSession(chatId))?.turns[0]
    const steps: (readonly [UIMessage[], string[], number | undefined])[] = [
      [[u1, a1, u2], ['u2'], undefined],
      [[u1, a1, u2, a2], [], undefined],
      // Regenerated, and edited.
      [[u1, a1, u2], [], undefined],
      [[u1, a1, u2, says('a3', 'other')], [], undefined],
      [[u1, a1, user('u2', 'Edited')], [], undefined],
      [[u1, a1, user('u4')], ['u4'], 1],
      [[u1, a1], [], 1],
    ]
    for (const [list, appended, keepTurns] of steps) {
      changes.length = 0
      await chats.saveMessages(chatId, list)
      expect(await chats.loadMessages(chatId)).toEqual(list)
      expect(changes).toHaveLength(1)
      expect(changes[0]?.keepTurns).toBe(keepTurns)
      expect(changes[0]?.appendTurns?.map(({ turnId }) => turnId)).toEqual(appended)
      expect(changes[0]?.updateTurns?.map(({ turnId }) => turnId).filter(id => id === 'u1')).toEqual([])
      expect((await store.loadSession(chatId))?.turns[0]).toEqual(first)
    }
    changes.length = 0
    await chats.saveMessages(chatId, [u1, a1])
    expect(changes).toEqual([])
  })

  it('shows what another SDK recorded as valid messages with stable ids, and goes on from there', async () => {
    const store = open()
    const manager = new SessionManager(store)
    await manager.startSession({ sessionId: chatId })
    await manager.recordMessages(chatId, [
      { role: 'user', content: 'Is there tea?' },
      {
        role: 'assistant',
        content: null,
        tool_calls: [{ id: 'c1', type: 'function', function: { name: 'look', arguments: '{"in":"box"}' } }],
      },
      { role: 'tool', tool_call_id: 'c1', content: 'three' },
      { role: 'assistant', content: 'Three kinds.' },
      { role: 'user', content: 'Which?' },
    ])
    const chats = new TurnstoreChats({ store })
    const messages = await chats.loadMessages(chatId)
    await validateUIMessages({ messages })
    expect(messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'user'])
    const before = await store.loadSession(chatId)
    await chats.saveMessages(chatId, messages)
    expect(await store.loadSession(chatId)).toEqual(before)
    await chats.saveMessages(chatId, [...messages, says('a2', 'Green.'), user('u3')])
    const grown = await chats.loadMessages(chatId)
    expect(grown).toEqual([...messages, says('a2', 'Green.'), user('u3')])
    expect(grown.slice(0, 3).map(({ id }) => id)).toEqual(messages.map(({ id }) => id))
    expect((await store.loadSession(chatId))?.turns[0]).toEqual(before?.turns[0])
    expect(await manager.getMessages(chatId)).toMatchObject([
      {},
      {},
      {},
      {},
      { content: 'Which?' },
      { content: 'Green.' },
      {},
    ])
  })

  it('shows messages of an older version of the SDK', async () => {
    const store = open()
    const items = [
      { id: 'u1', role: 'user', content: 'Hello' },
      {
        id: 'a1',
        role: 'assistant',
        content: 'Hi',
        toolInvocations: [{ state: 'result', toolCallId: 'c1', toolName: 'wave', args: {}, result: 'ok' }],
      },
    ].map(value => ({ format: 'ai-sdk', value }))
    await store.saveSession({ sessionId: chatId, turns: [{ turnId: 't1', prompt: 'Hello', status: 'success', items }] })
    const messages = await new TurnstoreChats({ store }).loadMessages(chatId)
    await validateUIMessages({ messages })
    expect(messages).toMatchObject([
      { role: 'user' },
      { role: 'assistant', parts: [{}, { type: 'tool-wave', output: 'ok' }, {}, { text: 'Hi' }] },
    ])
  })

  it('notes the active stream, and forgets no other one', async () => {
    const store = open()
    const chats = new TurnstoreChats({ store })
    await expect(chats.setActiveStream(chatId, 's1')).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' })
    expect(await chats.clearActiveStream(chatId, 's1')).toBe(false)
    await chats.saveMessages(chatId, [user('u1')])
    await chats.setActiveStream(chatId, 's1')
    await chats.setActiveStream(chatId, 's2')
    expect(await chats.clearActiveStream(chatId, 's1')).toBe(false)
    expect(await chats.loadChat(chatId)).toMatchObject({
      activeStreamId: 's2',
      messages: [user('u1')],
      isRunning: false,
    })
    expect(await chats.clearActiveStream(chatId, 's2')).toBe(true)
    expect(await chats.loadChat(chatId)).toMatchObject({ activeStreamId: null })
  })

  it('saves only over the revision that was loaded, if told so', async () => {
    const chats = new TurnstoreChats({ store: open() })
    const conflict = { code: 'REVISION_CONFLICT' }
    const revision = await chats.saveMessages(chatId, [user('u1')], { ifRevision: 0 })
    expect((await chats.loadChat(chatId))?.revision).toBe(revision)
    await chats.saveMessages(chatId, [user('u1'), says('a1', 'one')], { ifRevision: revision })
    await expect(
      chats.saveMessages(chatId, [user('u1'), says('a1', 'two')], { ifRevision: revision }),
    ).rejects.toMatchObject(conflict)
    await expect(chats.saveMessages(chatId, [user('u9')], { ifRevision: 0 })).rejects.toMatchObject(conflict)
  })

  it('forks without the run that answers its parent', async () => {
    const store = open()
    const chats = new TurnstoreChats({ store })
    const run = await chats.recordRun(chatId, { message: user('u1') })
    const forkId = await chats.forkChat(chatId, 'u1')
    expect(await chats.loadChat(chatId)).toMatchObject({ isRunning: true })
    expect(await chats.loadChat(forkId)).toMatchObject({ isRunning: false, messages: [user('u1')] })
    expect((await store.loadSession(forkId))?.turns).toMatchObject([{ status: 'running' }])
    expect((await store.loadSession(forkId))?.turns[0]?.metadata).toEqual({})
    expect((await chats.recordRun(forkId)).isUnfinished).toBe(true)
    await run.settings.prepareStep({ stepNumber: 0, steps: [] })
    await run.settings.onLanguageModelCallEnd({ content: [{ type: 'text', text: 'Hi.' }], finishReason: 'stop' })
    await run.onEnd({ steps: [{ content: [{ type: 'text', text: 'Hi.' }] }] })
    const answered = await chats.forkChat(chatId, 'u1')
    expect((await store.loadSession(answered))?.turns).toMatchObject([{ responseContent: null }])
    const whole = await chats.forkChat(chatId, run.generateMessageId())
    expect((await store.loadSession(whole))?.turns[0]?.metadata).toEqual({})
    expect(await chats.loadMessages(whole)).toEqual(await chats.loadMessages(chatId))
  })

  it('forks at a message, without the stream of its parent', async () => {
    const store = open()
    const chats = new TurnstoreChats({ store, workspaceId: 'acme' })
    const list = [user('u1'), says('a1', 'one'), user('u2'), says('a2', 'two')]
    await chats.saveMessages(chatId, list)
    await chats.setActiveStream(chatId, 's1')
    expect(await chats.forkChat(chatId, 'u2', { chatId: 'fork' })).toBe('fork')
    expect(await chats.loadChat('fork')).toMatchObject({ messages: list.slice(0, 3), activeStreamId: null })
    expect(await store.loadSession('fork')).toMatchObject({ parentSessionId: chatId, workspaceId: 'acme' })
    await expect(chats.forkChat(chatId, 'a1', { chatId: 'fork' })).rejects.toMatchObject({ code: 'SESSION_EXISTS' })
    await expect(chats.forkChat(chatId, 'none')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    await expect(chats.forkChat('none', 'u1')).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' })
  })
})

describe('TurnstoreChats', () => {
  it('refuses what is no message or option, and quotes none of it', async () => {
    const chats = new TurnstoreChats({ store: memory() })
    const bad: readonly unknown[] = [
      null,
      'secret',
      [null],
      [{}],
      [{ id: 1, role: 'user', parts: [] }],
      [{ id: 'secret', role: 'secret', parts: [] }],
      [{ id: 'u', role: 'user', parts: 'secret' }],
      [{ id: 'u', role: 'user', parts: [{ text: 'secret' }] }],
    ]
    for (const messages of bad) {
      const error = await called(chats, 'saveMessages', chatId, messages).catch((reason: unknown) => reason)
      const code: unknown = expect.stringMatching(/^INVALID_(?:RECORD|ARGUMENT)$/)
      expect(error).toMatchObject({ code, outcome: 'not-stored' })
      expect(String(error)).not.toContain('secret')
    }
    const invalid = { code: 'INVALID_ARGUMENT' }
    expect((): unknown => Reflect.construct(TurnstoreChats, [{ store: memory(), other: 1 }])).toThrow('other')
    await expect(called(chats, 'saveMessages', chatId, [], { other: 1 })).rejects.toMatchObject(invalid)
    for (const options of [
      null,
      { other: 1 },
      { repeatable: 'act' },
      { tools: null },
      { toolsContext: [] },
      { messages: 1 },
    ]) {
      await expect(called(chats, 'recordRun', chatId, options)).rejects.toMatchObject(invalid)
    }
    await expect(called(chats, 'forkChat', chatId, 'm', { other: 1 })).rejects.toMatchObject(invalid)
    await expect(chats.recordRun(chatId, { message: user('u'), messages: [] })).rejects.toMatchObject(invalid)
  })
})

/** A call from where types do not reach. */
async function called(chats: TurnstoreChats, name: keyof TurnstoreChats, ...args: unknown[]): Promise<unknown> {
  const method: unknown = Reflect.get(chats, name)
  const result: unknown = typeof method === 'function' ? Reflect.apply(method, chats, args) : undefined
  return result
}
