import {
  convertToModelMessages,
  createUIMessageStream,
  generateText,
  stepCountIs,
  streamText,
  tool,
  ToolLoopAgent,
  toUIMessageStream,
  type UIMessage,
  validateUIMessages,
} from 'ai'
import type { MockLanguageModelV4 } from 'ai/test'
import type { SessionStore } from '@turnstore/core'
import { type RecordedRun, TurnstoreChats } from '@turnstore/ai-sdk'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { memory } from '../stores.ts'
import { fakeModel, resultsIn, says, user, wants } from './fake-model.ts'

const chatId = 'chat-1'

/** Counts how often its tool took effect. */
class Shop {
  readonly store: SessionStore = memory()
  paid = 0
  readonly #pay = tool({ inputSchema: z.object({}), execute: () => ++this.paid })

  async record() {
    return new TurnstoreChats({ store: this.store }).recordRun(chatId, {
      message: user('u1'),
      tools: { pay: this.#pay },
    })
  }

  async status(): Promise<string | undefined> {
    return (await this.store.loadSession(chatId))?.turns[0]?.status
  }

  async types(): Promise<string[]> {
    const messages = await new TurnstoreChats({ store: this.store }).loadMessages(chatId)
    await validateUIMessages({ messages })
    return messages.slice(1).flatMap(({ parts }) => parts.map(({ type }) => type))
  }
}

type Stream = Awaited<ReturnType<MockLanguageModelV4['doStream']>>['stream']
type StreamPart = Stream extends ReadableStream<infer Part> ? Part : never

const partly: StreamPart[] = [
  { type: 'stream-start', warnings: [] },
  { type: 'text-start', id: 't' },
  { type: 'text-delta', id: 't', delta: 'Pa' },
]
const usage = {
  inputTokens: { total: 1, noCache: 1, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: 1, text: 1, reasoning: undefined },
}
const finish = (unified: 'error' | 'other' | 'interrupted' | 'stop'): StreamPart => ({
  type: 'finish',
  finishReason: { unified, raw: undefined },
  usage,
})
const error: StreamPart = { type: 'error', error: new Error('overloaded') }

function streamOf(parts: readonly StreamPart[], end: 'closes' | 'breaks'): Stream {
  const left = [...parts]
  return new ReadableStream({
    pull(controller) {
      const part = left.shift()
      if (part !== undefined) controller.enqueue(part)
      else if (end === 'closes') controller.close()
      else controller.error(new Error('ECONNRESET'))
    },
  })
}

/** How the second call of the model fails. */
const failures: Record<string, () => Stream> = {
  'cannot begin': () => {
    throw new Error('no model')
  },
  'reports an error, and ends with it': () => streamOf([...partly, error, finish('error')], 'closes'),
  'reports an error, and ends for no reason': () => streamOf([...partly, error, finish('other')], 'closes'),
  'reports an error and ends': () => streamOf([...partly, error], 'closes'),
  'says that it was interrupted': () => streamOf([...partly, finish('interrupted')], 'closes'),
  'breaks off': () => streamOf(partly, 'breaks'),
  'ends too early': () => streamOf(partly, 'closes'),
}

function failing(failure: () => Stream): MockLanguageModelV4 {
  const model = fakeModel(prompt => [resultsIn(prompt).length === 0 ? wants('c1', 'pay') : says('Done.')])
  const stream = model.doStream.bind(model)
  let count = 0
  model.doStream = async options => (++count === 2 ? { stream: failure() } : stream(options))
  return model
}

type Run = RecordedRun<Awaited<ReturnType<Shop['record']>>['settings']['tools'], UIMessage>

async function optionsOf(run: Run, model: MockLanguageModelV4) {
  const messages = await convertToModelMessages(run.messages)
  return { model, messages, maxRetries: 0, stopWhen: stepCountIs(9), ...run.settings }
}

async function drain(stream: ReadableStream): Promise<void> {
  for await (const _ of stream);
}

const ways: Record<string, (run: Run, model: MockLanguageModelV4) => Promise<void>> = {
  'to the browser': async (run, model) => {
    const { stream } = streamText({ ...(await optionsOf(run, model)), onError() {} })
    await drain(toUIMessageStream({ stream, originalMessages: run.messages, onEnd: run.onEnd }))
  },
  'in a stream of several': async (run, model) => {
    const options = await optionsOf(run, model)
    const stream = createUIMessageStream({
      originalMessages: run.messages,
      onEnd: run.onEnd,
      execute({ writer }) {
        writer.merge(toUIMessageStream({ stream: streamText({ ...options, onError() {} }).stream }))
      },
    })
    await drain(stream)
  },
  'of an agent': async (run, model) => {
    const { messages, ...settings } = await optionsOf(run, model)
    const agent = new ToolLoopAgent({ ...settings, onError() {} })
    const { stream } = await agent.stream({ messages })
    await drain(toUIMessageStream({ stream, originalMessages: run.messages, onEnd: run.onEnd }))
  },
  'without a UI': async (run, model) => {
    await streamText({ ...(await optionsOf(run, model)), onError() {}, onEnd: run.onEnd }).consumeStream({
      onError() {},
    })
  },
}

describe.each(Object.entries(ways))('A run %s', (_way, go) => {
  it.each(Object.entries(failures))('stays unfinished when its model %s', async (_name, failure) => {
    const shop = new Shop()
    const model = failing(failure)
    await go(await shop.record(), model).catch(() => {})
    expect(await shop.status()).toBe('running')
    expect(await shop.types()).toEqual(['step-start', 'tool-pay'])
    const run = await shop.record()
    expect(run.isUnfinished).toBe(true)
    await go(run, model)
    expect(shop.paid).toBe(1)
    expect(await shop.status()).toBe('success')
    expect(await shop.types()).toEqual(['step-start', 'tool-pay', 'step-start', 'text'])
  })

  it.each([
    ['stops for no reason', [finish('other')]],
    ['says after an error that its answer is whole', [error, finish('stop')]],
  ])('is over when its model %s', async (_name, end) => {
    const shop = new Shop()
    const model = failing(() => streamOf([...partly, { type: 'text-end', id: 't' }, ...end], 'closes'))
    await go(await shop.record(), model)
    expect(await shop.status()).toBe('success')
    expect(await shop.types()).toEqual(['step-start', 'tool-pay', 'step-start', 'text'])
  })
})

describe('A run whose model is asked again after an error in its stream', () => {
  it('is over when the model has answered', async () => {
    const shop = new Shop()
    const run = await shop.record()
    const options = await optionsOf(
      run,
      failing(() => streamOf([...partly, error], 'closes')),
    )
    await streamText({ ...options, streamRetries: 1, onError() {}, onEnd: run.onEnd }).consumeStream()
    expect(shop.paid).toBe(1)
    expect(await shop.status()).toBe('success')
    expect((await shop.types()).at(-1)).toBe('text')
  })
})

describe('A run with a step that cannot be prepared', () => {
  it('stays unfinished', async () => {
    const shop = new Shop()
    const run = await shop.record()
    const options = await optionsOf(
      run,
      failing(() => streamOf([], 'closes')),
    )
    await streamText({
      ...options,
      onError() {},
      onEnd: run.onEnd,
      async prepareStep(step) {
        if (step.stepNumber === 1) throw new Error('not now')
        await run.settings.prepareStep(step)
      },
    }).consumeStream({ onError() {} })
    expect(await shop.status()).toBe('running')
    expect((await shop.record()).isUnfinished).toBe(true)
    expect(shop.paid).toBe(1)
  })
})

describe('A run whose steps are used up', () => {
  it.each([true, false])('is over after the results of its tools (streams: %s)', async streams => {
    const shop = new Shop()
    const run = await shop.record()
    const options = await optionsOf(
      run,
      failing(() => streamOf([], 'closes')),
    )
    const last = { ...options, stopWhen: stepCountIs(1), onEnd: run.onEnd }
    await (streams ? streamText(last).consumeStream() : generateText(last))
    expect(await shop.status()).toBe('success')
    expect(await shop.types()).toEqual(['step-start', 'tool-pay'])
  })
})
