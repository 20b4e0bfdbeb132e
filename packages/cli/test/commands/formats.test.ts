import { formats } from '@turnstore/formats'
import { describe, expect, it } from 'vitest'
import { importText, lines, parseObject, turnstore } from '../turnstore.ts'

/*
 * `show` and `export` write the messages of a session in each format that has a way out.
 */

const messages = [
  { role: 'system', content: 'Be kind' },
  { role: 'user', content: 'Is there tea?' },
  {
    role: 'assistant',
    content: null,
    tool_calls: [{ id: 'c1', type: 'function', function: { name: 'stock', arguments: '{"of":"tea"}' } }],
  },
  { role: 'tool', tool_call_id: 'c1', content: '3' },
  { role: 'assistant', content: 'Three kinds.' },
]
const writable = formats.filter(format => format.fromTurns !== undefined).map(({ name }) => name)

it('has formats to write', () => {
  expect(writable).toContain('anthropic')
  expect(writable.length).toBeGreaterThan(7)
})

it('show writes messages exactly as they were recorded, in their own format', async () => {
  const { url } = await importText(lines({ id: 'a', messages }))
  const { stdout } = await turnstore(['show', 'a', '--format', 'chat'], { url })
  expect(JSON.parse(stdout)).toEqual(messages)
})

describe.each(writable)('in %s', format => {
  it('show writes messages that are recognized, or the system prompt and them', async () => {
    const { url } = await importText(lines({ id: 'a', messages }))
    const { code, stdout } = await turnstore(['show', 'a', '--format', format], { url })
    expect(code).toBe(0)
    for (const text of ['Be kind', 'Is there tea?', 'Three kinds.', 'stock']) expect(stdout).toContain(text)
  })

  it('export writes transcripts that import reads again, with the same turns', async () => {
    const { url } = await importText(
      lines({ id: 'a', messages, metadata: { lang: 'en' }, created_at: '2026-01-01T00:00:00Z' }),
    )
    const { stdout } = await turnstore(['export', '--format', format], { url })
    const again = await importText(stdout, { args: ['--format', format] })
    expect(again.code).toBe(0)
    const { stdout: json } = await turnstore(['show', 'a', '--json'], { url: again.url })
    expect(parseObject(json)).toMatchObject({
      created_at: '2026-01-01T00:00:00Z',
      metadata: { lang: 'en' },
      turns: [
        {
          prompt: 'Is there tea?',
          response_content: 'Three kinds.',
          tool_calls: [{ tool_name: 'stock', arguments: { of: 'tea' }, status: 'success' }],
        },
      ],
    })
    const { stdout: third } = await turnstore(['export', '--format', format], { url: again.url })
    expect(parseObject(third).messages).toEqual(parseObject(stdout).messages)
  })
})

it('what a format cannot take is named on stderr', async () => {
  const thinking = [
    { role: 'user', content: 'Is there tea?' },
    {
      role: 'assistant',
      content: [
        { type: 'thinking', thinking: 'They want tea.', signature: 'SECRET' },
        { type: 'text', text: 'Three kinds.' },
      ],
    },
  ]
  const { url } = await importText(lines({ id: 'a', messages: thinking }))
  const shown = await turnstore(['show', 'a', '--format', 'chat'], { url })
  expect([shown.code, shown.stderr]).toEqual([
    0,
    'Not written, because the format has no place for it: signed reasoning\n',
  ])
  const exported = await turnstore(['export', '--format', 'chat'], { url })
  expect(exported.stderr).toBe('Not written, because the format has no place for it of session a: signed reasoning\n')
})
