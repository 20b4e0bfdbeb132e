import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { createSession, messagesFromTurns, type SessionRecord, turnsFromMessages, mergeSession } from '@turnstore/core'
import { InMemorySessionStore } from '@turnstore/memory'
import { parseObject } from '../turnstore.ts'

const airline = fileURLToPath(new URL('../../../../../shared/data/airline-support-chats.jsonl', import.meta.url))

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

/** Imports a conversation at each of its lengths. */
async function expectToGrow(messages: readonly unknown[], step: number): Promise<void> {
  const store = new InMemorySessionStore()
  for (let length = 0; length < messages.length; length += step) {
    await mergeSession(store, transcript(messages.slice(0, length)))
  }
  await mergeSession(store, transcript(messages))
  const grown = await store.loadSession('s')
  expect(grown).toEqual({ ...transcript(messages), revision: grown?.revision })
  expect(messagesFromTurns(grown?.turns ?? [])).toEqual(messagesFromTurns(turnsFromMessages(messages)))
  for (let length = 0; length <= messages.length; length += step) {
    expect(await mergeSession(store, transcript(messages.slice(0, length)))).toEqual({
      outcome: 'unchanged',
      contradictions: [],
    })
  }
}

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

it('a transcript does not contradict a stored status, since it does not say how a turn ended', async () => {
  const store = new InMemorySessionStore()
  const turns = turnsFromMessages([
    { role: 'user', content: 'Tea?' },
    { role: 'assistant', content: 'Three kinds.' },
  ])
  const incoming = createSession({ sessionId: 's', createdAt: '', updatedAt: '', turns })
  await mergeSession(store, incoming)
  await store.changeSession('s', {
    updateTurns: [{ turnId: 't1', set: { status: 'cancelled' } }],
    updatedAt: '2026-01-01T00:00:00Z',
  })
  expect(await mergeSession(store, incoming)).toEqual({ outcome: 'unchanged', contradictions: [] })
  expect((await store.loadSession('s'))?.turns[0]?.status).toBe('cancelled')
})
