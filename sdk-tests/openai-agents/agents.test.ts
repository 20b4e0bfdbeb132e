import { Agent, handoff, type MCPServer, run, RunState, setTracingDisabled, tool } from '@openai/agents-core'
import { InMemorySessionStore } from '@turnstore/memory'
import { TurnstoreSession } from '@turnstore/openai-agents'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { memory } from '../stores.ts'
import { until } from '../until.ts'
import { answers, FakeModel, wants } from './fake-model.ts'

setTracingDisabled(true)

const sessionId = 'chat-1'

/** A server with one tool, which keeps its calls. */
class Parcels implements MCPServer {
  readonly cacheToolsList = false
  readonly calls: unknown[] = []
  readonly name = 'parcels'
  hangs = false

  async connect(): Promise<void> {}
  async close(): Promise<void> {}
  async invalidateToolsCache(): Promise<void> {}

  async listTools(): ReturnType<MCPServer['listTools']> {
    const inputSchema = { type: 'object' as const, properties: {}, required: [], additionalProperties: false }
    return [{ name: 'send', description: 'Sends', inputSchema }]
  }

  async callTool(_name: string, args: Record<string, unknown> | null): ReturnType<MCPServer['callTool']> {
    this.calls.push(args)
    if (this.hangs) await new Promise(() => {})
    return [{ type: 'text', text: 'sent' }]
  }
}

class CountingStore extends InMemorySessionStore {
  writes = 0

  override async changeSession(
    ...args: Parameters<InMemorySessionStore['changeSession']>
  ): ReturnType<InMemorySessionStore['changeSession']> {
    this.writes++
    return super.changeSession(...args)
  }
}

describe('A recorded run', () => {
  it('records the calls of tools of MCP servers, and does not repeat an answered one', async () => {
    const store = memory()
    const server = new Parcels()
    const other = tool({
      name: 'wait',
      description: 'Never ends',
      parameters: z.object({}),
      execute: async () => new Promise(() => {}),
    })
    const modelOf = (): FakeModel =>
      new FakeModel(input =>
        input.some(({ type }) => type === 'function_call_result')
          ? [answers('Done.')]
          : [wants('c1', 'send'), wants('c2', 'wait')],
      )
    const support = new Agent({ name: 'Support', model: modelOf(), tools: [other], mcpServers: [server] })
    const first = new TurnstoreSession({ store, sessionId })
    const one = await first.recordRun({ agent: support })
    void run(one.agent, 'Send it.', { session: first, callModelInputFilter: one.callModelInputFilter })
    await until(async () => (await callsOf()).some(({ status }) => status === 'success'))

    const second = new TurnstoreSession({ store, sessionId })
    const two = await second.recordRun({ agent: support })
    expect(two.recovered.map(({ callId, outcome }) => [callId, outcome])).toEqual([
      ['c1', 'answered'],
      ['c2', 'interrupted'],
    ])
    const { finalOutput } = await run(two.agent, [], {
      session: second,
      callModelInputFilter: two.callModelInputFilter,
    })
    expect([finalOutput, server.calls]).toEqual(['Done.', [{}]])

    async function callsOf(): Promise<readonly { status: string }[]> {
      return (await store.loadSession(sessionId))?.turns[0]?.toolCalls ?? []
    }
  })

  it('repeats an interrupted call of a tool of an MCP server that may run twice', async () => {
    const store = memory()
    const server = new Parcels()
    server.hangs = true
    const model = new FakeModel(() => [wants('c1', 'send')])
    const support = new Agent({ name: 'Support', model, mcpServers: [server] })
    const session = new TurnstoreSession({ store, sessionId })
    const first = await session.recordRun({ agent: support })
    void run(first.agent, 'Send it.', { session, callModelInputFilter: first.callModelInputFilter })
    await until(async () => server.calls.length === 1)
    server.hangs = false
    const { recovered } = await session.recordRun({ agent: support, repeatable: ['send'] })
    expect(recovered).toEqual([{ callId: 'c1', toolName: 'send', outcome: 'repeated' }])
    expect(server.calls).toHaveLength(2)
  })

  it.each([false, true])(
    'continues with the agent that had taken over (handoffs that are objects: %s)',
    async isObject => {
      const store = memory()
      let dies = true
      const refund = tool({
        name: 'refund',
        description: 'Refunds',
        parameters: z.object({}),
        execute: async () => (dies ? new Promise(() => {}) : 'refunded'),
      })
      const billingModel = new FakeModel(input =>
        input.some(item => item.type === 'function_call_result' && item.callId === 'r')
          ? [answers('Refunded.')]
          : [wants('r', 'refund')],
      )
      const deskModel = new FakeModel(() => [wants('h', 'transfer_to_Billing')])
      const billing = new Agent({ name: 'Billing', model: billingModel, tools: [refund] })
      const desk = new Agent({
        name: 'Desk',
        model: deskModel,
        handoffs: [isObject ? handoff(billing) : billing],
      })
      // They hand off to each other.
      billing.handoffs = [desk]
      const heard: string[] = []
      billing.on('agent_start', (_context, { name }) => heard.push(name))

      const first = new TurnstoreSession({ store, sessionId })
      const one = await first.recordRun({ agent: desk })
      expect(one.agent.name).toBe('Desk')
      void run(one.agent, 'My money!', { session: first, callModelInputFilter: one.callModelInputFilter })
      await until(async () => (await store.loadSession(sessionId))?.turns[0]?.toolCalls.at(-1)?.toolName === 'refund')
      expect(heard).toEqual(['Billing'])
      expect((await store.loadSession(sessionId))?.agentTransitions).toMatchObject([
        { fromAgent: 'Desk', toAgent: 'Billing', turnId: (await store.loadSession(sessionId))?.turns[0]?.turnId },
      ])

      dies = false
      const second = new TurnstoreSession({ store, sessionId })
      const two = await second.recordRun({ agent: desk, repeatable: ['refund'] })
      expect([two.agent.name, two.recovered.map(({ outcome }) => outcome)]).toEqual(['Billing', ['repeated']])
      const { finalOutput } = await run(two.agent, [], {
        session: second,
        callModelInputFilter: two.callModelInputFilter,
      })
      expect([finalOutput, deskModel.asked.length]).toEqual(['Refunded.', 1])
      // An answered turn is over: the next question begins where you say.
      expect((await second.recordRun({ agent: desk })).agent.name).toBe('Desk')
    },
  )

  it('can begin with the last agent of the run before, at the same cost', async () => {
    const store = new CountingStore()
    const look = tool({ name: 'look', description: 'Looks', parameters: z.object({}), execute: () => 'seen' })
    const model = new FakeModel((_input, count) => [count % 2 === 1 ? wants(`c${count}`, 'look') : answers('Done.')])
    let last = new Agent<unknown>({ name: 'A', model, tools: [look] })
    const costs: number[] = []
    for (const question of ['a', 'b', 'c']) {
      store.writes = 0
      const session = new TurnstoreSession({ store, sessionId })
      const { agent, callModelInputFilter } = await session.recordRun({ agent: last })
      const context: unknown = undefined
      const { lastAgent } = await run(agent, question, { session, callModelInputFilter, context })
      last = lastAgent ?? last
      costs.push(store.writes)
    }
    expect(costs[2]).toBe(costs[0])
    expect((await new TurnstoreSession({ store, sessionId }).getItems()).length).toBe(12)
    const turns = (await store.loadSession(sessionId))?.turns ?? []
    expect(turns.map(({ toolCalls }) => toolCalls.map(({ callId }) => callId))).toEqual([['c1'], ['c3'], ['c5']])
  })

  it('resumes an approval that waits after a handoff in another process', async () => {
    const store = memory()
    let paid = 0
    const pay = tool({
      name: 'pay',
      description: 'Pays',
      parameters: z.object({}),
      needsApproval: true,
      execute: () => `paid ${++paid}`,
    })
    const model = new FakeModel(input =>
      input.some(item => item.type === 'function_call_result' && item.callId === 'p')
        ? [answers('Paid.')]
        : [wants('p', 'pay')],
    )
    const billing = new Agent({ name: 'Billing', model, tools: [pay] })
    const desk = new Agent({
      name: 'Desk',
      model: new FakeModel(() => [wants('h', 'transfer_to_Billing')]),
      handoffs: [billing],
    })
    const first = new TurnstoreSession({ store, sessionId })
    const one = await first.recordRun({ agent: desk })
    const paused = await run(one.agent, 'Pay.', { session: first, callModelInputFilter: one.callModelInputFilter })
    const kept = paused.state.toString()

    const second = new TurnstoreSession({ store, sessionId })
    const two = await second.recordRun({ agent: desk })
    expect([two.isUnfinished, two.agent.name, two.firstAgent.name]).toEqual([true, 'Billing', 'Desk'])
    const state = await RunState.fromString(two.firstAgent, kept)
    for (const interruption of state.getInterruptions()) state.approve(interruption)
    const { finalOutput } = await run(two.firstAgent, state, {
      session: second,
      callModelInputFilter: two.callModelInputFilter,
    })
    expect([finalOutput, paid]).toEqual(['Paid.', 1])
  })

  it('leaves your agents as they are', async () => {
    const session = new TurnstoreSession({ store: memory() })
    const look = tool({ name: 'look', description: 'Looks', parameters: z.object({}), execute: () => 'seen' })
    class Own extends Agent {}
    const plain = new Own({ name: 'A', model: new FakeModel(() => [answers('Hi.')]), tools: [look] })
    const { agent } = await session.recordRun({ agent: plain })
    expect(plain.tools).toEqual([look])
    expect(plain.tools[0]).toBe(look)
    expect(agent).toBeInstanceOf(Own)
    expect(agent).not.toBe(plain)
    await expect(run(plain, 'Hi')).resolves.toMatchObject({ finalOutput: 'Hi.' })
  })
})
