import { statSync } from 'node:fs'
import { join } from 'node:path'
import { tool, type UIMessage } from 'ai'
import type { SessionStore } from '@turnstore/core'
import { SqliteSessionStore } from '@turnstore/sqlite'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { type PreparedStep, TurnstoreChats } from '@turnstore/ai-sdk'
import { newFolder, stores } from '../stores.ts'
import { user } from './fake-model.ts'

const STEPS = 2000
const text = 'The parcel was seen here, and this is what was said of it. '

/** A run without its model. Returns the median time of its first and of its last steps. */
async function longRun(store: SessionStore, count = STEPS): Promise<{ first: number; last: number; json: number }> {
  const chats = new TurnstoreChats({ store })
  const execute = async ({ of }: { of: string }) => ({ of, seen: text.repeat(10) })
  const track = tool({ inputSchema: z.object({ of: z.string() }), execute })
  const run = await chats.recordRun('c', { message: user('u1'), tools: { track } })
  const { tools, prepareStep, onLanguageModelCallEnd } = run.settings
  const times: number[] = []
  // The SDK hands over all steps each time. Only the newest one is stored.
  const steps: PreparedStep['steps'][number][] = []
  await prepareStep({ stepNumber: 0, steps })
  for (let step = 0; step < count; step++) {
    const toolCallId = `c${step}`
    const input = { of: `parcel ${step}` }
    const call = { type: 'tool-call', toolCallId, toolName: 'track', input } as const
    const since = performance.now()
    await onLanguageModelCallEnd({ content: [{ type: 'text', text }, call], finishReason: 'tool-calls' })
    const output = await tools.track.execute?.(input, { toolCallId, messages: [], context: {} })
    steps.push({ content: [{ type: 'text', text }, call, { ...call, type: 'tool-result', output }] })
    await prepareStep({ stepNumber: step + 1, steps })
    times.push(performance.now() - since)
  }
  const content = [{ type: 'text' as const, text: 'Done.' }]
  await onLanguageModelCallEnd({ content, finishReason: 'stop' })
  await run.onEnd({ steps: [...steps, { content }] })
  const json = JSON.stringify(await chats.loadMessages('c')).length
  return { first: median(times.slice(100, 300)), last: median(times.slice(-200)), json }
}

function said(id: string): UIMessage {
  return {
    id,
    role: 'assistant',
    parts: [{ type: 'step-start' }, { type: 'text', text: text.repeat(20), state: 'done' }],
  }
}

function median(times: readonly number[]): number {
  return times.toSorted((one, other) => one - other)[times.length >> 1] ?? 0
}

describe.each(stores)('A run of 2,000 steps in the store %s', (_name, open) => {
  it('takes as long for its last steps as for its first, and is whole in the end', async () => {
    const store = open()
    const { first, last } = await longRun(store)
    expect(last / first).toBeLessThan(3)
    const messages = await new TurnstoreChats({ store }).loadMessages('c')
    expect(messages[1]?.parts.filter(({ type }) => type === 'tool-track')).toHaveLength(STEPS)
    expect((await store.loadSession('c'))?.turns).toMatchObject([{ status: 'success', items: [{}, {}] }])
  })
})

describe('A chat in SQLite', () => {
  it('takes at most three times the JSON of its messages on the disk', async () => {
    const path = join(newFolder(), 'chats.db')
    const store = new SqliteSessionStore(path)
    const chats = new TurnstoreChats({ store })
    const { json } = await longRun(store, 300)
    const talk = Array.from({ length: 200 }, (_, n) => [user(`u${n}`, text.repeat(3)), said(`a${n}`)]).flat()
    for (let end = 2; end <= talk.length; end += 2) await chats.saveMessages('talk', talk.slice(0, end))
    await store.close()
    expect(statSync(path).size).toBeLessThan(3 * (json + JSON.stringify(talk).length))
  })
})
