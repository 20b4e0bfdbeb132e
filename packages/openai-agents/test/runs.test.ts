import { Agent, MemorySession, run, RunState, type Session, setTracingDisabled, tool } from '@openai/agents-core'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { TurnstoreSession } from '../src/index.ts'
import { answers, FakeModel, wants } from './fake-model.ts'
import { memory, stores } from './stores.ts'

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
    const recorded =
      way.recorded && session instanceof TurnstoreSession ? await session.recordRun({ tools }) : undefined
    const agent = new Agent({ name: 'Support', model: model(), tools: recorded?.tools ?? tools })
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

describe('A recorded run', () => {
  it('has stored what lies before each call of the model when the model is called', async () => {
    const store = memory()
    const session = new TurnstoreSession({ store, sessionId: 'chat-1' })
    const seen: (number | undefined)[] = []
    const recorded = await session.recordRun({ tools: [track, send(false)] })
    const inner = model()
    const looking = new FakeModel(input => (input.length > 0 ? [] : []))
    looking.getResponse = async request => {
      seen.push((await new TurnstoreSession({ store, sessionId: 'chat-1' }).getItems()).length)
      return inner.getResponse(request)
    }
    const agent = new Agent({ name: 'Support', model: looking, tools: recorded.tools })
    await run(agent, 'Where?', { session, callModelInputFilter: recorded.callModelInputFilter })
    expect(seen).toEqual([1, 6, 8])
    expect(await session.getItems()).toHaveLength(9)
  })

  it('stores what a filter of your own returns', async () => {
    const session = new TurnstoreSession({ store: memory() })
    const recorded = await session.recordRun({
      callModelInputFilter: ({ modelData }) => ({
        ...modelData,
        input: modelData.input.map(item =>
          'role' in item && item.role === 'user' ? { ...item, content: 'redacted' } : item,
        ),
      }),
    })
    const failing = new FakeModel(() => {
      throw new Error('no model')
    })
    const options = { session, callModelInputFilter: recorded.callModelInputFilter }
    await expect(run(new Agent({ name: 'A', model: failing }), 'secret', options)).rejects.toThrow('no model')
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
    const first = await session.recordRun()
    const { callModelInputFilter } = first
    await expect(run(agent, 'Where?', { session, callModelInputFilter })).rejects.toThrow('no model')
    fails = false
    const second = await session.recordRun()
    expect(second.isUnfinished).toBe(true)
    await run(agent, [], { session, callModelInputFilter: second.callModelInputFilter })
    expect((await session.getItems()).map(item => ('role' in item ? item.role : item.type))).toEqual([
      'user',
      'assistant',
    ])
    expect((await session.recordRun()).isUnfinished).toBe(false)
  })

  it('says so when the run has neither its session nor its filter', async () => {
    const session = new TurnstoreSession({ store: memory() })
    const { tools } = await session.recordRun({ tools: [track, send(false)] })
    await expect(run(new Agent({ name: 'A', model: model(), tools }), 'Where?')).rejects.toThrow('callModelInputFilter')
  })
})
