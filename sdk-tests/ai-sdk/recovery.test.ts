import { setTimeout as sleep } from 'node:timers/promises'
import {
  convertToModelMessages,
  dynamicTool,
  generateText,
  isToolUIPart,
  readUIMessageStream,
  stepCountIs,
  streamText,
  tool,
  type ToolSet,
  toUIMessageStream,
  type UIMessage,
  validateUIMessages,
} from 'ai'
import { SessionManager, type SessionStore } from '@turnstore/core'
import { type RecordedRun, TurnstoreChats } from '@turnstore/ai-sdk'
import { beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { memory, stores } from '../stores.ts'
import { fakeModel, resultsIn, says, thinks, user, wants } from './fake-model.ts'

const chatId = 'chat-1'
let effects: string[] = []
/** The calls that never return, as the process dies meanwhile. */
let hanging: ReadonlySet<string> = new Set()

beforeEach(() => {
  effects = []
  hanging = new Set()
})

async function effect(toolCallId: string): Promise<{ did: string }> {
  effects.push(toolCallId)
  if (hanging.has(toolCallId)) await new Promise(() => {})
  return { did: toolCallId }
}

const tools = {
  act: tool({ inputSchema: z.object({}), execute: async (_input, { toolCallId }) => effect(toolCallId) }),
  ask: tool({
    inputSchema: z.object({}),
    needsApproval: true,
    execute: async (_input, { toolCallId }) => effect(toolCallId),
  }),
  here: tool({ inputSchema: z.object({}), outputSchema: z.string() }),
  any: dynamicTool({ inputSchema: z.object({}), execute: async (_input, { toolCallId }) => effect(toolCallId) }),
}

/** Wants these calls at once, then answers. */
const modelFor = (...calls: string[]) =>
  fakeModel(prompt => {
    const results = resultsIn(prompt)
    const open = calls.filter(call => !results.includes(call))
    return open.length === 0
      ? [says('Done.')]
      : [thinks('Hm.'), ...open.map(call => wants(call, call.split('-')[0] ?? ''))]
  })

/** A process: it has chats of its own over the store. */
async function record(store: SessionStore, message?: UIMessage, repeatable: (keyof typeof tools)[] = []) {
  const chats = new TurnstoreChats({ store })
  return chats.recordRun(chatId, { ...(message === undefined ? {} : { message }), tools, repeatable })
}

interface Options {
  readonly abortSignal?: AbortSignal
  readonly ends?: boolean
}

/** What the browser has in the end. */
async function stream<TOOLS extends ToolSet>(
  run: RecordedRun<TOOLS, UIMessage>,
  model: ReturnType<typeof fakeModel>,
  { abortSignal, ends = true }: Options = {},
): Promise<UIMessage | undefined> {
  const messages = await convertToModelMessages(run.messages)
  const signal = abortSignal === undefined ? {} : { abortSignal }
  const result = streamText({ model, messages, stopWhen: stepCountIs(9), onError() {}, ...signal, ...run.settings })
  const end = ends ? { onEnd: run.onEnd } : {}
  const chunks = toUIMessageStream({ stream: result.stream, originalMessages: run.messages, ...end })
  let last: UIMessage | undefined
  const message = run.messages.at(-1)
  const before = message?.role === 'assistant' ? { message } : {}
  for await (const each of readUIMessageStream({ stream: chunks, ...before })) last = each
  return last
}

async function until(isTrue: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await isTrue())) await sleep(1)
}

async function answered(store: SessionStore, count: number): Promise<void> {
  await until(async () => {
    const calls = (await store.loadSession(chatId))?.turns.flatMap(({ toolCalls }) => toolCalls) ?? []
    return calls.filter(({ status }) => status === 'success').length === count
  })
}

/** A first life that dies while a call hangs. */
async function died(store: SessionStore, calls: string[], hangs: string): Promise<void> {
  hanging = new Set([hangs])
  void stream(await record(store, user('u1')), modelFor(...calls)).catch(() => {})
  await until(() => effects.includes(hangs))
  await answered(store, calls.length - 1)
  hanging = new Set()
}

async function statesIn(store: SessionStore): Promise<string[]> {
  const messages = await new TurnstoreChats({ store }).loadMessages(chatId)
  if (messages.length > 0) await validateUIMessages({ messages })
  return messages
    .flatMap(({ parts }) => parts.filter(isToolUIPart))
    .map(({ toolCallId, state }) => `${toolCallId} ${state}`)
}

describe.each(stores)('A run after a crash in the store %s', (_name, open) => {
  it.each([false, true])('does not repeat answered calls (repeatable: %s)', async repeatable => {
    const store = open()
    await died(store, ['act-1', 'any-2', 'act-3'], 'act-3')
    expect(await statesIn(store)).toEqual(['act-1 output-available', 'any-2 output-available', 'act-3 input-available'])
    expect(await new TurnstoreChats({ store }).loadChat(chatId)).toMatchObject({ isRunning: true })
    const run = await record(store, user('u1'), repeatable ? ['act'] : [])
    expect(run.isUnfinished).toBe(true)
    expect(run.recovered).toEqual([
      { toolCallId: 'act-1', toolName: 'act', outcome: 'answered' },
      { toolCallId: 'any-2', toolName: 'any', outcome: 'answered' },
      { toolCallId: 'act-3', toolName: 'act', outcome: repeatable ? 'repeated' : 'interrupted' },
    ])
    const answer = await stream(run, modelFor('act-1', 'any-2', 'act-3'))
    expect(effects).toEqual(['act-1', 'any-2', 'act-3', ...(repeatable ? ['act-3'] : [])])
    const messages = await new TurnstoreChats({ store }).loadMessages(chatId)
    expect(messages).toEqual([user('u1'), JSON.parse(JSON.stringify(answer))])
    expect(messages[1]?.parts.map(({ type }) => type)).toEqual([
      'step-start',
      'reasoning',
      'tool-act',
      'dynamic-tool',
      'tool-act',
      'step-start',
      'text',
    ])
    expect(await statesIn(store)).toEqual([
      'act-1 output-available',
      'any-2 output-available',
      `act-3 output-${repeatable ? 'available' : 'error'}`,
    ])
    expect((await record(store)).isUnfinished).toBe(false)
    expect((await store.loadSession(chatId))?.turns).toMatchObject([{ status: 'success', responseContent: 'Done.' }])
  })
})

describe('A run', () => {
  it('that died after the last answer is over', async () => {
    const store = memory()
    await stream(await record(store, user('u1')), modelFor('act-1'), { ends: false })
    expect((await store.loadSession(chatId))?.turns[0]?.status).toBe('running')
    const run = await record(store)
    expect(run.isUnfinished).toBe(false)
    expect(run.messages.at(-1)?.parts.at(-1)).toMatchObject({ type: 'text', text: 'Done.' })
    expect((await store.loadSession(chatId))?.turns[0]).toMatchObject({
      status: 'success',
      toolCalls: [{ metadata: {} }],
    })
  })

  it('that was taken over stores nothing any more', async () => {
    const store = memory()
    const first = await record(store, user('u1'))
    let goOn = (): void => {}
    const waiting = new Promise<void>(resolve => (goOn = resolve))
    const old = stream(
      first,
      fakeModel(
        async prompt => (await waiting, resultsIn(prompt).length === 0 ? [wants('act-1', 'act')] : [says('Old.')]),
      ),
    )
    const second = await record(store, user('u1'))
    goOn()
    await old.catch(() => {})
    expect(effects).toEqual([])
    await expect(first.settings.prepareStep({ stepNumber: 0, steps: [] })).rejects.toMatchObject({
      code: 'MESSAGE_CONFLICT',
    })
    await stream(second, modelFor('act-2'))
    expect(effects).toEqual(['act-2'])
    expect(await statesIn(store)).toEqual(['act-2 output-available'])
  })

  it('that failed goes on when its message comes again', async () => {
    const store = memory()
    const failing = fakeModel(prompt => {
      if (resultsIn(prompt).length > 0) throw new Error('no model')
      return [wants('act-1', 'act')]
    })
    await stream(await record(store, user('u1')), failing).catch(() => {})
    const run = await record(store, user('u1'))
    expect(run.isUnfinished).toBe(true)
    await stream(run, modelFor('act-1'))
    expect(effects).toEqual(['act-1'])
    expect(await statesIn(store)).toEqual(['act-1 output-available'])
  })

  it('begins after a crash with what the user says next', async () => {
    const store = memory()
    await died(store, ['act-1', 'act-2'], 'act-2')
    const run = await record(store, user('u2', 'Never mind.'))
    await stream(
      run,
      fakeModel(prompt => [says(`${prompt.length} messages`)]),
    )
    expect(await statesIn(store)).toEqual(['act-1 output-available', 'act-2 output-error'])
    const turns = (await store.loadSession(chatId))?.turns
    expect(turns).toMatchObject([{ turnId: 'u1' }, { turnId: 'u2', status: 'success', responseContent: '4 messages' }])
  })

  it('is regenerated when it is over', async () => {
    const store = memory()
    await stream(await record(store, user('u1')), modelFor('act-1'))
    await stream(await record(store, user('u1')), modelFor('act-2'))
    expect(await statesIn(store)).toEqual(['act-2 output-available'])
    await stream(await record(store, user('u1', 'Edited')), modelFor('act-3'))
    expect(await statesIn(store)).toEqual(['act-3 output-available'])
    expect((await store.loadSession(chatId))?.turns).toMatchObject([
      { turnId: 'u1', prompt: 'Edited', toolCalls: [{ callId: 'act-3' }] },
    ])
  })

  it('has the outputs of tools that the provider executes', async () => {
    const store = memory()
    const model = fakeModel(() => [
      {
        type: 'tool-call',
        toolCallId: 'p1',
        toolName: 'search',
        input: '{"q":"tea"}',
        providerExecuted: true,
        dynamic: true,
      },
      { type: 'tool-result', toolCallId: 'p1', toolName: 'search', result: { hits: 3 }, dynamic: true },
      says('Three.'),
    ])
    const answer = await stream(await record(store, user('u1')), model, { ends: false })
    const { messages } = await record(store)
    expect(messages[1]?.parts.filter(isToolUIPart)).toEqual(
      JSON.parse(JSON.stringify(answer?.parts.filter(isToolUIPart))),
    )
    expect(await statesIn(store)).toEqual(['p1 output-available'])
  })

  it.each(['streamText', 'generateText', 'a crash before the end', 'a crash in between'])(
    'has the output that a provider gives in a later step (%s)',
    async way => {
      const store = memory()
      const search = {
        type: 'provider' as const,
        id: 'fake.search' as const,
        isProviderExecuted: true as const,
        supportsDeferredResults: true,
        args: {},
        inputSchema: z.object({}),
        outputSchema: z.object({ hits: z.number() }),
      }
      const given = { search, act: tools.act }
      const chats = new TurnstoreChats({ store })
      const model = fakeModel(prompt =>
        resultsIn(prompt).length === 0
          ? [{ ...wants('p1', 'search'), providerExecuted: true }, wants('act-1', 'act')]
          : [
              {
                type: 'tool-result',
                toolCallId: 'p1',
                toolName: 'search',
                result: { hits: 3 },
                providerMetadata: { fake: { at: 1 } },
              },
              says('Three.'),
            ],
      )
      const run = await chats.recordRun(chatId, { message: user('u1'), tools: given })
      const messages = await convertToModelMessages(run.messages, { tools: given })
      const stopWhen = stepCountIs(way === 'a crash in between' ? 1 : 9)
      const options = { model, messages, stopWhen, ...run.settings }
      if (way === 'streamText') await streamText({ ...options, onEnd: run.onEnd }).consumeStream()
      else await generateText({ ...options, ...(way === 'generateText' ? { onEnd: run.onEnd } : {}) })
      const next = await chats.recordRun(chatId, { tools: given })
      expect(next.isUnfinished).toBe(way === 'a crash in between')
      expect(next.recovered.filter(({ outcome }) => outcome === 'interrupted')).toEqual([])
      if (next.isUnfinished) await stream(next, model)
      expect((await chats.loadMessages(chatId))[1]?.parts).toMatchObject([
        { type: 'step-start' },
        {
          type: 'tool-search',
          state: 'output-available',
          input: {},
          output: { hits: 3 },
          resultProviderMetadata: { fake: { at: 1 } },
        },
        { type: 'tool-act', state: 'output-available' },
        { type: 'step-start' },
        { type: 'text', text: 'Three.' },
      ])
      const turn = (await store.loadSession(chatId))?.turns[0]
      expect(turn?.status).toBe('success')
      expect(turn?.toolCalls.find(({ callId }) => callId === 'p1')?.result).toEqual({ hits: 3 })
      expect(effects).toEqual(['act-1'])
    },
  )

  it('keeps outputs apart when the model uses an id again', async () => {
    const store = memory()
    let steps = 0
    const again = fakeModel(() => (steps++ < 3 ? [wants('act-1', 'act')] : [says('Done.')]))
    const counting = tool({
      inputSchema: z.object({}),
      execute: async () => (steps < 3 ? steps : new Promise(() => {})),
    })
    const chats = new TurnstoreChats({ store })
    const message = user('u1')
    const first = await chats.recordRun(chatId, { message, tools: { act: counting } })
    void stream(first, again).catch(() => {})
    await until(() => steps === 3)
    await until(async () => (await statesIn(store)).length === 3)
    const run = await record(store, message)
    await stream(
      run,
      fakeModel(() => [says('Done.')]),
    )
    const parts = run.messages[1]?.parts.filter(isToolUIPart)
    expect(parts?.map(({ output, errorText }) => output ?? errorText)).toEqual([
      1,
      2,
      expect.stringContaining('interrupted'),
    ])
  })

  it('says so when there is nothing to answer, or the store cannot store', async () => {
    const store = memory()
    const run = await record(store)
    expect(run).toMatchObject({ isUnfinished: false, messages: [], recovered: [] })
    await expect(run.settings.prepareStep({ stepNumber: 0, steps: [] })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    })
    const other = await record(store, user('u1'))
    const change = store.changeSession.bind(store)
    store.changeSession = async () => Promise.reject(new Error('disk full'))
    await stream(other, modelFor('act-1'), { ends: false })
    expect(effects).toEqual([])
    store.changeSession = change
  })
})

describe('A session that another SDK began', () => {
  it('goes on with a run, and other readers see what it did', async () => {
    const store = memory()
    const manager = new SessionManager(store)
    await manager.startSession({ sessionId: chatId })
    await manager.recordMessages(chatId, [
      { role: 'user', content: 'Is there tea?' },
      { role: 'assistant', content: 'Three kinds.' },
      { role: 'user', content: 'Count it.' },
    ])
    const run = await record(store)
    expect(run.isUnfinished).toBe(true)
    await stream(run, modelFor('act-1'))
    expect(await statesIn(store)).toEqual(['act-1 output-available'])
    expect(await manager.getMessages(chatId)).toMatchObject([
      { content: 'Is there tea?' },
      { content: 'Three kinds.' },
      { content: 'Count it.' },
      { tool_calls: [{ id: 'act-1' }] },
      { role: 'tool', content: '{"did":"act-1"}' },
      { content: 'Done.' },
    ])
    expect((await store.loadSession(chatId))?.turns.map(({ status }) => status)).toEqual(['success', 'success'])
  })
})

describe('A chat that waits for the user', () => {
  const respond = (message: UIMessage | undefined, approved: boolean): UIMessage => ({
    ...(message ?? user('')),
    parts: (message?.parts ?? []).map(part =>
      isToolUIPart(part) && part.state === 'approval-requested'
        ? { ...part, state: 'approval-responded' as const, approval: { ...part.approval, approved } }
        : part,
    ),
  })

  it.each([true, false])('goes on when a call is approved or denied (%s)', async isApproved => {
    const store = memory()
    await stream(await record(store, user('u1')), modelFor('ask-1', 'act-2'))
    expect(effects).toEqual(['act-2'])
    expect(await statesIn(store)).toEqual(['ask-1 approval-requested', 'act-2 output-available'])
    expect((await record(store)).isUnfinished).toBe(false)
    expect((await store.loadSession(chatId))?.turns[0]?.status).toBe('running')
    const message = (await new TurnstoreChats({ store }).loadMessages(chatId)).at(-1)
    const run = await record(store, respond(message, isApproved))
    expect(run.isUnfinished).toBe(true)
    const answer = await stream(run, modelFor('ask-1', 'act-2'))
    expect(effects).toEqual(isApproved ? ['act-2', 'ask-1'] : ['act-2'])
    expect(answer?.parts.at(-1)).toMatchObject({ text: 'Done.' })
    expect(await statesIn(store)).toEqual([
      `ask-1 ${isApproved ? 'output-available' : 'output-denied'}`,
      'act-2 output-available',
    ])
    expect((await store.loadSession(chatId))?.turns[0]?.status).toBe('success')
  })

  it.each([true, false])('has denied a call when nobody looks (streams: %s)', async streams => {
    const store = memory()
    const go = async (message: UIMessage, ends = true) => {
      const run = await record(store, message)
      const messages = await convertToModelMessages(run.messages, { tools })
      const end = ends ? { onEnd: run.onEnd } : {}
      const options = { model: modelFor('ask-1'), messages, stopWhen: stepCountIs(9), ...run.settings, ...end }
      await (streams ? streamText(options).consumeStream() : generateText(options))
      return run
    }
    await go(user('u1'))
    const message = respond((await new TurnstoreChats({ store }).loadMessages(chatId)).at(-1), false)
    await go(message)
    expect(await statesIn(store)).toEqual(['ask-1 output-denied'])
    expect((await store.loadSession(chatId))?.turns[0]).toMatchObject({
      status: 'success',
      toolCalls: [{ callId: 'ask-1', status: 'error', error: 'The tool call was denied.' }],
    })
    // A process that dies after the last answer has denied it too.
    await go(message, false)
    const { isUnfinished, messages } = await record(store)
    expect(isUnfinished).toBe(false)
    expect(messages.at(-1)?.parts.map(({ type }) => type)).toEqual([
      'step-start',
      'reasoning',
      'tool-ask',
      'step-start',
      'text',
    ])
    expect(await statesIn(store)).toEqual(['ask-1 output-denied'])
    expect((await store.loadSession(chatId))?.turns[0]?.status).toBe('success')
    expect(effects).toEqual([])
  })

  it('does not run an approved call again that a crash interrupted', async () => {
    const store = memory()
    await stream(await record(store, user('u1')), modelFor('ask-1'))
    const message = respond((await new TurnstoreChats({ store }).loadMessages(chatId)).at(-1), true)
    hanging = new Set(['ask-1'])
    void stream(await record(store, message), modelFor('ask-1')).catch(() => {})
    await until(() => effects.length === 1)
    hanging = new Set()
    const run = await record(store, message)
    expect(run.recovered).toMatchObject([{ toolCallId: 'ask-1', outcome: 'interrupted' }])
    await stream(run, modelFor('ask-1'))
    expect(effects).toEqual(['ask-1'])
    expect(await statesIn(store)).toEqual(['ask-1 output-error'])
  })

  it('goes on with the output of a tool of the browser', async () => {
    const store = memory()
    await stream(await record(store, user('u1')), modelFor('here-1', 'act-2'))
    expect(await statesIn(store)).toEqual(['here-1 input-available', 'act-2 output-available'])
    expect((await record(store)).isUnfinished).toBe(false)
    const message = (await new TurnstoreChats({ store }).loadMessages(chatId)).at(-1) ?? user('')
    const parts = message.parts.map(part =>
      isToolUIPart(part) && part.state === 'input-available'
        ? { ...part, state: 'output-available' as const, output: 'yes' }
        : part,
    )
    await stream(await record(store, { ...message, parts }), modelFor('here-1', 'act-2'))
    expect(await statesIn(store)).toEqual(['here-1 output-available', 'act-2 output-available'])
    expect(effects).toEqual(['act-2'])
  })

  it('still waits for the browser after a crash of the other calls', async () => {
    const store = memory()
    hanging = new Set(['act-2'])
    void stream(await record(store, user('u1')), modelFor('here-1', 'act-2')).catch(() => {})
    await until(() => effects.length === 1)
    const run = await record(store)
    expect(run.isUnfinished).toBe(false)
    expect(await statesIn(store)).toEqual(['here-1 input-available', 'act-2 output-error'])
  })
})

describe('A run that the user stops', () => {
  it('keeps what there is, and the output of a call that ends later', async () => {
    const store = memory()
    const stop = new AbortController()
    let finish = (): void => {}
    const late = new Promise<void>(resolve => (finish = resolve))
    const chats = new TurnstoreChats({ store })
    const slow = tool({
      inputSchema: z.object({}),
      execute: async () => {
        stop.abort()
        await late
        return 'late'
      },
    })
    const run = await chats.recordRun(chatId, { message: user('u1'), tools: { slow } })
    await stream(
      run,
      fakeModel(() => [says('One moment.'), wants('c1', 'slow')]),
      { abortSignal: stop.signal },
    )
    expect((await store.loadSession(chatId))?.turns[0]).toMatchObject({
      status: 'cancelled',
      responseContent: 'One moment.',
    })
    expect(await statesIn(store)).toEqual(['c1 input-available'])
    finish()
    await answered(store, 1)
    expect(await statesIn(store)).toEqual(['c1 output-available'])
    const next = await record(store, user('u2'))
    await stream(next, modelFor('act-1'))
    expect(await statesIn(store)).toEqual(['c1 output-available', 'act-1 output-available'])
    expect((await store.loadSession(chatId))?.turns.map(({ status }) => status)).toEqual(['cancelled', 'success'])
  })
})
