import type { JsonObject } from '@turnstore/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { talks } from './conversations.ts'
import { natives } from './native.ts'
import { named } from './told.ts'

function problemsOf(format: string, ...messages: JsonObject[]): string[] {
  const problems: string[] = []
  named(format).toTurns(messages, { onProblem: ({ message }) => void problems.push(message) })
  return problems
}

const unread = (path: string): string => `has text in ${path} that was not read; kept as it is`

describe('Text that nobody read', () => {
  it.each(natives)('is reported in a member that $name does not have', native => {
    fc.assert(
      fc.property(talks, fc.nat(), fc.constantFrom('So he said', 'schön', '你好'), (talk, place, text) => {
        const messages = native.write(talk)
        const at = place % messages.length
        const changed = messages.map((message, index) =>
          index === at ? { ...message, remark: { of: [text] } } : message,
        )
        const inside = problemsOf(native.name, ...changed)
        expect(inside).toEqual([unread('remark.of[]')])
      }),
      { numRuns: 30 },
    )
  })

  it('is reported beside the parts of the AI SDK, unless it repeats them', () => {
    const message = { id: 'm', role: 'user', parts: ['a b', 'c'].map(text => ({ type: 'text', text })) }
    expect(problemsOf('ai-sdk', { ...message, content: 'a bc' })).toEqual([])
    expect(problemsOf('ai-sdk', { ...message, content: 'a b\nc' })).toEqual([])
    expect(problemsOf('ai-sdk', { ...message, content: 'Something else' })).toEqual([unread('content')])
    expect(problemsOf('ai-sdk', { ...message, content: 'Else' })).toEqual([unread('content')])
  })

  it('is no id, type, medium, time or fact', () => {
    const message = {
      role: 'user',
      content: 'Hi',
      id: 'msg_0123',
      kind: 'plain',
      picture: 'iVBORw0KGgo=',
      at: '2026-02-03 10:00:00',
      name: 'Ada Lovelace',
      metadata: { note: 'Seen by a person' },
    }
    expect(problemsOf('chat', message)).toEqual([])
  })

  it('is named by its place, never by what it says', () => {
    expect(problemsOf('chat', { role: 'user', content: 'Hi', 'Dear Ada': { 'my\nsecret': 'a b' } })).toEqual([
      unread('*.*'),
    ])
  })

  it('is found where a single word is text', () => {
    expect(problemsOf('chat', { role: 'assistant', content: null, audio: { id: 'a', text: 'Yes' } })).toEqual([
      unread('audio.text'),
    ])
  })
})

describe('Calls whose arguments are no JSON', () => {
  it('are read from LangChain, beside the others', () => {
    const call = { id: 'c1', name: 'f', args: { a: 1 }, type: 'tool_call' }
    const invalid = { id: 'c2', name: 'f', args: '{"a": 1', error: 'It ends too soon', type: 'invalid_tool_call' }
    const message = { type: 'ai', data: { type: 'ai', content: '', tool_calls: [call], invalid_tool_calls: [invalid] } }
    const [turn] = named('langchain').toTurns([message])
    expect(turn?.toolCalls.map(each => [each.callId, each.arguments])).toEqual([
      ['c1', { a: 1 }],
      ['c2', {}],
    ])
  })
})

describe('That a call failed', () => {
  const messages = [
    { role: 'user', content: 'Go' },
    { role: 'assistant', content: [{ type: 'tool_use', id: 'c1', name: 'f', input: {} }] },
    { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'c1', content: 'It broke', is_error: true }] },
  ]
  const turns = named('anthropic').toTurns(messages)
  const lostOf = (format: string): readonly string[] | undefined => named(format).fromTurns?.(turns).lost

  it('is named as lost by the formats that cannot say it, and by no other', () => {
    const cannot = ['chat', 'openai-responses', 'openai-agents', 'sharegpt']
    for (const format of cannot)
      expect([format, lostOf(format)]).toEqual([format, expect.arrayContaining(['that a call failed'])])
    for (const format of ['ai-sdk', 'ai-sdk-model', 'gemini', 'langchain'])
      expect([format, lostOf(format)]).toEqual([format, []])
  })

  it('comes from a record without items too', () => {
    const record = turns.map(turn => ({ ...turn, items: [] }))
    const written = named('langchain').fromTurns?.(record).messages
    expect(written?.at(-1)).toMatchObject({ data: { status: 'error', content: 'It broke' } })
  })
})
