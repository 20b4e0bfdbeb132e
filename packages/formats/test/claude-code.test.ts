import type { JsonObject, JsonValue } from '@turnstore/core'
import { describe, expect, it } from 'vitest'
import { recognize } from '../src/index.ts'
import { claudeCodeLines } from './native-files/claude-code.ts'
import { callsOf, readFile, talkOf, usageOf } from './reading.ts'

const hello = {
  system: null,
  turns: [{ prompt: 'Hi', picture: false, steps: [], answer: 'Ho' }],
}

function entry(uuid: string, type: string, content: JsonValue, members: JsonObject = {}): JsonObject {
  const line = { uuid, type, sessionId: 's', timestamp: '2026-02-03T10:00:00.000Z', message: { role: type, content } }
  return { parentUuid: null, isSidechain: false, ...line, ...members }
}

describe('Subagents of Claude Code', () => {
  it('are sessions of their own, by the name of the agent', () => {
    const lines = [
      ...claudeCodeLines(hello, 's'),
      ...claudeCodeLines(
        { ...hello, turns: [{ ...hello.turns[0], prompt: 'Explore', picture: false, steps: [], answer: 'Done' }] },
        's',
        {
          isSidechain: true,
          agentId: 'aae4fe6',
        },
      ),
    ]
    const { sessions, problems } = readFile('claude-code', lines)
    expect(problems.size).toBe(0)
    expect(sessions.map(each => [each.sessionId, each.parentSessionId, talkOf(each)])).toEqual([
      ['s', null, [['Hi', 'Ho']]],
      ['s:aae4fe6', 's', [['Explore', 'Done']]],
    ])
  })

  it('of older versions have no name, and are told apart by their first entry', () => {
    const side = { isSidechain: true }
    const { sessions } = readFile('claude-code', [
      entry('m1', 'user', 'Do both'),
      entry('a1', 'user', 'First', side),
      entry('b1', 'user', 'Second', side),
      entry('a2', 'assistant', [{ type: 'text', text: 'One' }], { ...side, parentUuid: 'a1' }),
      entry('b2', 'assistant', [{ type: 'text', text: 'Two' }], { ...side, parentUuid: 'b1' }),
      entry('m2', 'assistant', [{ type: 'text', text: 'Both done' }], { parentUuid: 'm1' }),
    ])
    expect(sessions.map(each => [each.sessionId, talkOf(each)])).toEqual([
      ['s', [['Do both', 'Both done']]],
      ['s:a1', [['First', 'One']]],
      ['s:b1', [['Second', 'Two']]],
    ])
  })
})

describe('Entries of Claude Code', () => {
  it('of one message are one message, and its usage counts once', () => {
    const message = (content: JsonObject): JsonObject => ({
      message: {
        id: 'msg_1',
        model: 'claude',
        role: 'assistant',
        content: [content],
        usage: { input_tokens: 3, output_tokens: 5 },
      },
    })
    const { sessions, problems } = readFile('claude-code', [
      entry('1', 'user', 'Hi'),
      entry('2', 'assistant', null, message({ type: 'thinking', thinking: 'Hm, let me see', signature: 'c2ln' })),
      entry('3', 'assistant', null, message({ type: 'text', text: 'I look.' })),
      entry('4', 'assistant', null, message({ type: 'tool_use', id: 'c1', name: 'Read', input: { path: 'a' } })),
      entry('5', 'assistant', null, message({ type: 'tool_use', id: 'c2', name: 'Read', input: { path: 'b' } })),
      entry('6', 'user', [
        { type: 'tool_result', tool_use_id: 'c1', content: 'A' },
        { type: 'tool_result', tool_use_id: 'c2', content: 'No such file', is_error: true },
      ]),
    ])
    expect(problems.size).toBe(0)
    expect(usageOf(sessions[0])).toEqual([{ inputTokens: 3, outputTokens: 5 }])
    expect(callsOf(sessions[0])).toEqual([
      { Read: { path: 'a' }, success: 'A' },
      { Read: { path: 'b' }, error: 'No such file' },
    ])
    expect(sessions[0]?.turns[0]?.items).toHaveLength(6)
  })

  it('that the tool wrote in the name of the user open no turn', () => {
    const { sessions, problems } = readFile('claude-code', [
      entry('1', 'user', 'Caveat: the messages below are by the user', { isMeta: true }),
      entry('2', 'user', '<command-name>/model</command-name>'),
      entry('3', 'user', '<local-command-stdout>Set model to opus</local-command-stdout>'),
      entry('4', 'user', 'Hi'),
      entry('5', 'assistant', [{ type: 'text', text: 'Ho' }]),
      {
        ...entry('6', 'system', null),
        subtype: 'compact_boundary',
        content: 'Conversation compacted',
        compactMetadata: { trigger: 'auto', preTokens: 167710 },
      },
      entry('7', 'user', 'This session is being continued from a previous one', { isCompactSummary: true }),
      entry('8', 'assistant', [{ type: 'text', text: 'Prompt is too long' }], {
        isApiErrorMessage: true,
        message: {
          id: 'x',
          model: '<synthetic>',
          role: 'assistant',
          content: [{ type: 'text', text: 'Prompt is too long' }],
        },
      }),
    ])
    expect(problems.size).toBe(0)
    expect(talkOf(sessions[0])).toEqual([
      ['<command-name>/model</command-name>', null],
      ['Hi', 'Prompt is too long'],
    ])
    expect(sessions[0]?.turns.map(({ metadata }) => metadata.model)).toEqual([undefined, undefined])
  })

  it('that were queued meanwhile are prompts if they are of the user', () => {
    const queued = (uuid: string, prompt: string, commandMode: string): JsonObject => ({
      ...entry(uuid, 'attachment', null),
      attachment: { type: 'queued_command', prompt, commandMode },
      rendered: [{ content: '<system-reminder>The same again</system-reminder>' }],
    })
    const { sessions, problems } = readFile('claude-code', [
      entry('1', 'user', 'Hi'),
      { type: 'queue-operation', operation: 'enqueue', sessionId: 's', content: 'And the logs' },
      queued('2', 'Task 7 has ended', 'task-notification'),
      entry('3', 'assistant', [{ type: 'text', text: 'Ho' }]),
      queued('4', 'And the logs', 'prompt'),
      entry('5', 'assistant', [{ type: 'text', text: 'Both' }]),
    ])
    expect(problems.size).toBe(0)
    expect(talkOf(sessions[0])).toEqual([
      ['Hi', 'Ho'],
      ['And the logs', 'Both'],
    ])
  })

  it('give the title: one given by hand, else the summary of this session', () => {
    const lines = claudeCodeLines(hello, 's')
    const summary = (leafUuid: string, text: string): JsonObject => ({ type: 'summary', summary: text, leafUuid })
    const own = summary(`s-${lines.length - 1}`, 'Of this session')
    const title = (...others: JsonObject[]): unknown =>
      readFile('claude-code', [...others, ...lines]).sessions[0]?.metadata.title
    expect(title(summary('elsewhere', 'Of another'))).toBe(undefined)
    expect(title(own, summary('elsewhere', 'Of another'))).toBe('Of this session')
    expect(title(own, { type: 'custom-title', customTitle: 'By hand', sessionId: 's' })).toBe('By hand')
  })

  it('of unknown types are reported and kept, and do not make the file another', () => {
    const odd = [
      { type: 'hologram', text: 'A red rose' },
      'no object',
      { ...entry('9', 'user', 'Hi'), aside: 'So he said' },
    ]
    const file = [...claudeCodeLines(hello, 's'), ...odd]
    expect(recognize(file)).toMatchObject({ format: { name: 'claude-code' } })
    const { sessions, problems } = readFile('claude-code', file)
    expect([...problems.keys()].toSorted()).toEqual([
      'has a line that is no object; left out',
      'has text in aside that was not read; kept as it is',
      'is an entry of an unknown type; kept, but not read',
    ])
    expect(JSON.stringify(sessions)).toContain('A red rose')
  })
})

describe('What the user stopped', () => {
  it.each(['[Request interrupted by user]', '[Request interrupted by user for tool use]'])(
    'is a turn that was cancelled, and no prompt: %s',
    text => {
      const { sessions } = readFile('claude-code', [
        entry('u1', 'user', 'Sleep.'),
        entry('u2', 'assistant', [{ type: 'tool_use', id: 'c1', name: 'Bash', input: {} }]),
        entry('u3', 'user', [{ type: 'tool_result', tool_use_id: 'c1', content: 'Rejected', is_error: true }]),
        entry('u4', 'user', [{ type: 'text', text }]),
        entry('u5', 'user', 'Wake up.'),
        entry('u6', 'user', [{ type: 'text', text }]),
      ])
      expect(sessions[0]?.turns.map(({ prompt, status }) => [prompt, status])).toEqual([
        ['Sleep.', 'cancelled'],
        ['Wake up.', 'cancelled'],
      ])
    },
  )
})
