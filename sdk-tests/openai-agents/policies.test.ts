import {
  Agent,
  defineToolOutputGuardrail,
  MemorySession,
  run,
  type Session,
  setTracingDisabled,
  type Tool,
  tool,
  ToolGuardrailFunctionOutputFactory,
} from '@openai/agents-core'
import { TurnstoreSession } from '@turnstore/openai-agents'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { memory } from '../stores.ts'
import { until } from '../until.ts'
import { answers, FakeModel, wants } from './fake-model.ts'

setTracingDisabled(true)

/* What protects a tool protects it in a recorded run too. */

const sessionId = 'chat-1'

describe('The approval policy of a recorded tool', () => {
  it.each([
    ['a default', {}, true],
    ['a value below it', { amount: 3, to: 'ada' }, false],
    ['a text that the schema makes another', { amount: 3, to: ' EVE ' }, true],
    ['arguments that the schema refuses', { amount: 'many' }, false],
  ])('sees the arguments as the tool does: %s', async (_name, args, isAsked) => {
    const pay = tool({
      name: 'pay',
      description: 'Pays',
      parameters: z.object({
        amount: z.number().default(1000),
        to: z.string().trim().toLowerCase().default('ada'),
      }),
      needsApproval: async (_context, { amount, to }) => amount > 500 || to === 'eve',
      execute: () => 'paid',
    })
    const interruptions = async (session: Session): Promise<number> => {
      const model = new FakeModel((_input, count) => [count === 1 ? wants('c1', 'pay', args) : answers('Done.')])
      const plain = new Agent<unknown>({ name: 'A', model, tools: [pay] })
      const recorded = session instanceof TurnstoreSession ? await session.recordRun({ agent: plain }) : undefined
      const { agent = plain } = recorded ?? {}
      const filter = recorded === undefined ? {} : { callModelInputFilter: recorded.callModelInputFilter }
      const context: unknown = undefined
      return (await run(agent, 'Pay.', { session, context, ...filter })).interruptions.length
    }
    const expected = await interruptions(new MemorySession())
    expect(expected).toBe(isAsked ? 1 : 0)
    expect(await interruptions(new TurnstoreSession({ store: memory(), sessionId }))).toBe(expected)
  })
})

describe('What an output guardrail of a tool refuses', () => {
  const secret = 'SSN 123-45-6789'

  const find = (isFatal: boolean): Tool =>
    tool({
      name: 'find',
      description: 'Finds',
      parameters: z.object({}),
      execute: () => secret,
      outputGuardrails: [
        defineToolOutputGuardrail({
          name: 'discreet',
          run: async () =>
            isFatal
              ? ToolGuardrailFunctionOutputFactory.throwException()
              : ToolGuardrailFunctionOutputFactory.rejectContent('Removed.'),
        }),
      ],
    })

  const wait = tool({
    name: 'wait',
    description: 'Never ends',
    parameters: z.object({}),
    execute: async () => new Promise(() => {}),
  })

  it('is not what the model reads after a crash', async () => {
    const store = memory()
    const model = new FakeModel((_input, count) =>
      count === 1 ? [wants('c1', 'find'), wants('c2', 'wait')] : [answers('Done.')],
    )
    const plain = new Agent({ name: 'A', model, tools: [find(false), wait] })
    const session = new TurnstoreSession({ store, sessionId })
    const first = await session.recordRun({ agent: plain })
    void run(first.agent, 'Find it.', { session, callModelInputFilter: first.callModelInputFilter })
    const isAnswered = async (): Promise<boolean> =>
      (await store.loadSession(sessionId))?.turns[0]?.toolCalls.some(({ status }) => status === 'success') === true
    await until(isAnswered)

    const other = new TurnstoreSession({ store, sessionId })
    const second = await other.recordRun({ agent: plain })
    await run(second.agent, [], { session: other, callModelInputFilter: second.callModelInputFilter })
    expect(JSON.stringify(model.asked.at(-1))).toContain('Removed.')
    expect(JSON.stringify([model.asked, await store.loadSession(sessionId)])).not.toContain(secret)
  })

  it('is not stored if it ends the run', async () => {
    const store = memory()
    const model = new FakeModel((_input, count) => (count === 1 ? [wants('c1', 'find')] : [answers('Done.')]))
    const plain = new Agent({ name: 'A', model, tools: [find(true)] })
    const session = new TurnstoreSession({ store, sessionId })
    const { agent, callModelInputFilter } = await session.recordRun({ agent: plain })
    await expect(run(agent, 'Find it.', { session, callModelInputFilter })).rejects.toMatchObject({
      name: 'ToolCallError',
    })
    expect((await session.recordRun({ agent: plain })).recovered).toMatchObject([{ outcome: 'interrupted' }])
    expect(JSON.stringify(await store.loadSession(sessionId))).not.toContain(secret)
  })

  it('is refused again if its call runs again', async () => {
    const store = memory()
    let isFirst = true
    const hanging = tool({
      name: 'find',
      description: 'Finds',
      parameters: z.object({}),
      execute: async () => {
        if (!isFirst) return secret
        isFirst = false
        return new Promise<string>(() => {})
      },
      outputGuardrails: [
        { name: 'discreet', run: async () => ToolGuardrailFunctionOutputFactory.rejectContent('Removed.') },
      ],
    })
    const model = new FakeModel((_input, count) => (count === 1 ? [wants('c1', 'find')] : [answers('Done.')]))
    const plain = new Agent({ name: 'A', model, tools: [hanging] })
    const session = new TurnstoreSession({ store, sessionId })
    const first = await session.recordRun({ agent: plain })
    void run(first.agent, 'Find it.', { session, callModelInputFilter: first.callModelInputFilter })
    await until(() => !isFirst)
    const other = new TurnstoreSession({ store, sessionId })
    const { recovered } = await other.recordRun({ agent: plain, repeatable: ['find'] })
    expect(recovered).toMatchObject([{ outcome: 'repeated' }])
    expect(JSON.stringify(await other.getItems())).toContain('Removed.')
    expect(JSON.stringify(await store.loadSession(sessionId))).not.toContain(secret)
  })
})
