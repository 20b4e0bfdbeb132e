import type { JsonObject } from '@turnstore/core'
import { describe, expect, it } from 'vitest'
import { named } from './told.ts'
import { callsOf, readFile, talkOf } from './reading.ts'

const head = { sessionId: 'g', projectHash: 'c0ffee', startTime: '2026-02-03T10:00:00.000Z' }

function gemini(id: string, type: string, content: string, members: JsonObject = {}): JsonObject {
  return { id, timestamp: '2026-02-03T10:00:00.000Z', type, content, ...members }
}

describe('Lines of Gemini CLI', () => {
  it('that were rewound stay as a fork', () => {
    const { sessions, problems } = readFile('gemini-cli', [
      head,
      gemini('1', 'user', 'one'),
      gemini('2', 'gemini', '1'),
      gemini('3', 'user', 'two'),
      gemini('4', 'gemini', '2'),
      { $rewindTo: '3' },
      gemini('5', 'user', 'other'),
      { $set: { summary: 'Two questions' } },
    ])
    expect(problems.size).toBe(0)
    expect(sessions.map(each => [each.sessionId, each.parentSessionId, talkOf(each)])).toEqual([
      [
        'g',
        null,
        [
          ['one', '1'],
          ['other', null],
        ],
      ],
      [
        'g:4',
        'g',
        [
          ['one', '1'],
          ['two', '2'],
        ],
      ],
    ])
    expect(sessions[0]?.metadata.title).toBe('Two questions')
  })

  it('that replace the messages keep those that are gone as a fork', () => {
    const { sessions } = readFile('gemini-cli', [
      head,
      gemini('1', 'user', 'one'),
      gemini('2', 'gemini', '1'),
      { $set: { messages: [gemini('9', 'user', 'Summary of it all')] } },
    ])
    expect(sessions.map(talkOf)).toEqual([[['Summary of it all', null]], [['one', '1']]])
  })

  it('report an earlier version of a message that says what the later one does not', () => {
    const { sessions, problems } = readFile('gemini-cli', [
      head,
      gemini('1', 'user', 'one'),
      gemini('2', 'gemini', 'Half an answer'),
      gemini('2', 'gemini', 'Quite another'),
    ])
    expect(talkOf(sessions[0])).toEqual([['one', 'Quite another']])
    expect([...problems.keys()]).toEqual([
      'has an earlier version of a message, with text that the later one lacks; left out',
    ])
  })

  it('have results in all states', () => {
    const response = (body: JsonObject): JsonObject => ({ functionResponse: { id: 'x', name: 'f', response: body } })
    const picture = { inlineData: { mimeType: 'image/png', data: 'iVBORw0KGgo=' } }
    const { sessions, problems } = readFile('gemini-cli', [
      head,
      gemini('1', 'user', 'all'),
      gemini('2', 'gemini', '', {
        toolCalls: [
          {
            id: 'a',
            name: 'f',
            args: {},
            status: 'success',
            result: [response({ output: 'ok' })],
            resultDisplay: 'It is ok',
          },
          { id: 'b', name: 'f', args: {}, status: 'cancelled', result: [response({ error: 'Stopped by the user' })] },
          { id: 'c', name: 'f', args: {}, status: 'success', result: null, resultDisplay: 'Only shown' },
          { id: 'd', name: 'f', args: {}, status: 'success', result: [response({ output: 'see' }), picture] },
          { id: 'e', name: 'f', args: {}, status: 'executing' },
        ],
      }),
    ])
    expect(problems.size).toBe(0)
    expect(callsOf(sessions[0])).toEqual([
      { f: {}, success: 'ok' },
      { f: {}, error: 'Stopped by the user' },
      { f: {}, success: 'Only shown' },
      { f: {}, success: [response({ output: 'see' }), picture] },
      { f: {}, running: null },
    ])
  })
})

describe('Logs of Inspect', () => {
  const log = (sample: JsonObject): JsonObject => ({
    version: 2,
    status: 'success',
    eval: { eval_id: 'e', task: 'parcels', created: '2026-02-03T10:00:00.000Z' },
    samples: [{ id: 1, epoch: 1, input: 'attachment://aa', ...sample }],
  })

  it('have attachments in the places of their references, and report the others by number', () => {
    const { sessions, problems } = readFile(
      'inspect',
      log({
        messages: [
          {
            role: 'user',
            content: [
              { type: 'text', text: 'attachment://aa' },
              { type: 'image', image: 'attachment://bb' },
            ],
          },
          { role: 'assistant', content: 'attachment://unknown' },
        ],
        attachments: { aa: 'A long question', bb: 'data:image/png;base64,iVBORw0KGgo=', cc: 'Of an event alone' },
        events: [{ event: 'model' }, { event: 'state' }],
        store: { 'Memory:notes': 'Remember the milk' },
      }),
    )
    expect(talkOf(sessions[0])).toEqual([['A long question', 'attachment://unknown']])
    expect(sessions[0]?.metadata.source).toMatchObject({ input: 'A long question' })
    expect([...problems.keys()]).toEqual([
      'has events beside the messages: 2; left out',
      'has attachments beside the messages: 1; left out',
      'has store beside the messages: 1; left out',
    ])
  })

  it('have a session for each epoch, and the usage of each', () => {
    const messages = [{ role: 'user', content: 'Hi' }]
    const usage = {
      'openai/gpt-5': { input_tokens: 10, output_tokens: 4 },
      other: { input_tokens: 1, output_tokens: 1 },
    }
    const one = log({ messages, model_usage: usage })
    const { sessions } = readFile('inspect', {
      ...one,
      samples: [
        { id: 1, epoch: 1, messages, model_usage: usage },
        { id: 1, epoch: 2, messages },
      ],
    })
    expect(sessions.map(({ sessionId }) => sessionId)).toEqual(['e:1:1', 'e:1:2'])
    expect(sessions.map(({ metadata }) => metadata.usage)).toEqual([{ inputTokens: 11, outputTokens: 5 }, undefined])
  })

  it('have calls of tools that ran at the provider, and errors with their output', () => {
    const { sessions, problems } = readFile(
      'inspect',
      log({
        messages: [
          { role: 'user', content: 'Hi' },
          {
            role: 'assistant',
            content: [
              {
                type: 'tool_use',
                tool_type: 'web_search',
                id: 's',
                name: 'web_search',
                arguments: '{"q":"a b"}',
                result: 'A page',
              },
              { type: 'data', data: { compaction: 'of the provider' } },
              { type: 'text', text: 'I run it' },
            ],
            tool_calls: [{ id: 'c', function: 'bash', arguments: {}, parse_error: 'no JSON at all', type: 'function' }],
          },
          {
            role: 'tool',
            tool_call_id: 'c',
            function: 'bash',
            content: 'Half of it',
            error: { type: 'timeout', message: 'Took too long' },
          },
        ],
      }),
    )
    expect(problems.size).toBe(0)
    expect(callsOf(sessions[0])).toEqual([
      { web_search: { q: 'a b' }, success: 'A page' },
      { bash: {}, error: 'Took too long' },
    ])
    expect(talkOf(sessions[0])).toEqual([['Hi', 'I run it']])
  })

  it('without samples have a session without turns, for what they say of the run', () => {
    const failed = { version: 2, status: 'error', eval: { eval_id: 'e' }, plan: {} }
    expect(named('inspect').recognizes(failed)).toBe(true)
    const { sessions } = readFile('inspect', failed)
    expect(sessions).toMatchObject([{ sessionId: 'e', turns: [], metadata: { log: failed } }])
  })
})

describe('An export of Claude', () => {
  const said = (uuid: string, sender: string, text: string, members: JsonObject = {}): JsonObject => ({
    uuid,
    sender,
    text,
    content: [{ type: 'text', text }],
    ...members,
  })

  it('has its branches as forks', () => {
    const messages = [
      said('q1', 'human', 'one', { parent_message_uuid: '0' }),
      said('a1', 'assistant', '1', { parent_message_uuid: 'q1' }),
      said('q1b', 'human', 'one anew', { parent_message_uuid: '0' }),
      said('a1b', 'assistant', '1b', { parent_message_uuid: 'q1' }),
    ]
    const { sessions, problems } = readFile('claude-export', [{ uuid: 'u', name: '', chat_messages: messages }])
    expect(problems.size).toBe(0)
    expect(sessions.map(each => [each.sessionId, each.parentSessionId, each.metadata.current, talkOf(each)])).toEqual([
      ['u', null, undefined, [['one', '1']]],
      ['u:a1b', 'u', true, [['one', '1b']]],
      ['u:q1b', 'u', undefined, [['one anew', null]]],
    ])
  })

  it('has the text of attached files in the prompt, and calls without ids', () => {
    const { sessions, problems } = readFile('claude-export', [
      {
        uuid: 'u',
        chat_messages: [
          said('q', 'human', 'Read this', {
            attachments: [{ file_name: 'a file.txt', extracted_content: 'Dear Ada' }],
          }),
          said('a', 'assistant', 'A letter.', {
            content: [
              { type: 'tool_use', id: null, name: 'repl', input: { code: '1 + 1' } },
              { type: 'tool_result', tool_use_id: null, name: 'repl', content: [{ type: 'text', text: '2' }] },
              { type: 'text', text: 'A letter.' },
            ],
          }),
        ],
      },
    ])
    expect(problems.size).toBe(0)
    expect(talkOf(sessions[0])).toEqual([['Read this\nDear Ada', 'A letter.']])
    expect(callsOf(sessions[0])).toEqual([{ repl: { code: '1 + 1' }, success: '2' }])
  })

  it('reports text beside the blocks that they do not repeat', () => {
    const beside = said('q', 'human', 'Hi', { text: 'Something else' })
    const { problems } = readFile('claude-export', [{ uuid: 'u', chat_messages: [beside] }])
    expect([...problems.keys()]).toEqual(['has text in text that was not read; kept as it is'])
  })
})
