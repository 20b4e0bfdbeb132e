import { existsSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { MapStore } from '../map-store.ts'
import { describe, expect, it } from 'vitest'
import { thoroughness } from '../../../../scripts/testing/machine.ts'
import { isJsonObject } from '../../src/basics/json.ts'
import { type JsonObject, SessionManager, type SessionStore, type TurnRecord } from '../../src/index.ts'
import { expectSendable } from '../chat/sendable.ts'

const user = (content: string): JsonObject => ({ role: 'user', content })
const says = (content: string): JsonObject => ({ role: 'assistant', content })
const system = (content: string): JsonObject => ({ role: 'system', content })
const calls = (...ids: string[]): JsonObject => ({
  role: 'assistant',
  content: null,
  tool_calls: ids.map(id => ({ id, type: 'function', function: { name: 'search', arguments: '{"q":"tea"}' } })),
})
const result = (id: string, content = 'found'): JsonObject => ({ role: 'tool', tool_call_id: id, content })

async function started(): Promise<{ store: SessionStore; manager: SessionManager }> {
  const store = new MapStore()
  let count = 0
  const manager = new SessionManager(store, { newId: () => `id${++count}` })
  await manager.startSession({ sessionId: 's' })
  return { store, manager }
}

async function turnsOf(manager: SessionManager): Promise<Partial<TurnRecord>[]> {
  const turns = await manager.getTurns('s')
  return turns.map(({ turnId, prompt, responseContent, status, toolCalls, items }) => ({
    turnId,
    prompt,
    responseContent,
    status,
    toolCalls,
    items,
  }))
}

describe('recording messages as they happen', () => {
  it('a user message opens a turn, and what follows belongs to it', async () => {
    const { manager } = await started()
    expect(await manager.recordMessages('s', [system('Be kind'), user('Tea?')], { turnId: 'q1' })).toEqual({
      turnIds: ['q1'],
      added: 2,
      count: 2,
      revision: 2,
    })
    await manager.recordMessages('s', [calls('a', 'b')])
    await manager.recordMessages('s', [result('b', 'B')])
    expect(await turnsOf(manager)).toMatchObject([
      { turnId: 'q1', prompt: 'Tea?', status: 'running', toolCalls: [{ status: 'running' }, { result: 'B' }] },
    ])
    await manager.recordMessages('s', [result('a', 'A'), says('Yes')])
    const { turnIds, count } = await manager.recordMessages('s', [user('Thanks'), says('Bye'), user('?')])
    expect([turnIds.length, count]).toEqual([2, 9])
    expect(await turnsOf(manager)).toMatchObject([
      { responseContent: 'Yes', status: 'success', toolCalls: [{ callId: 'a', result: 'A' }, { callId: 'b' }] },
      { prompt: 'Thanks', responseContent: 'Bye', status: 'success' },
      { prompt: '?', responseContent: null, status: 'running' },
    ])
    const exact = await manager.getMessages('s', { exact: true })
    expect(exact).toEqual([
      system('Be kind'),
      user('Tea?'),
      calls('a', 'b'),
      result('b', 'B'),
      result('a', 'A'),
      says('Yes'),
      user('Thanks'),
      says('Bye'),
      user('?'),
    ])
    expect(await manager.getMessages('s')).toEqual(exact)
    expect(await manager.getMessages('s', { last: 2 })).toEqual(exact.slice(6))
  })

  it('system messages open a turn that the first user message completes, under its id if it names one', async () => {
    const { manager } = await started()
    const { turnIds } = await manager.recordMessages('s', [system('a')])
    await manager.recordMessages('s', [system('b')])
    expect((await manager.recordMessages('s', [user('c')])).turnIds).toEqual(turnIds)
    expect(await turnsOf(manager)).toMatchObject([{ prompt: 'c', status: 'running' }])

    await manager.startSession({ sessionId: 's', ifExists: 'replace' })
    await manager.recordMessages('s', [system('a')])
    expect((await manager.recordMessages('s', [system('b'), user('c')], { turnId: 'q1' })).turnIds).toEqual(['q1'])
    expect(await turnsOf(manager)).toMatchObject([{ turnId: 'q1', prompt: 'c', status: 'running' }])
    expect(await manager.getMessages('s', { exact: true })).toEqual([system('a'), system('b'), user('c')])
  })

  it('without an open turn any other message opens one with an empty prompt', async () => {
    const { manager } = await started()
    await manager.recordMessages('s', [says('Hello, what can I do?'), user('Tea?'), says('Yes')])
    const [, last] = await manager.getTurns('s')
    await manager.updateTurn('s', last?.turnId ?? '', { status: 'success' })
    await manager.recordMessages('s', [says('Anything else?')])
    expect(await turnsOf(manager)).toMatchObject([
      { prompt: '', responseContent: 'Hello, what can I do?', status: 'success' },
      { prompt: 'Tea?', responseContent: 'Yes', status: 'success' },
      { prompt: '', responseContent: 'Anything else?', status: 'running' },
    ])
  })

  it('a result for a call of an earlier turn stays an item only', async () => {
    const { manager } = await started()
    await manager.recordMessages('s', [user('a'), calls('x'), user('b'), result('x')])
    expect(await turnsOf(manager)).toMatchObject([{ toolCalls: [{ status: 'running' }] }, { toolCalls: [] }])
    expectSendable(await manager.getMessages('s'))
  })

  it('what was recorded beside the messages stays, and its calls are taken for those of the messages', async () => {
    const { manager } = await started()
    await manager.recordMessages('s', [user('a'), calls('x', 'y')], { turnId: 't' })
    await manager.recordToolCall('s', 't', {
      callId: 'x',
      toolName: 'search',
      arguments: { q: 'tea' },
      status: 'error',
      error: 'no',
      durationMs: 7,
    })
    await manager.recordToolCall('s', 't', {
      callId: 'z',
      toolName: 'search',
      arguments: { q: 'tea' },
      result: 'early',
    })
    await manager.recordMessages('s', [result('x', 'Error: no'), result('y'), calls('z'), result('z', 'late')])
    expect((await manager.getTurns('s'))[0]?.toolCalls).toMatchObject([
      { callId: 'x', status: 'error', durationMs: 7, result: null },
      { callId: 'y', result: 'found' },
      { callId: 'z', result: 'early' },
    ])
  })

  it('a turn that was recorded without messages keeps what it says', async () => {
    const { manager } = await started()
    await manager.recordTurn('s', { turnId: 't', prompt: 'a', status: 'running', responseContent: 'half' })
    await manager.recordToolCall('s', 't', { callId: 'x', toolName: 'f', result: 1 })
    const before = await manager.getMessages('s', { exact: true })
    expect(before).toHaveLength(3)
    expect((await manager.recordMessages('s', [says('whole')], { at: 3 })).count).toBe(4)
    expect(await manager.getMessages('s', { exact: true })).toEqual([...before, says('whole')])
    expect(await turnsOf(manager)).toMatchObject([{ prompt: 'a', responseContent: 'whole' }])
  })

  it('an ended session is open again when a message opens a turn', async () => {
    const { manager } = await started()
    await manager.endSession('s')
    await manager.recordMessages('s', [user('a')])
    expect((await manager.getSession('s'))?.metadata).toEqual({})
  })

  it('repeated ids of calls', async () => {
    const { manager } = await started()
    const messages = [user('?'), calls('a', 'a'), result('a', '1'), result('a', '2'), calls('a'), result('a', '3')]
    for (const message of messages) await manager.recordMessages('s', [message])
    expect((await manager.getTurns('s'))[0]?.toolCalls.map(({ callId, result }) => [callId, result])).toEqual([
      ['a', '1'],
      ['a#2', '2'],
      ['a#3', '3'],
    ])
    expectSendable(await manager.getMessages('s'))
  })
})

describe('repeating a call', () => {
  const messages = [user('a'), says('b')]

  it('without at or a key records the messages again', async () => {
    const { manager } = await started()
    await manager.recordMessages('s', messages)
    expect(await manager.recordMessages('s', messages)).toMatchObject({ added: 2, count: 4 })
  })

  it('with at adds what is not there', async () => {
    const { manager } = await started()
    const first = await manager.recordMessages('s', messages, { at: 0, turnId: 't' })
    expect(await manager.recordMessages('s', messages, { at: 0, turnId: 't' })).toEqual({ ...first, added: 0 })
    const grown = [...messages, calls('x'), user('c')]
    expect(await manager.recordMessages('s', grown, { at: 0 })).toMatchObject({ added: 2, count: 4 })
    expect(await manager.getMessages('s', { exact: true })).toEqual(grown)
    await expect(manager.recordMessages('s', [user('other')], { at: 0 })).rejects.toMatchObject({
      code: 'MESSAGE_CONFLICT',
      outcome: 'not-stored',
      sessionId: 's',
    })
    await expect(manager.recordMessages('s', messages, { at: 5 })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      outcome: 'not-stored',
    })
    expect(await manager.getMessages('s', { exact: true })).toEqual(grown)
  })

  it('with a key gives the first result again', async () => {
    const { store, manager } = await started()
    await manager.recordMessages('s', [system('x')])
    const first = await manager.recordMessages('s', messages, { idempotencyKey: 'k' })
    await manager.recordMessages('s', [user('c')])
    for (const each of [manager, new SessionManager(store)]) {
      expect(await each.recordMessages('s', messages, { idempotencyKey: 'k' })).toEqual(first)
      await expect(each.recordMessages('s', [user('c')], { idempotencyKey: 'k' })).rejects.toMatchObject({
        code: 'IDEMPOTENCY_KEY_CONFLICT',
      })
    }
    expect(await manager.getMessages('s', { exact: true })).toHaveLength(4)
  })
})

it('refuses what it cannot record', async () => {
  const { manager } = await started()
  const cases: [code: string, messages: object[], options: object][] = [
    ['INVALID_ARGUMENT', [says('a')], { turnId: 't' }],
    ['INVALID_ARGUMENT', [user('a')], { turn: 't' }],
    ['INVALID_ARGUMENT', [user('a')], { at: -1 }],
    ['INVALID_ID', [user('a')], { turnId: '' }],
    ['INVALID_RECORD', [[]], {}],
    ['INVALID_RECORD', [{ role: 'user', content: new Map([[1, 2]]) }], {}],
    ['INVALID_RECORD', Array.from<object>({ length: 1 }), {}],
  ]
  for (const [code, messages, options] of cases) {
    await expect(manager.recordMessages('s', messages, options)).rejects.toMatchObject({ code, outcome: 'not-stored' })
  }
  await expect(manager.recordMessages('none', [user('a')])).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' })
  await manager.recordMessages('s', [user('a')], { turnId: 't' })
  await manager.recordMessages('s', [user('b')])
  await expect(manager.recordMessages('s', [user('a')], { turnId: 't' })).rejects.toMatchObject({
    code: 'TURN_ID_CONFLICT',
  })
  expect(await manager.recordMessages('s', [])).toEqual({ turnIds: [], added: 0, count: 2, revision: 3 })
})

it('calls at once are recorded in their order, also through several managers', async () => {
  const { store, manager } = await started()
  const managers = [manager, new SessionManager(store), new SessionManager(store)]
  await Promise.all(
    managers.flatMap((each, index) =>
      Array.from({ length: 10 }, (_, count) => each.recordMessages('s', [user(`${index}:${count}`), says('x')])),
    ),
  )
  const asked = (await manager.getTurns('s')).map(({ prompt }) => prompt)
  expect(asked).toHaveLength(30)
  for (const index of managers.keys()) {
    const own = asked.filter(prompt => prompt.startsWith(`${index}:`))
    expect(own).toEqual(own.map((_, count) => `${index}:${count}`))
  }
})

it('a message costs one write and no read, whatever the session holds', async () => {
  const { store, manager } = await started()
  await manager.recordMessages('s', [user('a')], { turnId: 't' })
  const reads: string[] = []
  const readNames: unknown[] = ['loadSession', 'readTurns', 'readParts']
  const watched = new Proxy(store, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name)
      if (readNames.includes(name)) reads.push(String(name))
      const bound: unknown = typeof member === 'function' ? member.bind(target) : member
      return bound
    },
  })
  const recorder = new SessionManager(watched)
  await recorder.recordMessages('s', [says('b')])
  expect(reads).toEqual(['loadSession'])
  for (let count = 0; count < 20; count++) {
    await recorder.recordMessages('s', [calls(`c${count}`)])
    await recorder.recordToolCall('s', 't', {
      callId: `c${count}`,
      toolName: 'search',
      arguments: { q: 'tea' },
      result: 1,
    })
    await recorder.updateTurn('s', 't', { responseContent: 'half' })
    await recorder.recordMessages('s', [result(`c${count}`), says('whole')])
    await recorder.endSession('s')
  }
  expect(reads).toEqual(['loadSession'])
})

const transcripts = new URL('../../../../../shared/data/airline-support-chats.jsonl', import.meta.url)
it.skipIf(!existsSync(transcripts))(
  'sample conversations, message by message, with repetitions and restarts',
  async () => {
    const store = new MapStore()
    for (const [place, line] of readFileSync(transcripts, 'utf8').trim().split('\n').entries()) {
      const record: unknown = JSON.parse(line)
      if (!isJsonObject(record) || !Array.isArray(record.messages)) throw new Error('Unexpected sample data')
      const messages = record.messages.filter(isJsonObject)
      const sessionId = `chat ${place}`
      let manager = new SessionManager(store)
      await manager.startSession({ sessionId })
      for (const [at, message] of messages.entries()) {
        await manager.recordMessages(sessionId, [message], { at })
        if (at % 7 !== 3) continue
        manager = new SessionManager(store)
        expect(await manager.recordMessages(sessionId, [message], { at })).toMatchObject({ added: 0, count: at + 1 })
      }
      expect(await manager.getMessages(sessionId, { exact: true })).toEqual(messages)
      expectSendable(await manager.getMessages(sessionId))
    }
  },
)

it(
  'any messages come back exactly, and what is sent is well-formed',
  async () => {
    const id = fc.constantFrom('a', 'b', '', 't:1', 'x'.repeat(60), 'bad\u0000id', 5, null)
    const text = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('', ' ', '\ud83d', 'hello'))
    const part = fc.oneof(
      fc.record({ type: fc.constant('text'), text }),
      fc.record({ type: fc.constant('image_url'), image_url: fc.record({ url: text }) }),
      fc.record({ type: fc.constant('thinking'), thinking: text }),
    )
    const content = fc.oneof(text, fc.constant(null), fc.array(part, { maxLength: 3 }), fc.jsonValue({ maxDepth: 2 }))
    const call = fc.record({
      id,
      type: fc.constantFrom('function', 'custom'),
      function: fc.record({
        name: fc.constantFrom('f', '', 'my tool/é'),
        arguments: fc.oneof(fc.constantFrom('{}', '{"a":', '[1]', '{"s":"\\ud83d"}'), fc.jsonValue({ maxDepth: 1 })),
      }),
    })
    const message = fc.record(
      {
        role: fc.constantFrom('system', 'developer', 'user', 'assistant', 'tool', 'critic'),
        content,
        tool_calls: fc.array(call, { maxLength: 3 }),
        tool_call_id: id,
        name: fc.constantFrom('x', 'a b'),
        extra: fc.jsonValue({ maxDepth: 1 }),
      },
      { requiredKeys: ['role'] },
    )
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(message, { maxLength: 3 }), { maxLength: 6 }), async batches => {
        const { store, manager } = await started()
        let at = 0
        for (const [index, batch] of batches.entries()) {
          const each = index % 2 === 0 ? manager : new SessionManager(store)
          const { count } = await each.recordMessages('s', batch, index % 3 === 0 ? { at } : {})
          at += batch.length
          expect(count).toBe(at)
        }
        const plain: unknown = JSON.parse(JSON.stringify(batches.flat()))
        expect(await manager.getMessages('s', { exact: true })).toEqual(plain)
        expectSendable(await manager.getMessages('s'))
      }),
      { numRuns: 300 * thoroughness },
    )
  },
  60_000 * thoroughness,
)
