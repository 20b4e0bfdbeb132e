import type { JsonObject } from '@turnstore/core'
import { describe, expect, it } from 'vitest'
import { recognize } from '../src/index.ts'
import { chatGptMapping, chatGptMessage as message, chatGptText as text } from './native-files/chatgpt.ts'
import { callsOf, readFile, talkOf } from './reading.ts'

function record(mapping: JsonObject, current: string, members: JsonObject = {}): JsonObject {
  return { title: 'A title', conversation_id: 'c', mapping, current_node: current, ...members }
}

/** A tree given as its children, by id. User and assistant take turns. */
function tree(children: Record<string, string[]>): JsonObject {
  const parents = new Map(Object.entries(children).flatMap(([id, ids]) => ids.map(child => [child, id] as const)))
  const ids = ['root', ...parents.keys()]
  const depth = (id: string): number => (id === 'root' ? 0 : 1 + depth(parents.get(id) ?? 'root'))
  // Written newest first: the order of a mapping says nothing.
  return Object.fromEntries(
    ids.toReversed().map(id => [
      id,
      {
        id,
        parent: parents.get(id) ?? null,
        children: children[id] ?? [],
        message: id === 'root' ? null : message(id, depth(id) % 2 === 1 ? 'user' : 'assistant', text(id)),
      },
    ]),
  )
}

const regenerated = { root: ['q1'], q1: ['a1', 'a1b'], a1: ['q2'], q2: ['a2'], a1b: ['q2b', 'q2c'], q2b: ['a2b'] }

describe('Branches of a conversation of ChatGPT', () => {
  it('become forks of the branch that they leave', () => {
    const { sessions, problems } = readFile('chatgpt', [record(tree(regenerated), 'a2b')])
    expect(sessions.map(({ sessionId, parentSessionId }) => ({ sessionId, parentSessionId }))).toEqual([
      { sessionId: 'c', parentSessionId: null },
      { sessionId: 'c:a1b', parentSessionId: 'c' },
      { sessionId: 'c:q2c', parentSessionId: 'c:a1b' },
    ])
    expect(sessions.map(talkOf)).toEqual([
      [
        ['q1', 'a1'],
        ['q2', 'a2'],
      ],
      [
        ['q1', 'a1b'],
        ['q2b', 'a2b'],
      ],
      [
        ['q1', 'a1b'],
        ['q2c', null],
      ],
    ])
    expect(sessions.map(({ metadata }) => metadata.current)).toEqual([undefined, true, undefined])
    expect(problems.size).toBe(0)
  })

  it('stay what they are when the conversation grows by a branch', () => {
    const before = readFile('chatgpt', [record(tree(regenerated), 'a2b')]).sessions
    const grown = { ...regenerated, q1: ['a1', 'a1b', 'a1c'], q2: ['a2', 'a2x'] }
    const after = readFile('chatgpt', [record(tree(grown), 'a1c')]).sessions
    for (const { sessionId, parentSessionId, turns } of before) {
      expect(after.find(each => each.sessionId === sessionId)).toMatchObject({ parentSessionId, turns })
    }
    expect(after.map(({ sessionId }) => sessionId)).toEqual(expect.arrayContaining(['c:a1c', 'c:a2x']))
    expect(after).toHaveLength(5)
  })

  it('that go in a circle are reported, once for each message', () => {
    const mapping = {
      ...tree({ root: ['q1'] }),
      x: { id: 'x', parent: 'y', children: ['y'], message: message('x', 'user', text('lost')) },
      y: { id: 'y', parent: 'x', children: ['x'], message: message('y', 'assistant', text('lost too')) },
    }
    const { sessions, problems } = readFile('chatgpt', [record(mapping, 'q1')])
    expect(sessions.map(talkOf)).toEqual([[['q1', null]]])
    expect([...problems]).toEqual([['has a message that is on no branch; left out', 2]])
  })
})

describe('Messages of ChatGPT', () => {
  function read(...messages: JsonObject[]): ReturnType<typeof readFile> {
    return readFile('chatgpt', { conversations: [record(chatGptMapping(messages), 'x')] })
  }
  const tool = (id: string, name: string, content: JsonObject): JsonObject =>
    message(id, 'tool', content, { author: { role: 'tool', name, metadata: {} } })

  it('are found in an export that wraps its conversations', () => {
    const wrapped = { conversations: [record(chatGptMapping([message('m1', 'user', text('Hi'))]), 'm1')] }
    expect(recognize(wrapped)).toMatchObject({ format: { name: 'chatgpt' } })
    expect(talkOf(readFile('chatgpt', wrapped).sessions[0])).toEqual([['Hi', null]])
  })

  it('of a tool answer the call that went to it, and are calls of their own if there is none', () => {
    const quote = {
      content_type: 'tether_quote',
      url: 'https://a.example',
      domain: 'a.example',
      title: 'A',
      text: 'Said.',
    }
    const { sessions, problems } = read(
      message('m1', 'user', text('Look')),
      message(
        'm2',
        'assistant',
        { content_type: 'code', language: 'unknown', text: 'search("a b")' },
        { recipient: 'browser' },
      ),
      tool('m3', 'browser', {
        content_type: 'tether_browsing_display',
        result: 'L0: A page',
        summary: 'A page',
        assets: [],
      }),
      tool('m4', 'browser', quote),
      tool('m5', 'python', { content_type: 'execution_output', text: '42' }),
      tool('m6', 'python', { content_type: 'system_error', name: 'Timeout', text: 'It took too long' }),
      message('m7', 'assistant', text('There.')),
    )
    expect(problems.size).toBe(0)
    expect(talkOf(sessions[0])).toEqual([['Look', 'There.']])
    expect(callsOf(sessions[0])).toEqual([
      { browser: { input: 'search("a b")' }, success: [part('L0: A page'), part('A page')] },
      { browser: {}, success: ['Said.', 'A', 'https://a.example', 'a.example'].map(part) },
      { python: {}, success: '42' },
      { python: {}, success: [part('It took too long'), part('Timeout')] },
    ])
  })

  it('that the tool puts in the mouth of the user open no turn', () => {
    const hidden = { metadata: { is_visually_hidden_from_conversation: true } }
    const { sessions, problems } = read(
      message('m1', 'system', text(''), hidden),
      message('m2', 'user', text('Continue where you were.'), hidden),
      message('m3', 'assistant', { content_type: 'model_editable_context', model_set_context: '1. Likes tea' }, hidden),
      message('m4', 'user', text('Hi')),
      message('m5', 'assistant', text('Ho')),
    )
    expect(problems.size).toBe(0)
    expect(talkOf(sessions[0])).toEqual([['Hi', 'Ho']])
  })

  it('say what was spoken, and only refer to media', () => {
    const spoken = { content_type: 'audio_transcription', text: 'Where is it?', direction: 'in', decoding_id: null }
    const audio = { content_type: 'audio_asset_pointer', asset_pointer: 'sediment://file_1', format: 'wav' }
    const { sessions, problems } = read(
      message('m1', 'user', { content_type: 'multimodal_text', parts: [spoken, audio] }),
    )
    expect(talkOf(sessions[0])).toEqual([['Where is it?', null]])
    expect(problems.size).toBe(0)
  })

  it('with content that nobody knows are reported, and kept', () => {
    const { sessions, problems } = read(
      message('m1', 'user', {
        content_type: 'multimodal_text',
        parts: [{ content_type: 'poem', verses: ['Roses are red'] }],
      }),
      message('m2', 'assistant', { content_type: 'hologram', layers: [{ caption: 'A red rose' }] }),
      message('m3', 'narrator', text('And so it ends')),
      message('m4', 'assistant', { content_type: 'text', parts: ['Yes'], remark: 'Ask me again' }),
    )
    expect([...problems.keys()]).toEqual([
      'has text in content.parts[].verses[] that was not read; kept as it is',
      'has content of an unknown type; kept, but not read',
      'is of an unknown author; kept, but not read',
      'has text in content.remark that was not read; kept as it is',
    ])
    expect(JSON.stringify(sessions[0]?.turns)).toContain('And so it ends')
  })
})

function part(said: string): JsonObject {
  return { type: 'text', text: said }
}
