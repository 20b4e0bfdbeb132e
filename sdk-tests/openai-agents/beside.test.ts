import { Agent, type AgentInputItem, run, setTracingDisabled, type Tool, tool } from '@openai/agents-core'
import { TurnstoreSession } from '@turnstore/openai-agents'
import { beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { memory } from '../stores.ts'
import { until } from '../until.ts'
import { answers, FakeModel, wants } from './fake-model.ts'

setTracingDisabled(true)

/* The methods of a session beside its recorded run: in its tools, and after it has failed. */

let session: TurnstoreSession

beforeEach(() => {
  session = new TurnstoreSession({ store: memory(), sessionId: 'chat-1' })
})

const act = (execute: () => unknown): Tool =>
  tool({ name: 'act', description: 'Acts', parameters: z.object({}), execute })

/** Runs a call of `act`, then an answer. @param failing the number of the model's call that fails */
async function recorded(execute: () => unknown, failing = 0, callId = 'c1'): Promise<unknown> {
  const model = new FakeModel((_input, count) => {
    if (count === failing) throw new Error('down')
    return count === 1 ? [wants(callId, 'act')] : [answers('Done.')]
  })
  const plain = new Agent({ name: 'A', model, tools: [act(execute)] })
  const { agent, callModelInputFilter } = await session.recordRun({ agent: plain })
  return run(agent, 'Act.', { session, callModelInputFilter }).then(
    ({ finalOutput }) => finalOutput,
    (error: unknown) => error,
  )
}

async function told(): Promise<string[]> {
  return (await session.getItems()).map(brief)
}

function brief(item: AgentInputItem): string {
  if (!('role' in item)) return item.type ?? ''
  const { role, content } = item
  const [part] = typeof content === 'string' ? [{ text: content }] : content
  return `${role} ${part !== undefined && 'text' in part ? part.text : ''}`
}

describe('A session beside a recorded run', () => {
  it('keeps what a failed run has recorded when something is added', async () => {
    await recorded(() => 'acted', 2)
    await session.addItems([answers('Sorry.')])
    expect(await told()).toEqual(['user Act.', 'function_call', 'function_call_result', 'assistant Sorry.'])
  })

  it('adds what was removed after a failed run', async () => {
    await recorded(() => 'acted', 1)
    const popped = await session.popItem()
    expect(popped).toMatchObject({ content: 'Act.' })
    await session.addItems(popped === undefined ? [] : [popped])
    expect(await told()).toEqual(['user Act.'])
  })

  it('keeps a failed run when a run that is not recorded follows', async () => {
    await recorded(() => 'acted', 2)
    const model = new FakeModel(() => [answers('Hi.')])
    await run(new Agent({ name: 'A', model }), 'Hello?', { session })
    expect(await told()).toEqual(['user Act.', 'function_call', 'function_call_result', 'user Hello?', 'assistant Hi.'])
  })

  it('takes items from a tool', async () => {
    const note: AgentInputItem = { role: 'system', content: 'note' }
    expect(await recorded(async () => session.addItems([note]))).toBe('Done.')
    expect((await told()).toSorted()).toEqual(
      ['user Act.', 'system note', 'function_call', 'function_call_result', 'assistant Done.'].toSorted(),
    )
  })

  it('can be cleared by a tool', async () => {
    expect(await recorded(async () => session.clearSession())).toBe('Done.')
    expect(await told()).toEqual(['user Act.', 'function_call', 'function_call_result', 'assistant Done.'])
  })

  it.each(['x'.repeat(300), 'a\nb'])('has calls with ids that are no ids of a store: %j', async callId => {
    expect(await recorded(() => 'acted', 2, callId)).toMatchObject({ message: 'down' })
    expect((await session.recordRun({ agent: new Agent({ name: 'A', tools: [] }) })).recovered).toEqual([])
    expect(await told()).toEqual(['user Act.', 'function_call', 'function_call_result'])
  })

  it('answers a call with such an id that a crash interrupted', async () => {
    const store = memory()
    const callId = 'x'.repeat(300)
    session = new TurnstoreSession({ store, sessionId: 'chat-1' })
    let hasBegun = false
    void recorded(
      async () => {
        hasBegun = true
        return new Promise(() => {})
      },
      0,
      callId,
    )
    await until(() => hasBegun)
    session = new TurnstoreSession({ store, sessionId: 'chat-1' })
    const { recovered } = await session.recordRun({ agent: new Agent({ name: 'A', tools: [] }) })
    expect(recovered).toEqual([{ callId, toolName: 'act', outcome: 'interrupted' }])
    expect(await told()).toEqual(['user Act.', 'function_call', 'function_call_result'])
    expect((await store.loadSession('chat-1'))?.turns[0]?.toolCalls).toHaveLength(1)
  })

  it.each([{ previousResponseId: 'r0' }, { conversationId: 'conv_1' }])(
    'refuses a run whose history the provider keeps: %j',
    async kept => {
      const model = new FakeModel((_input, count) => [count === 1 ? wants('c1', 'act') : answers('Done.')])
      const plain = new Agent({ name: 'A', model, tools: [act(() => 'acted')] })
      const { agent, callModelInputFilter } = await session.recordRun({ agent: plain })
      await expect(run(agent, 'Act.', { session, callModelInputFilter, ...kept })).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
      })
    },
  )
})
