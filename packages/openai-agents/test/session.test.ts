import type { AgentInputItem } from '@openai/agents-core'
import { bindStore, isEnded, SessionManager } from '@turnstore/core'
import { describe, expect, it } from 'vitest'
import { TurnstoreSession } from '../src/index.ts'
import { calls, gives, says, user } from './items.ts'
import { memory, stores } from './stores.ts'

const sessionId = 'chat-1'

describe.each(stores)('A session in the store %s', (_name, open) => {
  it('is created with its first items, in its workspace and with its agent', async () => {
    const store = open()
    const session = new TurnstoreSession({ store, sessionId, workspaceId: 'acme', agentId: 'support' })
    expect([await session.getItems(), await session.popItem()]).toEqual([[], undefined])
    await session.clearSession()
    await session.addItems([])
    expect(await store.loadSession(sessionId)).toBeNull()
    await session.addItems([user('Hello')])
    expect(await store.loadSession(sessionId)).toMatchObject({
      workspaceId: 'acme',
      agentId: 'support',
      turns: [{ agentId: 'support', prompt: 'Hello', status: 'running' }],
    })
    expect(await session.getSessionId()).toBe(sessionId)
  })

  it('gives back bytes, and leaves out undefined members', async () => {
    const session = new TurnstoreSession({ store: open() })
    const item = { ...user('See this'), providerData: { bytes: new Uint8Array([0, 255, 7]), $bytes: undefined } }
    const lookalike = { ...user('And this'), providerData: { $bytes: 'AAAA', deep: { $bytes: { $$bytes: [1] } } } }
    const lone = { ...user('And that'), providerData: { $bytes: 'AAAA' } }
    await session.addItems([item, lookalike, lone])
    const items = await session.getItems()
    expect(items).toEqual([item, lookalike, lone])
    expect(items[0]?.providerData).toStrictEqual({ bytes: new Uint8Array([0, 255, 7]) })
  })

  it('opens a turn at a user message, and records prompt, calls and response beside the items', async () => {
    const store = open()
    const session = new TurnstoreSession({ store, sessionId })
    await session.addItems([user('Where is it?')])
    await session.addItems([calls('c1', '{"n":7}'), calls('c2')])
    await session.addItems([gives('c2', 'here')])
    await session.addItems([gives('c1', 'there'), says('There.')])
    await session.addItems([user('Thanks'), says('You are welcome.')])
    const turns = (await store.loadSession(sessionId))?.turns
    expect(turns).toMatchObject([
      {
        prompt: 'Where is it?',
        responseContent: 'There.',
        status: 'success',
        toolCalls: [
          { callId: 'c1', toolName: 'track', arguments: { n: 7 }, result: 'there', status: 'success' },
          { callId: 'c2', result: 'here', status: 'success' },
        ],
      },
      { prompt: 'Thanks', responseContent: 'You are welcome.', status: 'success', toolCalls: [] },
    ])
    expect(turns?.map(({ items, endedAt }) => [items.length, endedAt === null])).toEqual([
      [6, false],
      [2, false],
    ])
  })

  it('gives the last items, over turns', async () => {
    const session = new TurnstoreSession({ store: open() })
    const items = [user('one'), says('1'), user('two'), calls('c1'), gives('c1', 'r'), says('2'), user('three')]
    await session.addItems(items)
    for (let limit = 0; limit <= items.length + 1; limit++) {
      expect(await session.getItems(limit)).toEqual(limit === 0 ? [] : items.slice(-limit))
    }
  })

  it('pops item after item, and what is left stands as if the last had not been added', async () => {
    const store = open()
    const session = new TurnstoreSession({ store, sessionId })
    const items = [user('one'), says('1'), user('two'), calls('c1'), gives('c1', 'r'), says('2')]
    await session.addItems(items)
    for (let left = items.length - 1; left >= 0; left--) {
      expect(await session.popItem()).toEqual(items[left])
      expect(await session.getItems()).toEqual(items.slice(0, left))
      const [call] = (await store.loadSession(sessionId))?.turns[1]?.toolCalls ?? []
      expect(call?.status).toBe(left > 4 ? 'success' : left === 4 ? 'running' : undefined)
    }
    expect(await session.popItem()).toBeUndefined()
    await session.addItems(items)
    await session.clearSession()
    expect(await session.getItems()).toEqual([])
    await session.addItems([user('again')])
    expect(await session.getItems()).toEqual([user('again')])
  })

  it('applies a transaction once', async () => {
    const session = new TurnstoreSession({ store: open() })
    const append = {
      operationId: 'op 1',
      transaction: { type: 'append_items' as const, items: [user('Hi'), says('no')] },
    }
    const replace = {
      operationId: 'op 2',
      transaction: { type: 'replace_suffix' as const, expectedSuffix: [says('no')], replacement: [says('yes')] },
    }
    for (const each of [append, append, replace, append, replace, replace]) await session.applyHistoryTransaction(each)
    expect(await session.getItems()).toEqual([user('Hi'), says('yes')])
    const conflict = { code: 'IDEMPOTENCY_KEY_CONFLICT' }
    const otherwise = { type: 'append_items' as const, items: [says('no')] }
    await expect(session.applyHistoryTransaction({ ...append, transaction: otherwise })).rejects.toMatchObject(conflict)
    await expect(session.applyHistoryTransaction({ ...replace, operationId: 'op 1' })).rejects.toMatchObject(conflict)
    await expect(session.applyHistoryTransaction({ ...replace, operationId: 'op 3' })).rejects.toMatchObject({
      code: 'MESSAGE_CONFLICT',
    })
    // The refusal is not remembered as a success.
    await session.addItems([says('no')])
    await session.applyHistoryTransaction({ ...replace, operationId: 'op 3' })
    expect(await session.getItems()).toEqual([user('Hi'), says('yes'), says('yes')])
  })

  it('replaces a suffix over turns', async () => {
    const session = new TurnstoreSession({ store: open() })
    await session.addItems([user('a'), says('1'), user('b'), says('2'), user('c')])
    await session.applyHistoryTransaction({
      operationId: 'op',
      transaction: {
        type: 'replace_suffix',
        expectedSuffix: [user('b'), says('2'), user('c')],
        replacement: [user('d')],
      },
    })
    expect(await session.getItems()).toEqual([user('a'), says('1'), user('d')])
  })

  it('replaces calls by their ids, where they are', async () => {
    const store = open()
    const session = new TurnstoreSession({ store, sessionId })
    await session.addItems([user('a'), calls('c1', '{"n":1}'), gives('c1', 'r'), user('b'), calls('c1', '{"n":1}')])
    const replacement = { type: 'function_call' as const, callId: 'c1', name: 'track', arguments: '{"n":2}' }
    await session.applyHistoryMutations({ mutations: [{ type: 'replace_function_call', callId: 'c1', replacement }] })
    expect(await session.getItems()).toEqual([user('a'), replacement, gives('c1', 'r'), user('b')])
    expect((await store.loadSession(sessionId))?.turns.map(({ toolCalls }) => toolCalls)).toMatchObject([
      [{ callId: 'c1', arguments: { n: 2 }, result: 'r', status: 'success' }],
      [],
    ])
  })

  it('begins to read at the last compaction, and keeps what came before', async () => {
    const store = open()
    const session = new TurnstoreSession({ store, sessionId })
    const compaction = { type: 'compaction' as const, encrypted_content: 'c2VjcmV0' }
    await session.addItems([user('a'), says('1'), user('b'), says('2')])
    await session.replaceHistoryWithCompaction([compaction, user('b'), says('2')])
    await session.addItems([user('c')])
    expect(await session.getItems()).toEqual([compaction, user('b'), says('2'), user('c')])
    expect(await session.getItems(3)).toEqual([user('b'), says('2'), user('c')])
    expect((await store.loadSession(sessionId))?.turns.map(({ prompt }) => prompt)).toEqual(['a', 'b', 'b', 'c'])
    for (let left = 4; left > 0; left--) await session.popItem()
    expect(await session.getItems()).toEqual([user('a'), says('1'), user('b'), says('2')])
  })

  it('continues what others recorded', async () => {
    const store = open()
    const manager = new SessionManager(store)
    await manager.startSession({ sessionId })
    const call = { callId: 'c1', toolName: 'track', arguments: { n: 7 }, result: 'at sea', status: 'success' }
    await manager.recordTurn(sessionId, { prompt: 'Where?', toolCalls: [call], responseContent: 'At sea.' })
    await manager.recordMessages(sessionId, [
      { role: 'user', content: 'And now?' },
      { role: 'assistant', content: 'Still.' },
    ])
    const session = new TurnstoreSession({ store, sessionId })
    const before = await session.getItems()
    expect(before.map(item => item.type)).toEqual([
      'message',
      'function_call',
      'function_call_result',
      'message',
      'message',
      'message',
    ])
    await session.addItems([says('It moves.')])
    await session.addItems([user('Good'), says('Yes.')])
    expect(await session.getItems()).toEqual([...before, says('It moves.'), user('Good'), says('Yes.')])
    expect((await manager.getTurns(sessionId)).map(({ prompt, status }) => [prompt, status])).toEqual([
      ['Where?', 'success'],
      ['And now?', 'success'],
      ['', 'success'],
      ['Good', 'success'],
    ])
    for (let left = 5; left > 0; left--) await session.popItem()
    expect(await session.getItems()).toEqual(before.slice(0, 4))
  })

  it('loses nothing when two objects add at once', async () => {
    const store = open()
    const both = [0, 1].map(() => new TurnstoreSession({ store, sessionId }))
    await Promise.all(
      both.flatMap((session, writer) =>
        Array.from({ length: 10 }, async (_, index) =>
          session.addItems([user(`${writer}.${index}`), says(`answer ${writer}.${index}`)]),
        ),
      ),
    )
    const items = await both[0]?.getItems()
    expect(items).toHaveLength(40)
    const said = items?.map(item => JSON.stringify(item)) ?? []
    for (const writer of [0, 1]) {
      const places = Array.from({ length: 10 }, (_, index) => said.indexOf(JSON.stringify(user(`${writer}.${index}`))))
      expect(places).not.toContain(-1)
      expect(places).toEqual(places.toSorted((one, other) => one - other))
    }
  })
})

describe('A session', () => {
  it('takes a result that comes together with the next question for that of the call before it', async () => {
    const store = memory()
    const session = new TurnstoreSession({ store, sessionId: 's' })
    await session.addItems([user('Is there tea?'), calls('c1')])
    await session.addItems([says('A moment.')])
    await session.addItems([user('And coffee?'), gives('c1', 'Yes.')])
    const statuses = (await store.loadSession('s'))?.turns.map(({ toolCalls }) => toolCalls.map(({ status }) => status))
    expect(statuses).toEqual([['success'], []])
  })

  it('takes each of two results that come together for one of the calls with their id', async () => {
    const store = memory()
    const session = new TurnstoreSession({ store, sessionId: 's' })
    await session.addItems([calls('c1'), user('Again?'), calls('c1')])
    await session.addItems([gives('c1', 'Yes.'), gives('c1', 'Yes.')])
    const statuses = (await store.loadSession('s'))?.turns.map(({ toolCalls }) => toolCalls.map(({ status }) => status))
    expect(statuses).toEqual([['success'], ['success']])
  })

  it('refuses what is neither JSON nor bytes, and stores nothing', async () => {
    const store = memory()
    const session = new TurnstoreSession({ store, sessionId })
    const circle: { self?: unknown } = {}
    circle.self = circle
    const hiding = {
      get secret(): string {
        throw new Error('secret')
      },
    }
    for (const bad of [hiding, new Date(), Number.NaN, 1n, () => 1, circle]) {
      await expect(session.addItems([{ ...user('Hi'), providerData: { bad } }])).rejects.toMatchObject({
        code: 'INVALID_RECORD',
        outcome: 'not-stored',
      })
    }
    expect(await store.loadSession(sessionId)).toBeNull()
  })

  it('reads a transaction once, and does not quote what its accessors throw', async () => {
    const store = memory()
    const session = new TurnstoreSession({ store, sessionId })
    let reads = 0
    const twice = {
      get operationId(): string {
        return `operation ${reads++}`
      },
      transaction: { type: 'append_items' as const, items: [user('Hi')] },
    }
    await session.applyHistoryTransaction(twice)
    expect(reads).toBe(1)
    const hiding = {
      operationId: 'o',
      transaction: {
        type: 'append_items' as const,
        get items(): AgentInputItem[] {
          throw new Error('secret')
        },
      },
    }
    const error: unknown = await session.applyHistoryTransaction(hiding).catch((each: unknown) => each)
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT' })
    expect(String(error)).not.toContain('secret')
    expect(await session.getItems()).toEqual([user('Hi')])
  })

  it('adds to the turn that is open now, whoever opened it', async () => {
    const store = memory()
    const [one, other] = [0, 1].map(() => new TurnstoreSession({ store, sessionId }))
    await one?.addItems([user('a')])
    await other?.addItems([user('b')])
    await one?.addItems([says('to a')])
    await other?.addItems([says('to b')])
    expect(await one?.getItems()).toEqual([user('a'), user('b'), says('to a'), says('to b')])
    expect((await store.loadSession(sessionId))?.turns.map(({ status }) => status)).toEqual(['success', 'success'])
  })

  it('is in the workspace of a bound store, and not seen from another', async () => {
    const store = memory()
    const [acme, globex] = ['acme', 'globex'].map(
      workspaceId => new TurnstoreSession({ store: bindStore(store, workspaceId), sessionId }),
    )
    await acme?.addItems([user('a')])
    expect((await store.loadSummary(sessionId))?.workspaceId).toBe('acme')
    expect(await globex?.getItems()).toEqual([])
    await expect(globex?.addItems([user('b')])).rejects.toMatchObject({ code: 'SESSION_EXISTS' })
  })

  it('is no longer ended when a turn is opened', async () => {
    const store = memory()
    const session = new TurnstoreSession({ store, sessionId })
    await session.addItems([user('a'), says('1')])
    await new SessionManager(store).endSession(sessionId)
    await session.addItems([user('b')])
    const summary = await store.loadSummary(sessionId)
    expect(summary !== null && isEnded(summary)).toBe(false)
  })

  it('is created anew after another process has deleted it', async () => {
    const store = memory()
    const session = new TurnstoreSession({ store, sessionId })
    await session.addItems([user('a')])
    await store.deleteSession(sessionId)
    await session.addItems([user('b')])
    expect(await session.getItems()).toEqual([user('b')])
  })

  it('writes each item once, whatever the turn holds', async () => {
    let reads = 0
    let parts = 0
    const store = new (class extends (await import('@turnstore/memory')).InMemorySessionStore {})()
    const read = store.readTurns.bind(store)
    const change = store.changeSession.bind(store)
    Object.assign(store, {
      readTurns: async (...args: Parameters<typeof read>) => (reads++, read(...args)),
      changeSession: async (...args: Parameters<typeof change>) => {
        for (const { putItems = [], putToolCalls = [] } of args[1].updateTurns ?? []) {
          parts += putItems.length + putToolCalls.length
        }
        return change(...args)
      },
    })
    const session = new TurnstoreSession({ store, sessionId })
    await session.addItems([user('Go')])
    const steps = 200
    for (let step = 0; step < steps; step++) {
      await session.addItems([calls(`c${step}`)])
      await session.addItems([gives(`c${step}`, 'r')])
    }
    expect({ reads, parts }).toEqual({ reads: 1, parts: 4 * steps })
  })
})
