import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { createSession, type SessionRecord, turnsFromMessages } from '@turnstore/core'
import { InMemorySessionStore } from '@turnstore/memory'
import { bringUpToDate, compareSession, compareTranscript, OtherContent } from '../src/bring-up-to-date.ts'
import { parseObject } from './turnstore.ts'

const airline = fileURLToPath(new URL('../../../../shared/data/airline-support-chats.jsonl', import.meta.url))

const call = (id: string): object => ({ id, type: 'function', function: { name: 'f', arguments: '{ "a": 1 }' } })
const hard: readonly unknown[] = [
  { role: 'system', content: 'Be kind' },
  { role: 'assistant', content: 'Good morning' },
  {
    role: 'user',
    content: [
      { type: 'text', text: 'Tea?' },
      { type: 'image_url', image_url: { url: 'u' } },
    ],
  },
  { role: 'assistant', content: 'Let me look', tool_calls: [call('a'), call('b'), call('a')] },
  { role: 'tool', tool_call_id: 'b', content: '2', name: 'f' },
  { role: 'tool', tool_call_id: 'a', content: null },
  { role: 'tool', tool_call_id: 'a', content: [{ type: 'text', text: '3' }] },
  { role: 'assistant', content: '', tool_calls: [call('a')] },
  { role: 'tool', tool_call_id: 'a', content: '' },
  { role: 'assistant', content: 'One moment' },
  { role: 'assistant', content: 'Here it is' },
  { role: 'system', content: 'Be brief' },
  { role: 'user', content: '' },
  { role: 'user', content: 'Thanks' },
  { role: 'assistant', content: '' },
]

function transcript(messages: readonly unknown[]): SessionRecord {
  return createSession({ sessionId: 's', createdAt: '', updatedAt: '', turns: turnsFromMessages(messages) })
}

/** Imports a conversation at each of its lengths on the way to the whole. */
async function expectToGrow(messages: readonly unknown[], step: number): Promise<void> {
  const store = new InMemorySessionStore()
  for (let length = 0; length < messages.length; length += step) {
    await bringUpToDate(store, transcript(messages.slice(0, length)), compareTranscript)
  }
  await bringUpToDate(store, transcript(messages), compareTranscript)
  const grown = await store.loadSession('s')
  expect(grown).toEqual({ ...transcript(messages), revision: grown?.revision })
  for (let length = 0; length <= messages.length; length += step) {
    expect(await bringUpToDate(store, transcript(messages.slice(0, length)), compareTranscript)).toBe('unchanged')
  }
}

describe('a running turn with two calls of one id', () => {
  const running = (more: object, ...names: string[]): SessionRecord =>
    createSession({
      sessionId: 's',
      createdAt: '',
      updatedAt: '',
      turns: [
        {
          turnId: 't',
          status: 'running',
          startedAt: '',
          toolCalls: names.map(toolName => ({ callId: 'c', toolName })),
          ...more,
        },
      ],
    })

  it.each<[string, SessionRecord, string]>([
    ['its end', running({ status: 'success', endedAt: '' }, 'f', 'g'), 'grown'],
    ['the growth of its last call', running({}, 'f', 'h'), 'grown'],
    ['the growth of its first call', running({}, 'h', 'g'), 'turn 1'],
    ['another one', running({}, 'f', 'g', 'h'), 'turn 1'],
  ])('is a copy of its source after %s, or is told and left alone', async (_what, after, expected) => {
    const store = new InMemorySessionStore()
    const before = running({}, 'f', 'g')
    await bringUpToDate(store, before, compareSession)
    const told = (error: unknown): string => (error instanceof OtherContent ? error.message : 'failed')
    expect(await bringUpToDate(store, after, compareSession).catch(told)).toBe(expected)
    expect((await store.loadSession('s'))?.turns).toEqual((expected === 'grown' ? after : before).turns)
  })
})

describe('a transcript that grows', () => {
  it.each([1, 2, 3, 5])(
    'ends as if it had been imported at once, and none of its older states alters it (by %i)',
    async step => {
      await expectToGrow(hard, step)
    },
  )

  it.skipIf(!existsSync(airline))('so do the sixty transcripts of shared/data', async () => {
    for (const line of readFileSync(airline, 'utf8').trim().split('\n')) {
      const { messages } = parseObject(line)
      await expectToGrow(Array.isArray(messages) ? messages : [], 1)
    }
  })
})

describe('a session', () => {
  it('is only brought up to date where the store has an earlier stage of it', () => {
    const before = createSession({ sessionId: 's', turns: [{ turnId: 'a', prompt: 'x', status: 'running' }] })
    const after = { ...before, turns: before.turns.map(turn => ({ ...turn, status: 'success', responseContent: 'y' })) }
    expect(compareSession(before, after)).toMatchObject({ kind: 'behind', change: { updateTurns: [{ turnId: 'a' }] } })
    expect(compareSession(after, before)).toEqual({ kind: 'ahead' })
    expect(compareSession(after, { ...after, revision: 9, updatedAt: 'x' })).toEqual({ kind: 'same' })
  })
})
