import {
  convertToModelMessages,
  generateText,
  readUIMessageStream,
  stepCountIs,
  streamText,
  tool,
  toUIMessageStream,
  type UIMessage,
  validateUIMessages,
} from 'ai'
import type { SessionStore } from '@turnstore/core'
import { TurnstoreChats } from '@turnstore/ai-sdk'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { memory, stores } from '../stores.ts'
import { fakeModel, resultsIn, says, thinks, user, wants } from './fake-model.ts'

const tools = {
  track: tool({
    description: 'Finds a parcel',
    inputSchema: z.object({ of: z.string() }),
    execute: async ({ of }) => ({ place: `at ${of}`, at: new Date(0), none: undefined }),
  }),
  fail: tool({
    description: 'Throws',
    inputSchema: z.object({}),
    execute: async (): Promise<string> => {
      throw new Error('no such parcel')
    },
  }),
  count: tool({
    description: 'Streams',
    inputSchema: z.object({}),
    async *execute() {
      yield { seen: 1 }
      yield { seen: 2 }
    },
  }),
}

const model = () =>
  fakeModel(prompt => {
    const results = resultsIn(prompt)
    if (results.length === 0)
      return [thinks('Hm.'), says('Let me see.'), wants('a', 'track', { of: 'a' }), wants('b', 'count')]
    return results.length === 2
      ? [thinks('So.'), wants('c', 'fail'), wants('d', 'track', { of: 'd' })]
      : [says('Done.')]
  })

/** Only streams have ids of reasoning. */
function withoutId(part: object): object {
  return Object.fromEntries(Object.entries(part).filter(([name]) => name !== 'id'))
}

async function streamedRun(store: SessionStore, message: UIMessage): Promise<UIMessage | undefined> {
  const chats = new TurnstoreChats({ store })
  const run = await chats.recordRun('chat-1', { message, tools })
  const messages = await convertToModelMessages(run.messages, { tools })
  const result = streamText({ model: model(), messages, stopWhen: stepCountIs(9), ...run.settings })
  const { generateMessageId, messages: originalMessages, onEnd } = run
  const stream = toUIMessageStream({ stream: result.stream, originalMessages, generateMessageId, onEnd })
  let last: UIMessage | undefined
  for await (const each of readUIMessageStream({ stream })) last = each
  return last
}

describe.each(stores)('A run in the store %s', (_name, open) => {
  it('stores what the browser gets', async () => {
    const store = open()
    const answer = await streamedRun(store, user('u1', 'Where is it?'))
    const messages = await new TurnstoreChats({ store }).loadMessages('chat-1')
    expect(messages).toEqual([user('u1', 'Where is it?'), JSON.parse(JSON.stringify(answer))])
    await validateUIMessages({ messages })
    expect((await store.loadSession('chat-1'))?.turns).toMatchObject([
      {
        turnId: 'u1',
        prompt: 'Where is it?',
        responseContent: 'Done.',
        status: 'success',
        toolCalls: [
          { callId: 'a', result: { place: 'at a' }, status: 'success', metadata: {} },
          { callId: 'b', result: { seen: 2 }, status: 'success' },
          { callId: 'c', error: 'Error: no such parcel', status: 'error' },
          { callId: 'd', status: 'success' },
        ],
      },
    ])
  })

  it('stores the same when nobody looks', async () => {
    const streamed = open()
    await streamedRun(streamed, user('u1'))
    const store = open()
    const chats = new TurnstoreChats({ store })
    const run = await chats.recordRun('chat-1', { message: user('u1'), tools })
    const messages = await convertToModelMessages(run.messages, { tools })
    const { text } = await generateText({
      model: model(),
      messages,
      stopWhen: stepCountIs(9),
      onEnd: run.onEnd,
      ...run.settings,
    })
    expect(text).toBe('Done.')
    const expected = await new TurnstoreChats({ store: streamed }).loadMessages('chat-1')
    expect(await chats.loadMessages('chat-1')).toMatchObject(
      expected.map(({ parts }) => ({ parts: parts.map(withoutId) })),
    )
    expect((await store.loadSession('chat-1'))?.turns[0]).toMatchObject({ status: 'success' })
  })
})

describe('A call with an input that is no good', () => {
  const inputs = { 'refused by the schema': '{"of":1}', 'no JSON': '{"of":' }

  it.each(Object.entries(inputs))('is stored as the browser has it, whoever looks (%s)', async (_name, input) => {
    const wrong = () => {
      let count = 0
      return fakeModel(() => [
        ++count === 1 ? { type: 'tool-call', toolCallId: 'a', toolName: 'track', input } : says('Done.'),
      ])
    }
    const seen = async (way: 'browser' | 'crash' | 'alone'): Promise<UIMessage['parts'] | undefined> => {
      const store = memory()
      const chats = new TurnstoreChats({ store })
      const run = await chats.recordRun('chat-1', { message: user('u1'), tools })
      const messages = await convertToModelMessages(run.messages, { tools })
      const options = { model: wrong(), messages, stopWhen: stepCountIs(9), ...run.settings }
      if (way === 'alone') await generateText({ ...options, onEnd: run.onEnd })
      else {
        const end = way === 'browser' ? { onEnd: run.onEnd } : {}
        const { stream } = streamText({ ...options, onError() {} })
        for await (const _ of toUIMessageStream({ stream, originalMessages: run.messages, ...end }));
      }
      return (await chats.loadMessages('chat-1'))[1]?.parts
    }
    const expected = await seen('browser')
    expect(expected?.[1]).toMatchObject({ type: 'dynamic-tool', toolName: 'track', state: 'output-error' })
    expect(await seen('crash')).toEqual(expected)
    expect(await seen('alone')).toEqual(expected)
  })
})
