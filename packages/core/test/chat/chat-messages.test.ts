import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isJsonObject } from '../../src/basics/json.ts'
import { expectSendable } from './sendable.ts'
import {
  type ChatMessage,
  createTurn,
  decodeSession,
  type JsonObject,
  type JsonValue,
  type MessageProblem,
  type MessagesOptions,
  messagesFromTurns,
  type TurnInput,
  type TurnItem,
  type TurnRecord,
  turnsFromMessages,
} from '../../src/index.ts'

const dataFolder = new URL('../../../../../shared/data/', import.meta.url)
const transcripts = new URL('airline-support-chats.jsonl', dataFolder)

type Message = JsonObject & { role: string }

function parse(text: string): JsonObject {
  const value: unknown = JSON.parse(text)
  if (!isJsonObject(value)) throw new Error('The test needs an object')
  return value
}

const user = (content: JsonValue, extra: JsonObject = {}): Message => ({ role: 'user', content, ...extra })
const says = (content: JsonValue, extra: JsonObject = {}): Message => ({ role: 'assistant', content, ...extra })
const system = (content: JsonValue): Message => ({ role: 'system', content })
const call = (id: string, name = 'search', args = '{"q":"tea"}'): JsonObject => ({
  id,
  type: 'function',
  function: { name, arguments: args },
})
const calls = (...toolCalls: JsonObject[]): Message => ({ role: 'assistant', content: null, tool_calls: toolCalls })
const result = (id: string, content: JsonValue = 'found', extra: JsonObject = {}): Message => ({
  role: 'tool',
  tool_call_id: id,
  content,
  ...extra,
})

function convert(messages: readonly unknown[]): {
  turns: TurnRecord[]
  problems: MessageProblem[]
  back: JsonObject[]
  sendable: ChatMessage[]
} {
  const problems: MessageProblem[] = []
  const turns = turnsFromMessages(messages, { onProblem: problem => problems.push(problem) })
  return { turns, problems, back: messagesFromTurns(turns, { exact: true }), sendable: messagesFromTurns(turns) }
}

function turnOf(input: TurnInput): TurnRecord {
  return createTurn({ turnId: 't1', startedAt: '', endedAt: null, ...input })
}

/** The items of a turn that has these messages. */
function itemsOf(turnId: string, messages: readonly Message[]): TurnItem[] {
  return messages.map((value, index) => ({ itemId: `${turnId}:item:${index}`, format: 'chat', value }))
}

describe('converting a conversation to turns', () => {
  it('a user message starts a turn, and assistant text is its response', () => {
    const messages = [user('Hello'), says('Hello!'), user('Bye'), says('Bye!')]
    const { turns } = convert(messages)
    expect(turns).toEqual([
      turnOf({ turnId: 't1', prompt: 'Hello', responseContent: 'Hello!', items: itemsOf('t1', messages.slice(0, 2)) }),
      turnOf({ turnId: 't2', prompt: 'Bye', responseContent: 'Bye!', items: itemsOf('t2', messages.slice(2)) }),
    ])
  })

  it('tool calls are matched with their results', () => {
    const messages = [user('Tea?'), calls(call('a')), result('a', '{"n": 1}'), says('Yes')]
    const { turns } = convert(messages)
    expect(turns).toEqual([
      turnOf({
        prompt: 'Tea?',
        responseContent: 'Yes',
        toolCalls: [{ callId: 'a', toolName: 'search', arguments: { q: 'tea' }, result: '{"n": 1}' }],
        items: itemsOf('t1', messages),
      }),
    ])
  })

  it('sets the agent and the ids of the turns from the options', () => {
    const turns = turnsFromMessages([user('a'), says('b'), user('c')], {
      agentId: 'support',
      turnId: index => `s:${index}`,
    })
    expect(turns.map(({ turnId, agentId }) => [turnId, agentId])).toEqual([
      ['s:0', 'support'],
      ['s:1', 'support'],
    ])
  })

  it.each<[string, string, object]>([
    ['INVALID_ID', 'an empty agent', { agentId: '' }],
    ['INVALID_ID', 'an agent that is not a string', { agentId: 7 }],
    ['INVALID_ID', 'turns with an empty id', { turnId: () => '' }],
    ['INVALID_ID', 'turns with an id that is not a string', { turnId: Number }],
    ['INVALID_ID', 'turns with an undefined id', { turnId: (index: number) => ['a'][index] }],
    ['INVALID_ARGUMENT', 'two turns with the same id', { turnId: () => 'a' }],
    ['INVALID_ARGUMENT', 'a turnId that is not a function', { turnId: 'a' }],
    ['INVALID_ARGUMENT', 'an onProblem that is not a function', { onProblem: [] }],
  ])('refuses with %s what a store would refuse or mix up: %s', (code, _name, options) => {
    const messages = [user('SECRET'), says('b'), user('SECRET')]
    expect(() => turnsFromMessages(messages, options)).toThrow(expect.objectContaining({ code }))
  })

  it('refuses unknown options, and messages that are not an array', () => {
    const misspelt: object = { agent: 'x' }
    expect(() => turnsFromMessages([], misspelt)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
    // @ts-expect-error -- JavaScript callers can pass anything
    expect(() => turnsFromMessages({})).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
  })

  it('the last text of the assistant is the response', () => {
    const { turns } = convert([
      user('Tea?'),
      says('Let me look', { tool_calls: [call('a')] }),
      result('a'),
      says('Yes'),
      says(''),
    ])
    expect(turns).toMatchObject([{ responseContent: 'Yes', metadata: {} }])
  })

  it.each([
    ['a user message without an answer', [user('Hello')]],
    ['a call without a result', [user('Tea?'), calls(call('a'))]],
    ['a result without a response', [user('Tea?'), calls(call('a')), result('a')]],
    ['a system message after the question', [user('Hello'), system('Be kind')]],
  ])('the last turn is running if it ends with %s', (_name, messages) => {
    const { turns } = convert([user('First'), says('1'), ...messages])
    expect(turns.map(({ status }) => status)).toEqual(['success', 'running'])
  })

  it('a call without a result is running, even in an earlier turn that is finished', () => {
    const { turns } = convert([user('Tea?'), calls(call('a')), user('Well?'), says('Sorry')])
    expect(turns.map(({ status }) => status)).toEqual(['success', 'success'])
    expect(turns[0]?.toolCalls).toMatchObject([{ status: 'running', result: null }])
  })

  it('a result goes to the latest unanswered call of its id', () => {
    const { turns } = convert([
      user('?'),
      calls(call('a', 'first')),
      calls(call('a', 'second')),
      result('a', 'x'),
      result('a', 'y'),
    ])
    expect(turns[0]?.toolCalls).toMatchObject([
      { callId: 'a', toolName: 'first', result: 'y' },
      { callId: 'a#2', toolName: 'second', result: 'x' },
    ])
  })

  it('if one message has an id twice, results are matched in the order of the calls', () => {
    const { turns } = convert([
      user('?'),
      calls(call('a', 'first'), call('a', 'second')),
      result('a', 'x'),
      result('a', 'y'),
    ])
    expect(turns[0]?.toolCalls).toMatchObject([
      { callId: 'a', result: 'x' },
      { callId: 'a#2', result: 'y' },
    ])
  })

  it('an id that looks like a numbered one does not collide with it', () => {
    const { turns } = convert([user('?'), calls(call('a#2'), call('a'), call('a'), call('a#2'))])
    const ids = turns[0]?.toolCalls.map(({ callId }) => callId) ?? []
    expect(ids.slice(0, 3)).toEqual(['a#2', 'a', 'a#3'])
    expect(new Set(ids).size).toBe(4)
  })

  it('calls without an id get one, and their results are matched by order', () => {
    const { turns, problems, sendable } = convert([
      user('?'),
      {
        role: 'assistant',
        tool_calls: [{ function: { name: 'f', arguments: { a: 1 } } }, { id: '', function: { name: 'g' } }],
      },
      { role: 'tool', content: 'one' },
      { role: 'tool', content: 'two', tool_call_id: '' },
    ])
    expect(turns[0]?.toolCalls).toMatchObject([
      { callId: 't1:0', toolName: 'f', arguments: { a: 1 }, result: 'one' },
      { callId: 't1:1', toolName: 'g', arguments: {}, result: 'two' },
    ])
    expect(problems).toEqual([])
    expectSendable(sendable)
  })

  it('a conversation that grew has the same turns before the last one', () => {
    const messages = [
      system('Be kind'),
      user('1'),
      calls(call('a')),
      result('a'),
      says('x'),
      user('2'),
      calls(call('a')),
      calls(call('a')),
      result('a'),
      result('a'),
      says('y'),
      user('3'),
      says('z'),
    ]
    for (let length = 1; length < messages.length; length++) {
      const part = turnsFromMessages(messages.slice(0, length))
      expect(turnsFromMessages(messages).slice(0, part.length - 1)).toEqual(part.slice(0, -1))
    }
  })

  it('converts a hundred thousand messages with the same call id quickly', () => {
    const messages: Message[] = [user('?')]
    for (let index = 0; index < 33_333; index++) messages.push(calls(call('a')))
    for (let index = 0; index < 33_333; index++) messages.push(result('a'))
    for (let index = 0; index < 33_333; index++) messages.push(user(`${index}`))
    const begun = performance.now()
    const turns = turnsFromMessages(messages)
    expect(messagesFromTurns(turns, { exact: true })).toHaveLength(messages.length)
    expectSendable(messagesFromTurns(turns))
    // Quadratic work would take minutes.
    expect(performance.now() - begun).toBeLessThan(15_000)
  })
})

describe('converting turns back to the same messages', () => {
  const cases: Record<string, Message[]> = {
    nothing: [],
    'a plain conversation': [user('Hello'), says('Hello!'), user('Bye'), says('Bye!')],
    'a conversation started by the assistant': [says('What can I do?'), user('Nothing'), says('Good')],
    'system messages at the start, in the middle and at the end': [
      system('a'),
      { role: 'developer', content: 'b' },
      user('c'),
      system('d'),
      says('e'),
      system('f'),
      user('g'),
      says('h'),
      system('i'),
    ],
    'only a system message': [system('Be kind')],
    'two user messages in a row, and empty ones': [user('a'), user(''), user(''), says(''), user(''), says('b')],
    'several calls in one message': [
      user('?'),
      calls(call('a'), call('b'), call('c')),
      result('a'),
      result('b'),
      result('c'),
      says('x'),
    ],
    'results in another order': [user('?'), calls(call('a'), call('b')), result('b', '2'), result('a', '1'), says('x')],
    'text beside calls': [user('?'), says('Let me see', { tool_calls: [call('a')] }), result('a'), says('x')],
    'text beside calls as the only text': [user('?'), says('Bye', { tool_calls: [call('a')] }), result('a')],
    'several texts in one turn': [
      user('?'),
      says('a'),
      says('b'),
      calls(call('a')),
      result('a'),
      says(''),
      says('b'),
      says(''),
    ],
    'the same id many times': [
      user('?'),
      calls(call('a')),
      result('a', '1'),
      calls(call('a')),
      result('a', '2'),
      says('x'),
      user('?'),
      calls(call('a')),
      result('a', '3'),
      calls(call('b')),
      result('b'),
      says('y'),
    ],
    'ids that look numbered': [
      user('?'),
      calls(call('a')),
      result('a'),
      calls(call('a')),
      result('a'),
      calls(call('a#2')),
      result('a#2'),
    ],
    'ids longer than 40 characters': [
      user('?'),
      calls(call(`call_${'x'.repeat(200)}`)),
      result(`call_${'x'.repeat(200)}`),
    ],
    'contents as lists': [
      system([{ type: 'text', text: 's' }] satisfies JsonValue),
      user([
        { type: 'text', text: 'a' },
        { type: 'image_url', image_url: { url: 'u', detail: 'low' } },
        { type: 'text', text: 'b', cache_control: {} },
      ]),
      says(
        [
          { type: 'text', text: 'c' },
          { type: 'text', text: '' },
        ],
        { tool_calls: [call('a')] },
      ),
      result('a', [{ type: 'text', text: 'd' }]),
      says([
        { type: 'text', text: 'e' },
        { type: 'refusal', refusal: 'f' },
      ]),
      user([]),
      says([]),
      user([{ type: 'image_url', image_url: { url: 'u' } }]),
      says([{ type: 'text', text: '' }]),
    ],
    'contents that are null or missing': [
      user(null),
      says(null),
      user('?'),
      { role: 'assistant', tool_calls: [call('a')] },
      result('a', null),
      says(null, { refusal: 'No' }),
    ],
    'unknown members': [
      user('a', { name: 'Mia' }),
      says('b', { refusal: null, audio: { id: 'x' }, annotations: [], function_call: null }),
      user('c'),
      {
        ...calls(
          { ...call('a'), index: 0 },
          { id: 'b', type: 'function', function: { name: 'f', arguments: '{}', strict: true } },
        ),
        refusal: null,
      },
      result('a', '1', { name: 'search' }),
      result('b', '2', { name: 'other', is_error: true }),
      says('d'),
    ],
    'arguments as the model wrote them': [
      '',
      '{',
      '[1]',
      '"x"',
      'null',
      '1',
      '{"a": 1}',
      '{"b":1,"a":2}',
      '{"a":1,"a":2}',
      '{"2":1,"1":1}',
      '{"n":1.0}',
      '{"n":-0}',
      '{"n":1e999}',
      '{"__proto__":{"a":1}}',
      '{"\\u00e9":1}',
      '[['.repeat(5000),
      `${'{"a":'.repeat(500)}1${'}'.repeat(500)}`,
    ].flatMap((text, index) => [user('?'), calls(call(`c${index}`, 'f', text)), result(`c${index}`), says('x')]),
    'a result that is JSON text, as it was': [user('?'), calls(call('a')), result('a', '{ "a": [1,\n2] }'), says('x')],
    'keys and texts with a special meaning in JavaScript': [
      user('__proto__', parse('{"__proto__":{"admin":true},"constructor":1}')),
      calls(call('__proto__', 'toString')),
      result('__proto__', '\ud800'),
    ],
  }

  it.each(Object.keys(cases))('%s', name => {
    const messages = cases[name] ?? []
    const { problems, back, sendable } = convert(messages)
    expect(back).toStrictEqual(messages)
    expect(problems).toEqual([])
    expectSendable(sendable)
    expect(turnsFromMessages(back)).toEqual(turnsFromMessages(messages))
  })

  it('turns can be stored: they are JSON within the depth limit', () => {
    for (const messages of Object.values(cases)) {
      for (const turn of turnsFromMessages(messages)) expect(createTurn(turn)).toEqual(turn)
    }
  })

  it.skipIf(!existsSync(transcripts))('sixty sample transcripts', () => {
    const lines = readFileSync(transcripts, 'utf8').trim().split('\n')
    expect(lines).toHaveLength(60)
    for (const line of lines) {
      const { messages } = parse(line)
      if (!Array.isArray(messages)) throw new Error('Unexpected sample data')
      const { back, problems, sendable } = convert(messages)
      expect(back).toEqual(messages)
      expect(problems).toEqual([])
      // They are in the form that a model takes, but for empty results, so nothing else is altered.
      const clean = messages.map(each =>
        isJsonObject(each) && each.content === '' ? { ...each, content: 'The tool call gave no output.' } : each,
      )
      expect(sendable).toEqual(clean)
      expectSendable(sendable)
    }
  })

  it('every conversation that an API accepts', () => {
    fc.assert(
      fc.property(conversation(), messages => {
        const { back, problems, turns, sendable } = convert(messages)
        expect(back).toEqual(messages)
        expect(problems).toEqual([])
        expectSendable(sendable)
        for (const turn of turns) {
          const ids = turn.toolCalls.map(({ callId }) => callId)
          expect(new Set(ids).size).toBe(ids.length)
        }
      }),
      { numRuns: 500 },
    )
  })
})

function text(): fc.Arbitrary<string> {
  return fc.oneof(fc.constantFrom('', 'a', 'b\nc', '12', '{"a": 1}'), fc.string())
}

function contents(): fc.Arbitrary<JsonValue> {
  const part = fc.oneof(
    text().map((text): JsonObject => ({ type: 'text', text })),
    text().map((text): JsonObject => ({ type: 'text', text, cache: { a: 1 } })),
    fc.constant<JsonObject>({ type: 'image_url', image_url: { url: 'u' } }),
  )
  return fc.oneof({ weight: 3, arbitrary: text() }, fc.array(part, { maxLength: 4 }))
}

function conversation(): fc.Arbitrary<Message[]> {
  const extra = fc.oneof(
    { weight: 4, arbitrary: fc.constant<JsonObject>({}) },
    fc.constantFrom<JsonObject>({ name: 'x' }, { refusal: null }),
  )
  const id = fc.constantFrom('a', 'a#2', 'b', 't1:0', `long${'g'.repeat(50)}`)
  const group = fc
    .uniqueArray(id, { minLength: 1, maxLength: 4 })
    .chain(ids =>
      fc.tuple(
        fc.constant(ids),
        fc.shuffledSubarray(ids, { minLength: ids.length }),
        fc.oneof(fc.constant<JsonValue>(null), contents()),
        fc.constantFrom('{}', '{"a":1}', '{ }', 'x'),
        contents(),
        extra,
      ),
    )
    .map(([ids, order, content, args, answer, more]): Message[] => [
      { ...says(content), ...more, tool_calls: ids.map(each => call(each, 'f', args)) },
      ...order.map(each => result(each, answer, more)),
    ])
  const single = fc
    .tuple(fc.constantFrom('system', 'developer', 'user', 'assistant'), contents(), extra)
    .map(([role, content, more]): Message[] => [{ role, content, ...more }])
  return fc.array(fc.oneof(single, group), { maxLength: 12 }).map(messages => messages.flat())
}

describe('damaged conversations', () => {
  const damaged: Record<string, [messages: unknown[], problemAt: number, left: number, loss: MessageProblem['loss']]> =
    {
      'a result without a call': [[user('a'), result('x'), says('b')], 1, 2, 'none'],
      'a second result': [[user('a'), calls(call('x')), result('x'), result('x'), says('b')], 3, 4, 'none'],
      'an unknown role': [[user('a'), { role: 'critic', content: 'SECRET' }, says('b')], 1, 2, 'none'],
      'no role': [[user('a'), { content: 'SECRET' }], 1, 1, 'none'],
      'a message that is null': [[null, user('a')], 0, 1, 'message'],
      'a message that is text': [['SECRET', user('a')], 0, 1, 'message'],
      'a message that is an array': [[[user('SECRET')], user('a')], 0, 1, 'message'],
      'a hole': [Array.from({ length: 1 }), 0, 0, 'message'],
      'a class instance': [[new Date(0), user('a')], 0, 1, 'message'],
      'content that is a number': [[user(12)], 0, 1, 'none'],
      'content that is an object': [[user({ type: 'text', text: 'SECRET' })], 0, 1, 'none'],
      'parts without a type': [[user([{ text: 'SECRET' }])], 0, 1, 'none'],
      'a text part whose text is a number': [[user([{ type: 'text', text: 5 }])], 0, 1, 'none'],
      'tool_calls that are not an array': [
        [user('a'), { role: 'assistant', content: 'b', tool_calls: 'SECRET' }],
        1,
        2,
        'none',
      ],
      'a call that is not an object': [
        [user('a'), { role: 'assistant', content: 'b', tool_calls: ['SECRET'] }],
        1,
        2,
        'none',
      ],
      'a call without a name': [
        [user('a'), { role: 'assistant', content: 'b', tool_calls: [{ id: 'x' }] }],
        1,
        2,
        'none',
      ],
      'a member that is not JSON': [
        [user('a'), { role: 'assistant', content: 'b', parsed: new Map([['SECRET', 1]]) }],
        1,
        2,
        'part',
      ],
      'a member that throws': [
        [
          {
            role: 'user',
            get content() {
              throw new Error('SECRET')
            },
          },
        ],
        0,
        0,
        'part',
      ],
      'content that is too deep': [
        [{ role: 'user', content: parse(`{"a":${'['.repeat(200)}${']'.repeat(200)}}`) }],
        0,
        0,
        'part',
      ],
    }

  it.each(Object.keys(damaged))(
    '%s: reported with its index and without its content, and the result is valid',
    name => {
      const [messages, index, left, loss] = damaged[name] ?? [[], 0, 0, 'none']
      const { problems, sendable, turns } = convert(messages)
      expect(problems).toMatchObject([{ index, loss }])
      expect(problems[0]?.message).not.toContain('SECRET')
      expect(sendable).toHaveLength(left)
      expectSendable(sendable)
      for (const turn of turns) expect(createTurn(turn)).toEqual(turn)
      expect(() => turnsFromMessages(messages)).toThrow(expect.objectContaining({ code: 'INVALID_RECORD' }))
      expect(() => turnsFromMessages(messages)).toThrow(`messages[${index}]`)
      expect(() => turnsFromMessages(messages)).not.toThrow('SECRET')
    },
  )

  it('legacy calls and results are matched by function name', () => {
    const { turns, sendable } = convert([
      user('a'),
      { role: 'assistant', content: null, function_call: { name: 'f', arguments: '{"a":1}' } },
      { role: 'function', name: 'f', content: 'r' },
      says('b'),
    ])
    expect(turns[0]?.toolCalls).toMatchObject([{ toolName: 'f', arguments: { a: 1 }, result: 'r', status: 'success' }])
    expectSendable(sendable)
    expect(sendable).toHaveLength(4)
  })

  it('custom calls are read as calls of a function', () => {
    const custom = { id: 'x', type: 'custom', custom: { name: 'f', input: 'free text' } }
    const { turns, sendable } = convert([user('a'), calls(custom), result('x')])
    expect(turns[0]?.toolCalls).toMatchObject([{ toolName: 'f', arguments: {}, status: 'success' }])
    expect(sendable[1]).toEqual(calls(call('x', 'f', '{"arguments":"free text"}')))
  })

  it('a message that exceeds the limit of a part is reported with its index', () => {
    const huge = 'x'.repeat(16 * 1024 * 1024)
    expect(() => turnsFromMessages([user('a'), says(huge)], { onProblem: () => {} })).toThrow(
      /messages\[1\] is larger than 16777216 bytes/,
    )
  })

  it('a late result is matched with its call and follows it', () => {
    const { turns, problems, sendable } = convert([
      user('a'),
      calls(call('x')),
      user('b'),
      result('x', 'late'),
      says('c'),
    ])
    expect(problems).toEqual([])
    expect(turns[0]?.toolCalls).toMatchObject([{ result: 'late', status: 'success' }])
    expect(sendable.map(({ role }) => role)).toEqual(['user', 'assistant', 'tool', 'user', 'assistant'])
    expectSendable(sendable)
  })

  it('any result can be sent and stored', () => {
    const junk = fc.oneof(
      fc.jsonValue().map((value): unknown => value),
      fc.record(
        {
          role: fc.constantFrom('user', 'assistant', 'tool', 'system', 'function', 'x'),
          content: fc.oneof(fc.constant(null), fc.jsonValue(), contents()),
          tool_calls: fc.oneof(
            fc.jsonValue(),
            fc.array(
              fc.record({
                id: fc.constantFrom('a', '', 'b', 5),
                function: fc.record({ name: fc.constant('f'), arguments: fc.jsonValue() }),
              }),
            ),
          ),
          function_call: fc.oneof(fc.constant(null), fc.record({ name: fc.constantFrom('f', 'g') })),
          tool_call_id: fc.constantFrom('a', 'b', '', 5, null),
          name: fc.constantFrom('f', 1),
        },
        { requiredKeys: ['role'] },
      ),
    )
    fc.assert(
      fc.property(fc.array(junk), messages => {
        const { turns, sendable } = convert(messages)
        expectSendable(sendable)
        for (const turn of turns) expect(createTurn(turn)).toEqual(turn)
      }),
      { numRuns: 500 },
    )
  })
})

describe('converting any turns to messages that can be sent', () => {
  it('a recorded turn: prompt, each call with its result, response', () => {
    const turn = turnOf({
      prompt: 'Tea?',
      responseContent: 'Yes',
      toolCalls: [
        { callId: 'a', toolName: 'f', arguments: { b: 1 }, result: { n: [1] } },
        { callId: 'b', toolName: 'g', result: null },
      ],
    })
    expect(messagesFromTurns([turn])).toEqual([
      user('Tea?'),
      calls(call('a', 'f', '{"b":1}')),
      result('a', '{"n":[1]}'),
      calls(call('b', 'g', '{}')),
      result('b', 'null'),
      says('Yes'),
    ])
  })

  it('a call without a result gets a placeholder, so that the model does not repeat it', () => {
    const turn = turnOf({
      prompt: 'Pay',
      status: 'running',
      toolCalls: [{ callId: 'a', toolName: 'pay', status: 'running' }],
    })
    const messages = messagesFromTurns([turn])
    expect(messages.at(-1)).toEqual(
      result('a', 'No result was recorded for this tool call; it may have taken effect or not.'),
    )
    expectSendable(messages)
    // The placeholder is not imported as a result.
    expect(turnsFromMessages(messages)).toMatchObject([
      { status: 'running', toolCalls: [{ status: 'running', result: null }] },
    ])
  })

  it('a failed call has its error as content, or else its status', () => {
    const turn = turnOf({
      prompt: 'x',
      toolCalls: [
        { callId: 'a', toolName: 'f', status: 'error', error: 'no such seat' },
        { callId: 'b', toolName: 'f', status: 'error', error: 'the error', result: 'the result' },
        { callId: 'c', toolName: 'f', status: 'timeout' },
        { callId: 'd', toolName: 'f', status: 'error', result: 'only a result' },
      ],
    })
    expect(messagesFromTurns([turn]).flatMap(message => (message.role === 'tool' ? [message.content] : []))).toEqual([
      'no such seat',
      'the error',
      'This tool call ended with status timeout and without a result.',
      'only a result',
    ])
  })

  it('a cancelled or failed turn gets no made-up response', () => {
    const turns = ['cancelled', 'error'].map(status =>
      turnOf({ turnId: status, prompt: status, status, error: 'stack trace' }),
    )
    expect(messagesFromTurns(turns)).toEqual([user('cancelled'), user('error')])
  })

  it('a turn without a prompt has no user message', () => {
    expect(messagesFromTurns([turnOf({ responseContent: 'Good morning' }), turnOf({})])).toEqual([says('Good morning')])
  })

  it('an id that is used again in a later message passes, and a missing one is made up', () => {
    const toolCalls = [
      { callId: 'a', toolName: 'f' },
      { callId: 'a', toolName: 'f' },
      { callId: '', toolName: 'f' },
    ]
    const messages = messagesFromTurns([turnOf({ toolCalls }), turnOf({ turnId: 't2', toolCalls })])
    expectSendable(messages)
    const ids = messages.flatMap(message => (message.role === 'tool' ? [message.tool_call_id] : []))
    expect(ids.map(id => (id === 'a' ? 'a' : 'made up'))).toEqual(['a', 'a', 'made up', 'a', 'a', 'made up'])
    expect(new Set(ids).size).toBe(3)
  })

  it('ids do not exceed the maximum length of APIs', () => {
    const toolCalls = [1, 2, 3]
      .map(() => ({ callId: 'x'.repeat(39), toolName: 'f' }))
      .concat({ callId: 'y'.repeat(200), toolName: 'f' })
    const messages = messagesFromTurns([turnOf({ toolCalls })])
    expectSendable(messages)
    expect(messages.filter(message => message.role === 'tool' && message.tool_call_id.length > 40)).toEqual([])
  })

  const reference = new URL('reference-layout/airline-00-0.json', dataFolder)
  it.skipIf(!existsSync(reference))('turns of the reference, whose call ids repeat', () => {
    const session = decodeSession(JSON.parse(readFileSync(fileURLToPath(reference), 'utf8')))
    const messages = messagesFromTurns(session.turns)
    expectSendable(messages)
    expect(messages.filter(({ role }) => role === 'user')).toHaveLength(session.turns.length)
  })

  describe('a turn with messages as items', () => {
    const [imported] = turnsFromMessages([
      system('Be kind'),
      user('Tea?'),
      says('Let me look', { tool_calls: [call('a'), call('')] }),
    ])
    const sentBy = (changes: Partial<TurnRecord>, options: MessagesOptions = {}): (ChatMessage | JsonObject)[] =>
      imported === undefined ? [] : messagesFromTurns([{ ...imported, ...changes }], options)

    it('is its items alone: what was recorded beside them says the same', () => {
      const messages = sentBy({
        prompt: 'Coffee?',
        responseContent: 'Yes',
        status: 'success',
        metadata: { chat: ['user'] },
      })
      expect(messages.map(({ role }) => role)).toEqual(['system', 'user', 'assistant', 'tool', 'tool'])
      expect(JSON.stringify(messages)).not.toContain('Coffee')
    })

    it('its calls have the results that were recorded beside the messages', () => {
      const toolCalls = imported?.toolCalls.map(each => ({ ...each, status: 'error', error: `failed ${each.callId}` }))
      expect(sentBy({ toolCalls: toolCalls ?? [] }).map(({ content }) => content)).toEqual([
        'Be kind',
        'Tea?',
        'Let me look',
        'failed a',
        'failed t1:1',
      ])
    })

    it('calls that no message names follow', () => {
      const more = turnOf({ toolCalls: [{ callId: 'b', toolName: 'g', result: 1 }] }).toolCalls
      const messages = sentBy({ toolCalls: [...(imported?.toolCalls ?? []), ...more] })
      expect(messages.slice(5)).toEqual([calls(call('b', 'g', '{}')), result('b', '1')])
      expect(sentBy({ toolCalls: more }, { exact: true })).toHaveLength(3)
    })

    it.each(['running', 'interrupted'])('half an answer of a turn that is %s is dropped, or kept', status => {
      const partial = { status, responseContent: 'We ha' }
      expect(JSON.stringify(sentBy(partial))).not.toContain('We ha')
      expect(sentBy(partial, { incomplete: 'keep' }).at(-1)).toEqual(says('We ha'))
      // What stands in an item is complete.
      expect(JSON.stringify(sentBy({ status, responseContent: 'Let me look' }, { incomplete: 'keep' }))).toMatch(
        /^((?!Let me look).)*Let me look((?!Let me look).)*$/,
      )
      const plain = turnOf({ prompt: 'x', ...partial })
      expect(messagesFromTurns([plain])).toEqual([user('x')])
      expect(messagesFromTurns([plain], { exact: true })).toEqual([user('x')])
      expect(messagesFromTurns([plain], { incomplete: 'keep' })).toEqual([user('x'), says('We ha')])
    })

    it('items of other formats are not rendered', () => {
      const items = [{ itemId: 'i', format: 'ai-sdk', value: { role: 'user', content: 'other' } }]
      expect(messagesFromTurns([turnOf({ prompt: 'x', items })])).toEqual([user('x')])
    })
  })

  it.each([
    ['a lone surrogate', user('cut \ud83d'), user('cut \ufffd')],
    [
      'a lone surrogate in arguments',
      calls(call('a', 'f', '{"a":"\\ud83d"}')),
      calls(call('a', 'f', '{"a":"\ufffd"}')),
    ],
    ['arguments that are no JSON', calls(call('a', 'f', '{"a":')), calls(call('a', 'f', '{"arguments":"{\\"a\\":"}'))],
    ['a name with other characters', calls(call('a', 'my tool.run/é')), calls(call('a', 'my_tool_run__'))],
    ['a call without a name', calls(call('a', '')), calls(call('a', 'unnamed'))],
    ['unknown members', user('x', { cache: 1 }), user('x')],
    ['empty text beside calls', says('', { tool_calls: [call('a')] }), calls(call('a'))],
    [
      'an empty part',
      user([
        { type: 'text', text: '' },
        { type: 'text', text: 'x' },
      ]),
      user([{ type: 'text', text: 'x' }]),
    ],
    ['a refusal', says(null, { refusal: 'No' }), says('No')],
    ['an unknown part', user([{ type: 'text', text: 'x' }, { type: 'thing' }]), user([{ type: 'text', text: 'x' }])],
    ['null user content', user(null), null],
    ['blank text', says(' \n'), null],
    ['a list without parts', user([]), null],
  ])('%s becomes what providers take', (_name, recorded, sent) => {
    const { sendable } = convert([user('?'), recorded])
    expect(sendable[1] ?? null).toEqual(sent)
    expectSendable(sendable)
  })

  it('a provider gets the ids that it wants', () => {
    const { turns } = convert([user('?'), calls(call('call_1'), call('call_2')), result('call_2')])
    const messages = messagesFromTurns(turns, { callId: id => `x${id.at(-1)}` })
    expect(messages.slice(1)).toMatchObject([
      { tool_calls: [{ id: 'x1' }, { id: 'x2' }] },
      { tool_call_id: 'x2' },
      { tool_call_id: 'x1' },
    ])
    const wrong: MessagesOptions[] = [{ exact: true, callId: id => id }, { callId: () => '' }]
    for (const options of wrong) {
      expect(() => messagesFromTurns(turns, options)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
    }
  })

  it('returns copies: modifying the messages does not modify the turns', () => {
    const turns = turnsFromMessages([
      user(
        [
          { type: 'text', text: 'a' },
          { type: 'x', deep: { a: 1 } },
        ],
        { metadata: { b: 1 } },
      ),
      says('c'),
    ])
    const before = structuredClone(turns)
    const [first] = messagesFromTurns(turns, { exact: true })
    if (Array.isArray(first?.content)) for (const part of first.content) Object.assign(Object(part), { deep: null })
    Object.assign(first ?? {}, { metadata: null })
    expect(turns).toEqual(before)
  })
})
