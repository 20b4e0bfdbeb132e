import { setTimeout as sleep } from 'node:timers/promises'
import {
  convertToModelMessages,
  createUIMessageStreamResponse,
  streamText,
  toUIMessageStream,
  UI_MESSAGE_STREAM_HEADERS,
} from 'ai'
import { Redis } from 'ioredis'
import { createResumableStreamContext } from 'resumable-stream/ioredis'
import { TurnstoreChats } from '@turnstore/ai-sdk'
import { describe, expect, it, onTestFinished } from 'vitest'
import { memory, redisUrl } from '../stores.ts'
import { fakeModel, says, user } from './fake-model.ts'

/** The context of a process of its own. */
function streams() {
  const clients = [new Redis(redisUrl()), new Redis(redisUrl())] as const
  onTestFinished(() => clients.forEach(client => client.disconnect()))
  const [publisher, subscriber] = clients
  return createResumableStreamContext({ waitUntil: null, publisher, subscriber })
}

describe('A stream that is under way', () => {
  it('is resumed by the id in the chat, and the chat forgets it when it ends', async () => {
    const store = memory()
    const chats = new TurnstoreChats({ store })
    let goOn = (): void => {}
    const waiting = new Promise<void>(resolve => (goOn = resolve))
    const run = await chats.recordRun('chat-1', { message: user('u1') })
    await chats.setActiveStream('chat-1', 's1')
    const model = fakeModel(async () => {
      await waiting
      return [says('Hello there.')]
    })
    const result = streamText({ model, messages: await convertToModelMessages(run.messages), ...run.settings })
    const response = createUIMessageStreamResponse({
      stream: toUIMessageStream({
        stream: result.stream,
        originalMessages: run.messages,
        generateMessageId: () => 'a1',
        async onEnd(event) {
          await run.onEnd(event)
          await chats.clearActiveStream('chat-1', 's1')
        },
      }),
      consumeSseStream: async ({ stream }) => void (await streams().createNewResumableStream('s1', () => stream)),
    })
    // The page is closed, and another process serves the one that is loaded next.
    const reading = response.text().catch(() => '')
    const chat = await new TurnstoreChats({ store }).loadChat('chat-1')
    expect(chat).toMatchObject({ activeStreamId: 's1', isRunning: true, messages: [user('u1')] })
    let resumed: ReadableStream<string> | null | undefined
    while (resumed === undefined) {
      resumed = await streams().resumeExistingStream(chat?.activeStreamId ?? '')
      await sleep(1)
    }
    goOn()
    const text = await new Response(resumed?.pipeThrough(new TextEncoderStream()), {
      headers: UI_MESSAGE_STREAM_HEADERS,
    }).text()
    expect(text).toBe(await reading)
    expect(text).toContain('"messageId":"a1"')
    expect(await chats.loadChat('chat-1')).toMatchObject({
      activeStreamId: null,
      isRunning: false,
      messages: [user('u1'), { id: 'a1', parts: [{}, { text: 'Hello there.' }] }],
    })
  })

  it('stays active when an older one ends', async () => {
    const chats = new TurnstoreChats({ store: memory() })
    await chats.saveMessages('chat-1', [user('u1')])
    await chats.setActiveStream('chat-1', 's1')
    await Promise.all([chats.setActiveStream('chat-1', 's2'), chats.clearActiveStream('chat-1', 's1')])
    expect((await chats.loadChat('chat-1'))?.activeStreamId).toBe('s2')
  })
})
