import {
  Agent,
  type CallModelInputFilter,
  handoff,
  MemorySession,
  OutputGuardrailTripwireTriggered,
  run,
  RunState,
  type Session,
  setTracingDisabled,
  type Tool,
  tool,
} from '@openai/agents-core'
import type { SessionChange } from '@turnstore/core'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { TurnstoreSession } from '@turnstore/openai-agents'
import { answers, FakeModel, wants } from './fake-model.ts'
import { memory, stores } from '../stores.ts'

setTracingDisabled(true)

/** Two calls at once, one of which may need an approval, then a third, then an answer. */
const model = (): FakeModel =>
  new FakeModel(input => {
    const asked = input.findLastIndex(item => 'role' in item && item.role === 'user')
    const since = input.slice(asked).filter(({ type }) => type === 'function_call_result').length
    const id = `${asked}`
    if (since === 0) {
      return [answers('Let me see.'), wants(`a${id}`, 'track', { of: 'a' }), wants(`b${id}`, 'send', { of: 'b' })]
    }
    return since === 2 ? [wants(`c${id}`, 'track', { of: 'c' })] : [answers(`Done ${id}.`)]
  })

const track = tool({
  name: 'track',
  description: 'Finds a parcel',
  parameters: z.object({ of: z.string() }),
  execute: async ({ of }) => ({ type: 'text', text: `at ${of}` }),
})

const send = (needsApproval: boolean): ReturnType<typeof tool> =>
  tool({
    name: 'send',
    description: 'Sends a parcel',
    parameters: z.object({ of: z.string() }),
    needsApproval,
    execute: async ({ of }) => `sent ${of}`,
  })

interface Way {
  readonly stream: boolean
  readonly approval: boolean
  readonly recorded: boolean
}

/** Two runs over a session, with what `way` says. */
async function converse(session: Session, way: Way): Promise<void> {
  const tools = [track, send(way.approval)]
  for (const prompt of ['Where is it?', 'And the others?']) {
    const plain = new Agent<unknown>({ name: 'Support', model: model(), tools })
    const recorded =
      way.recorded && session instanceof TurnstoreSession ? await session.recordRun({ agent: plain }) : undefined
    const { agent = plain } = recorded ?? {}
    const filter = recorded === undefined ? {} : { callModelInputFilter: recorded.callModelInputFilter }
    const context: unknown = undefined
    const options = { session, context, ...filter }
    const go = async (input: string | RunState<unknown, typeof agent>): Promise<Result> => {
      if (!way.stream) return run(agent, input, options)
      const result = await run(agent, input, { ...options, stream: true })
      await result.completed
      return result
    }
    let result = await go(prompt)
    let approvals = 0
    for (; result.interruptions.length > 0; approvals++) {
      const state = await RunState.fromString(agent, result.state.toString())
      for (const interruption of state.getInterruptions()) state.approve(interruption)
      result = await go(state)
    }
    expect([approvals, result.finalOutput]).toEqual([way.approval ? 1 : 0, expect.stringMatching(/^Done/)])
  }
}

interface Result {
  readonly interruptions: readonly unknown[]
  readonly state: { toString(): string }
  readonly finalOutput?: unknown
}

const ways: Way[] = [false, true].flatMap(stream =>
  [false, true].flatMap(approval => [false, true].map(recorded => ({ stream, approval, recorded }))),
)

describe.each(stores)('Runs with a session in the store %s', (_name, open) => {
  it.each(ways)('store what the SDK stores in its own session (%o)', async way => {
    const theirs = new MemorySession()
    await converse(theirs, { ...way, recorded: false })
    const store = open()
    const ours = new TurnstoreSession({ store, sessionId: 'chat-1' })
    await converse(ours, way)
    expect(await ours.getItems()).toEqual(await theirs.getItems())
    const turns = (await store.loadSession('chat-1'))?.turns
    expect(turns?.map(({ prompt, status, responseContent }) => [prompt, status, responseContent])).toEqual([
      ['Where is it?', 'success', 'Done 0.'],
      ['And the others?', 'success', expect.stringMatching(/^Done \d+\.$/)],
    ])
    expect(turns?.[0]?.toolCalls).toMatchObject([
      { callId: 'a0', toolName: 'track', arguments: { of: 'a' }, status: 'success', metadata: {} },
      { callId: 'b0', toolName: 'send', arguments: { of: 'b' }, result: 'sent b', status: 'success', metadata: {} },
      { callId: 'c0', toolName: 'track', arguments: { of: 'c' }, status: 'success', metadata: {} },
    ])
  })
})

/** Runs whose items the SDK writes in other ways than by adding them at the end. */
const others: readonly (readonly [string, (tools: Tool[]) => Agent, (agent: Agent) => CallModelInputFilter])[] = [
  [
    'a handoff',
    tools => {
      const billing = new Agent({ name: 'Billing', model: model(), tools })
      const first = new FakeModel(() => [answers('One moment.'), wants('h', 'transfer_to_Billing')])
      return new Agent({ name: 'Desk', model: first, handoffs: [billing] })
    },
    unfiltered,
  ],
  [
    'a handoff that hides the history',
    tools => {
      const billing = new Agent({ name: 'Billing', model: model(), tools })
      const first = new FakeModel(() => [wants('h', 'transfer_to_Billing')])
      const hide = handoff(billing, {
        inputFilter: data => ({ ...data, preHandoffItems: [], newItems: [] }),
      })
      return new Agent({ name: 'Desk', model: first, handoffs: [hide] })
    },
    unfiltered,
  ],
  [
    'an answer that a guardrail blocks',
    tools =>
      new Agent({
        name: 'Support',
        model: model(),
        tools,
        outputGuardrails: [{ name: 'no', execute: async () => ({ tripwireTriggered: true, outputInfo: null }) }],
      }),
    unfiltered,
  ],
  [
    'a tool whose result is the answer',
    tools => new Agent({ name: 'Support', model: model(), tools, toolUseBehavior: 'stop_on_first_tool' }),
    unfiltered,
  ],
  [
    'a filter that shows the model the last items only',
    tools => new Agent({ name: 'Support', model: model(), tools }),
    () =>
      ({ modelData }) => ({ ...modelData, input: modelData.input.slice(-5) }),
  ],
  [
    'a filter that adds an item',
    tools => new Agent({ name: 'Support', model: model(), tools }),
    () =>
      ({ modelData }) => ({ ...modelData, input: [...modelData.input, { role: 'system', content: 'Be brief.' }] }),
  ],
]

function unfiltered(): CallModelInputFilter {
  return ({ modelData }) => modelData
}

describe.each(others)('A run with %s', (_name, agentWith, filterFor) => {
  it.each([false, true])('stores what the SDK stores in its own session (stream: %s)', async stream => {
    const tools = [track, send(false)]
    const histories: unknown[] = []
    for (const isOurs of [false, true]) {
      const session = isOurs ? new TurnstoreSession({ store: memory() }) : new MemorySession()
      for (const prompt of ['Where is it?', 'yes', 'yes']) {
        const plain = agentWith(tools)
        const filter = filterFor(plain)
        const recorded =
          session instanceof TurnstoreSession
            ? await session.recordRun({ agent: plain, callModelInputFilter: filter })
            : undefined
        const { agent = plain, callModelInputFilter = filter } = recorded ?? {}
        const options = { session, callModelInputFilter }
        const outcome = stream
          ? run(agent, prompt, { ...options, stream: true }).then(async result => result.completed)
          : run(agent, prompt, options)
        await outcome.catch((error: unknown) => {
          if (!(error instanceof OutputGuardrailTripwireTriggered)) throw error
        })
      }
      histories.push(await session.getItems())
    }
    expect(histories[1]).toEqual(histories[0])
    expect(histories[0]).not.toEqual([])
  })
})

/** The same, for a model that does not see the question. */
function model3(count: number): ReturnType<typeof wants>[] {
  const [first, second] = [
    [answers('Let me see.'), wants('a0', 'track', { of: 'a' }), wants('b0', 'send', { of: 'b' })],
    [wants('c0', 'track', { of: 'c' })],
  ]
  return (count === 1 ? first : count === 2 ? second : undefined) ?? [answers('Done 0.')]
}

describe('A recorded run', () => {
  it('adds only what the SDK adds, and changes nothing that is stored', async () => {
    const store = memory()
    const changes: SessionChange[] = []
    const change = store.changeSession.bind(store)
    store.changeSession = async (...args) => {
      changes.push(args[1])
      return change(...args)
    }
    await converse(new TurnstoreSession({ store }), { stream: false, approval: false, recorded: true })
    const updates = changes.flatMap(({ updateTurns = [] }) => updateTurns)
    expect(changes.filter(({ keepTurns }) => keepTurns !== undefined)).toEqual([])
    expect(updates.flatMap(({ removeItems = [] }) => removeItems)).toEqual([])
    // For each of two questions: three before the calls of the model, two for each call, and the answer.
    expect(changes).toHaveLength(2 * (3 + 3 * 2 + 1))
  })

  it.each([Infinity, 5])(
    'has stored what lies before each call of the model, which sees the last %d items',
    async last => {
      const store = memory()
      const session = new TurnstoreSession({ store, sessionId: 'chat-1' })
      const seen: (number | undefined)[] = []
      const inner = last === 5 ? new FakeModel((_input, count) => model3(count)) : model()
      const looking = new FakeModel(input => (input.length > 0 ? [] : []))
      looking.getResponse = async request => {
        seen.push((await new TurnstoreSession({ store, sessionId: 'chat-1' }).getItems()).length)
        return inner.getResponse(request)
      }
      const recorded = await session.recordRun({
        agent: new Agent({ name: 'Support', model: looking, tools: [track, send(false)] }),
        callModelInputFilter: ({ modelData }) => ({ ...modelData, input: modelData.input.slice(-last) }),
      })
      await run(recorded.agent, 'Where?', { session, callModelInputFilter: recorded.callModelInputFilter })
      expect(seen).toEqual([1, 6, 8])
      expect(await session.getItems()).toHaveLength(9)
    },
  )

  it('stores what a filter of your own returns', async () => {
    const session = new TurnstoreSession({ store: memory() })
    const failing = new FakeModel(() => {
      throw new Error('no model')
    })
    const recorded = await session.recordRun({
      agent: new Agent({ name: 'A', model: failing }),
      callModelInputFilter: ({ modelData }) => ({
        ...modelData,
        input: modelData.input.map(item =>
          'role' in item && item.role === 'user' ? { ...item, content: 'redacted' } : item,
        ),
      }),
    })
    const options = { session, callModelInputFilter: recorded.callModelInputFilter }
    await expect(run(recorded.agent, 'secret', options)).rejects.toThrow('no model')
    expect(await session.getItems()).toEqual([{ type: 'message', role: 'user', content: 'redacted' }])
  })

  it('keeps the question of a run that failed, and the next run goes on', async () => {
    const session = new TurnstoreSession({ store: memory() })
    let fails = true
    const moody = new FakeModel(() => {
      if (fails) throw new Error('no model')
      return [answers('Here.')]
    })
    const agent = new Agent({ name: 'A', model: moody })
    const first = await session.recordRun({ agent })
    const { callModelInputFilter } = first
    await expect(run(agent, 'Where?', { session, callModelInputFilter })).rejects.toThrow('no model')
    fails = false
    const second = await session.recordRun({ agent })
    expect(second.isUnfinished).toBe(true)
    await run(agent, [], { session, callModelInputFilter: second.callModelInputFilter })
    expect((await session.getItems()).map(item => ('role' in item ? item.role : item.type))).toEqual([
      'user',
      'assistant',
    ])
    expect((await session.recordRun({ agent })).isUnfinished).toBe(false)
  })

  it('says so when the run has neither its session nor its filter', async () => {
    const session = new TurnstoreSession({ store: memory() })
    const plain = new Agent({ name: 'A', model: model(), tools: [track, send(false)] })
    const { agent } = await session.recordRun({ agent: plain })
    await expect(run(agent, 'Where?')).rejects.toThrow('callModelInputFilter')
  })
})
