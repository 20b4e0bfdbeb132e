import { Agent, type Model, run, RunState, setTracingDisabled, tool } from '@openai/agents-core'
import type { SessionStore } from '@turnstore/core'
import { beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { type RecordedRun, TurnstoreSession } from '@turnstore/openai-agents'
import { answers, FakeModel, wants } from './fake-model.ts'
import { memory, stores } from '../stores.ts'
import { until } from '../until.ts'

setTracingDisabled(true)

const sessionId = 'chat-1'
let effects: string[] = []
/** The calls that never return, as the process dies meanwhile. */
let hanging: ReadonlySet<string> = new Set()

beforeEach(() => {
  effects = []
  hanging = new Set()
})

const act = tool({
  name: 'act',
  description: 'Has an effect',
  parameters: z.object({ id: z.string() }),
  needsApproval: async (_context, { id }) => id.startsWith('approved'),
  execute: async ({ id }) => {
    effects.push(id)
    if (hanging.has(id)) await new Promise(() => {})
    return { type: 'image', image: `https://example.com/${id}` }
  },
})

function modelFor(...ids: string[]): FakeModel {
  return new FakeModel(input => {
    const results = input.filter(({ type }) => type === 'function_call_result').length
    return results < ids.length ? ids.map(id => wants(`call-${id}`, 'act', { id })) : [answers('Done.')]
  })
}

/** A process: it has a session of its own over the store. */
async function life(
  store: SessionStore,
  model: Model = modelFor(),
  repeatable: string[] = [],
): Promise<{ session: TurnstoreSession; recorded: RecordedRun<unknown, Agent> }> {
  const session = new TurnstoreSession({ store, sessionId })
  const agent = new Agent<unknown>({ name: 'A', model, tools: [act] })
  return { session, recorded: await session.recordRun({ agent, repeatable }) }
}

/** Until the store has that many answered calls. */
async function answered(store: SessionStore, count: number): Promise<void> {
  await until(async () => {
    const turn = (await store.loadSession(sessionId))?.turns.at(-1)
    return turn?.toolCalls.filter(({ status }) => status === 'success').length === count
  })
}

describe.each(stores)('A run over the store %s that stopped inside its tools', (_name, open) => {
  it('goes on with what was answered, and the model reads of what was not', async () => {
    const store = open()
    hanging = new Set(['b'])
    const model = modelFor('a', 'b', 'c')
    const first = await life(store, model)
    const { agent, callModelInputFilter } = first.recorded
    void run(agent, 'Act.', { session: first.session, callModelInputFilter })
    await answered(store, 2)

    // Others see how far it got, without a word from the dead process.
    expect((await new TurnstoreSession({ store, sessionId }).getItems()).map(({ type }) => type).slice(0, 3)).toEqual([
      'message',
      'function_call',
      'function_call_result',
    ])
    const next = modelFor('a', 'b', 'c')
    const second = await life(store, next)
    expect(second.recorded).toMatchObject({
      isUnfinished: true,
      recovered: [
        { callId: 'call-a', toolName: 'act', outcome: 'answered' },
        { callId: 'call-b', toolName: 'act', outcome: 'interrupted' },
        { callId: 'call-c', toolName: 'act', outcome: 'answered' },
      ],
    })
    const { finalOutput } = await run(second.recorded.agent, [], {
      session: second.session,
      callModelInputFilter: second.recorded.callModelInputFilter,
    })
    expect([finalOutput, effects]).toEqual(['Done.', ['a', 'b', 'c']])
    const image = (id: string): object[] => [{ type: 'input_image', image: `https://example.com/${id}` }]
    const interrupted = 'The call was interrupted. It is unknown whether it took effect.'
    expect(next.asked).toMatchObject([
      [
        { type: 'message', role: 'user', content: 'Act.' },
        ...['a', 'b', 'c'].map(id => ({ type: 'function_call', callId: `call-${id}` })),
        { type: 'function_call_result', callId: 'call-a', output: image('a') },
        { type: 'function_call_result', callId: 'call-b', output: { type: 'text', text: interrupted } },
        { type: 'function_call_result', callId: 'call-c', output: image('c') },
      ],
    ])
    expect(await second.session.getItems()).toHaveLength(8)
    const [turn] = (await store.loadSession(sessionId))?.turns ?? []
    expect(turn?.toolCalls.map(({ status, error, metadata }) => [status, error, metadata])).toEqual([
      ['success', null, {}],
      ['error', 'interrupted', {}],
      ['success', null, {}],
    ])
    // There is nothing left to settle.
    expect((await life(store)).recorded).toMatchObject({ isUnfinished: false, recovered: [] })
  })

  it('goes on when both runs are streamed', async () => {
    const store = open()
    hanging = new Set(['b'])
    const model = modelFor('a', 'b', 'c')
    const first = await life(store, model)
    const { agent, callModelInputFilter } = first.recorded
    const options = { session: first.session, callModelInputFilter, stream: true } as const
    await run(agent, 'Act.', options)
    await answered(store, 2)
    const { session, recorded } = await life(store, model)
    const result = await run(recorded.agent, [], {
      session,
      callModelInputFilter: recorded.callModelInputFilter,
      stream: true,
    })
    await result.completed
    expect([result.finalOutput, effects]).toEqual(['Done.', ['a', 'b', 'c']])
    const types = (await session.getItems()).map(({ type }) => type)
    const three = (type: string): string[] => [type, type, type]
    expect(types).toEqual(['message', ...three('function_call'), ...three('function_call_result'), 'message'])
  })

  it('runs an interrupted call again if its tool may', async () => {
    const store = open()
    hanging = new Set(['b'])
    const first = await life(store, modelFor('a', 'b'))
    void run(first.recorded.agent, 'Act.', {
      session: first.session,
      callModelInputFilter: first.recorded.callModelInputFilter,
    })
    await answered(store, 1)
    hanging = new Set()
    const { recorded } = await life(store, modelFor(), ['act'])
    expect(recorded.recovered.map(({ outcome }) => outcome)).toEqual(['answered', 'repeated'])
    expect(effects).toEqual(['a', 'b', 'b'])
  })

  it('gives the stored results to a run that continues from its state', async () => {
    const store = open()
    const model = modelFor('approved-a', 'approved-b')
    const first = await life(store, model)
    const { agent, callModelInputFilter } = first.recorded
    const paused = await run(agent, 'Act.', { session: first.session, callModelInputFilter })
    const kept = paused.state.toString()
    expect(paused.interruptions).toHaveLength(2)
    // What waits for an approval was not begun.
    expect((await life(store)).recorded).toMatchObject({ isUnfinished: true, recovered: [] })

    const lives: unknown[] = []
    for (const hangs of [['approved-b'], []]) {
      hanging = new Set(hangs)
      const { session, recorded } = await life(store, model)
      const state = await RunState.fromString(recorded.agent, kept)
      for (const interruption of state.getInterruptions()) state.approve(interruption)
      const running = run(recorded.agent, state, { session, callModelInputFilter: recorded.callModelInputFilter })
      lives.push(hangs.length > 0 ? await answered(store, 1) : (await running).finalOutput)
    }
    expect(lives).toEqual([undefined, 'Done.'])
    expect(effects).toEqual(['approved-a', 'approved-b'])
    const items = await new TurnstoreSession({ store, sessionId }).getItems()
    expect(items.map(({ type }) => type)).toEqual([
      'message',
      'function_call',
      'function_call',
      'function_call_result',
      'function_call_result',
      'message',
    ])
  })
})

describe('A recorded run', () => {
  it('leaves a call that timed out to the SDK', async () => {
    const store = memory()
    const { session } = await life(store)
    let isLate = (): void => {}
    const late = new Promise<void>(resolve => {
      isLate = resolve
    })
    const slow = tool({
      name: 'slow',
      description: 'Takes long',
      parameters: z.object({}),
      timeoutMs: 5,
      execute: async () => {
        await late
        return 'late'
      },
    })
    const model = new FakeModel((_input, count) => [count % 2 === 1 ? wants(`c${count}`, 'slow') : answers('Done.')])
    const plain = new Agent({ name: 'A', model, tools: [slow] })
    const { agent, callModelInputFilter } = await session.recordRun({ agent: plain })
    await run(agent, 'Go.', { session, callModelInputFilter })
    const before = await store.loadSession(sessionId)
    isLate()
    await new Promise(resolve => setTimeout(resolve, 20))
    expect(await store.loadSession(sessionId)).toEqual(before)
    expect((await life(store)).recorded).toMatchObject({ isUnfinished: false, recovered: [] })
  })

  it('keeps the answer of a call that the user aborted, once', async () => {
    const store = memory()
    const { session } = await life(store)
    const stop = new AbortController()
    const slow = tool({
      name: 'slow',
      description: 'Takes long',
      parameters: z.object({}),
      execute: async () => {
        stop.abort()
        await new Promise(resolve => setTimeout(resolve, 20))
        return 'late'
      },
    })
    const plain = new Agent({ name: 'A', model: new FakeModel(() => [wants('c1', 'slow')]), tools: [slow] })
    const { agent, callModelInputFilter } = await session.recordRun({ agent: plain })
    await run(agent, 'Go.', { session, callModelInputFilter, signal: stop.signal }).catch(() => {})
    await answered(store, 1)
    const next = await life(store)
    expect((await next.session.getItems()).filter(({ type }) => type === 'function_call_result')).toMatchObject([
      { callId: 'c1', output: { type: 'text', text: 'late' } },
    ])
  })

  it('can read its session inside a tool that runs again', async () => {
    const store = memory()
    const session = new TurnstoreSession({ store, sessionId })
    let lives = 0
    const look = tool({
      name: 'look',
      description: 'Looks',
      parameters: z.object({}),
      execute: async () => {
        // The call is the run's, until the SDK has its items.
        expect(await session.getItems()).toHaveLength(1)
        return lives++ === 0 ? new Promise(() => {}) : 'seen'
      },
    })
    const plain = new Agent({ name: 'A', model: new FakeModel(() => [wants('c1', 'look')]), tools: [look] })
    const { agent, callModelInputFilter } = await session.recordRun({ agent: plain })
    void run(agent, 'Look.', { session, callModelInputFilter })
    await until(async () => lives === 1)
    const { recovered } = await session.recordRun({ agent: plain, repeatable: ['look'] })
    expect(recovered).toEqual([{ callId: 'c1', toolName: 'look', outcome: 'repeated' }])
    expect(lives).toBe(2)
  })
})
