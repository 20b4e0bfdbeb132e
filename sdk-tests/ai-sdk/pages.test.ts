import {
  convertToModelMessages,
  createUIMessageStreamResponse,
  isToolUIPart,
  lastAssistantMessageIsCompleteWithApprovalResponses,
  lastAssistantMessageIsCompleteWithToolCalls,
  stepCountIs,
  streamText,
  tool,
  toUIMessageStream,
  type UIMessage,
  validateUIMessages,
} from 'ai'
import type { MockLanguageModelV4 } from 'ai/test'
import { TurnstoreChats } from '@turnstore/ai-sdk'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { z } from 'zod'
import { memory } from '../stores.ts'
import { fakeModel, resultsIn, says, wants } from './fake-model.ts'
import { Page } from './page.ts'

let paid = 0

beforeEach(() => {
  paid = 0
})

const tools = {
  pay: tool({ inputSchema: z.object({}), needsApproval: true, execute: () => ++paid }),
  where: tool({ inputSchema: z.object({}), outputSchema: z.string() }),
}

/** Which ids the browser gives to what the model says. */
const ids = {
  'the ids of the run': 'run',
  'ids of its own': 'browser',
  'ids of the route': 'route',
} as const

type Ids = (typeof ids)[keyof typeof ids]

const body = z.object({
  id: z.string(),
  message: z.custom<UIMessage>().optional(),
  messages: z.array(z.custom<UIMessage>()).optional(),
})

/** The route of the README. */
function routeOf(chats: TurnstoreChats, model: MockLanguageModelV4, from: Ids) {
  let count = 0
  return async (request: Request): Promise<Response> => {
    const { id, message, messages: all } = body.parse(await request.json())
    const given = message === undefined ? {} : { message }
    const run = await chats.recordRun(id, { ...given, ...(all === undefined ? {} : { messages: all }), tools })
    const messages = await convertToModelMessages(run.messages, { tools })
    const result = streamText({
      model,
      messages,
      maxRetries: 0,
      stopWhen: stepCountIs(9),
      onError() {},
      ...run.settings,
    })
    const { messages: originalMessages, onEnd } = run
    const names = { run: run.generateMessageId, browser: undefined, route: () => `route-${++count}` }
    const generateMessageId = names[from]
    const options = generateMessageId === undefined ? {} : { generateMessageId }
    const stream = toUIMessageStream({ stream: result.stream, originalMessages, onEnd, ...options })
    return createUIMessageStreamResponse({ stream })
  }
}

/** Wants these tools one after the other, and sees each call once. */
const modelFor = (...names: string[]) =>
  fakeModel(prompt => {
    const calls = prompt.flatMap(({ role, content }) =>
      role === 'assistant' ? content.flatMap(part => (part.type === 'tool-call' ? [part.toolCallId] : [])) : [],
    )
    expect(calls).toEqual([...new Set(calls)])
    const next = names[resultsIn(prompt).length]
    return [next === undefined ? says('Done.') : wants(`c-${next}`, next)]
  })

/** What is stored is what the page has, but for an id that the page does not know. */
async function expectWhole(chats: TurnstoreChats, page: Page): Promise<void> {
  const stored = await chats.loadMessages('chat-1')
  await validateUIMessages({ messages: stored })
  const seen: unknown = JSON.parse(JSON.stringify(page.messages.map(({ role, parts }) => ({ role, parts }))))
  expect(stored.map(({ role, parts }) => ({ role, parts }))).toEqual(seen)
}

describe.each([false, true])('A page that sends all messages (%s)', sendsAll => {
  it.each(Object.entries(ids))('approves calls and answers those of the browser with %s', async (_name, from) => {
    const chats = new TurnstoreChats({ store: memory() })
    const page = new Page(routeOf(chats, modelFor('pay', 'where'), from), {
      sendsAll,
      sendAutomaticallyWhen: options =>
        lastAssistantMessageIsCompleteWithApprovalResponses(options) ||
        lastAssistantMessageIsCompleteWithToolCalls(options),
    })
    await page.sendMessage({ text: 'Pay.' })
    const approval = page.lastMessage?.parts.find(isToolUIPart)?.approval
    await page.addToolApprovalResponse({ id: approval?.id ?? '', approved: true })
    await vi.waitFor(() => expect(page.lastMessage?.parts.filter(isToolUIPart)).toHaveLength(2))
    await vi.waitFor(() => expect(page.status).toBe('ready'))
    await page.addToolOutput({ tool: 'where', toolCallId: 'c-where', output: 'here' })
    await vi.waitFor(() => expect(page.lastMessage?.parts.at(-1)).toMatchObject({ text: 'Done.', state: 'done' }))
    await vi.waitFor(() => expect(page.status).toBe('ready'))
    expect(paid).toBe(1)
    expect(page.messages.map(({ role }) => role)).toEqual(['user', 'assistant'])
    await expectWhole(chats, page)
    // The page has the id of the run, or the store that of the browser.
    expect((await chats.loadMessages('chat-1')).at(-1)?.id).toBe(page.lastMessage?.id)
    await page.sendMessage({ text: 'Again.' })
    expect(page.status).toBe('ready')
  })
})

describe('A page whose answer was broken off', () => {
  it('has one message of it when it goes on', async () => {
    const chats = new TurnstoreChats({ store: memory() })
    let count = 0
    const model = fakeModel(() => {
      if (++count === 1) throw new Error('no model')
      return [says('Done.')]
    })
    const page = new Page(routeOf(chats, model, 'run'))
    await page.sendMessage({ text: 'Hello?' })
    await page.sendMessage()
    expect(page.messages.map(({ role }) => role)).toEqual(['user', 'assistant'])
    await expectWhole(chats, page)
  })
})
