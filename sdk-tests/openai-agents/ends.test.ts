import {
  Agent,
  type AgentInputItem,
  type AgentOptions,
  type OutputGuardrail,
  run,
  setTracingDisabled,
  tool,
} from '@openai/agents-core'
import type { SessionStore } from '@turnstore/core'
import { type CompactionOptions, TurnstoreSession } from '@turnstore/openai-agents'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { memory } from '../stores.ts'
import { answers, FakeModel, wants } from './fake-model.ts'

setTracingDisabled(true)

/* Whoever passes `isUnfinished ? [] : question` must not lose a question: it is true only if a run has to go on. */

const look = tool({ name: 'look', description: 'Looks', parameters: z.object({}), execute: () => 'seen' })

/** Asks each question in a process of its own. @returns what ended the last message of the user that the model saw */
async function ask(
  store: SessionStore,
  questions: readonly string[],
  options: Partial<AgentOptions>,
  compaction?: CompactionOptions,
): Promise<{ asked: string[]; ends: string[] }> {
  const asked: string[] = []
  const ends: string[] = []
  for (const question of questions) {
    const model = new FakeModel(input => {
      asked.push(lastQuestion(input))
      return options.toolUseBehavior === undefined ? [answers('Done.')] : [wants(`c${asked.length}`, 'look')]
    })
    const session = new TurnstoreSession({
      store,
      sessionId: 'chat-1',
      ...(compaction === undefined ? {} : { compaction }),
    })
    const plain = new Agent({ name: 'A', model, tools: [look], ...options })
    const { agent, callModelInputFilter, isUnfinished } = await session.recordRun({ agent: plain })
    const input = isUnfinished ? [] : question
    const end = await run(agent, input, { session, callModelInputFilter }).then(
      ({ finalOutput }) => String(finalOutput),
      (error: unknown) => (error instanceof Error ? error.constructor.name : ''),
    )
    ends.push(end)
  }
  return { asked, ends }
}

function lastQuestion(input: readonly AgentInputItem[]): string {
  const last = input.findLast(item => 'role' in item && item.role === 'user')
  return last !== undefined && 'content' in last && typeof last.content === 'string' ? last.content : ''
}

const compactions: [string, AgentInputItem[]][] = [
  ['a compaction', [{ type: 'compaction', encrypted_content: 'what was said' }]],
  ['a summary by the user', [{ role: 'user', content: 'They talked.' }]],
  ['a summary by the system', [{ role: 'system', content: 'They talked.' }]],
  [
    'messages and a compaction',
    [
      { role: 'user', content: 'a' },
      { type: 'compaction', encrypted_content: 'what was said' },
    ],
  ],
]

describe('A run is over', () => {
  it.each(compactions)('when its history was compacted to %s', async (_name, items) => {
    const compaction = { shouldCompact: () => true, compact: () => ({ items }) }
    const { asked, ends } = await ask(memory(), ['a', 'b', 'c'], {}, compaction)
    expect(asked).toEqual(['a', 'b', 'c'])
    expect(ends).toEqual(['Done.', 'Done.', 'Done.'])
  })

  it.each<NonNullable<AgentOptions['toolUseBehavior']>>([
    'stop_on_first_tool',
    { stopAtToolNames: ['look'] },
    async () => ({ isFinalOutput: true, isInterrupted: undefined, finalOutput: 'seen' }),
  ])('when a tool gave the answer (%s)', async toolUseBehavior => {
    const store = memory()
    const { asked, ends } = await ask(store, ['a', 'b'], { toolUseBehavior })
    expect(asked).toEqual(['a', 'b'])
    expect(ends).toEqual(['seen', 'seen'])
    expect((await store.loadSession('chat-1'))?.turns.map(({ status }) => status)).toEqual(['success', 'success'])
  })

  it.each([true, false])('when a guardrail refused the question, which goes (in parallel: %s)', async runInParallel => {
    const store = memory()
    const guardrail = {
      name: 'polite',
      runInParallel,
      execute: async ({ input }: { input: unknown }) => ({
        tripwireTriggered: JSON.stringify(input).includes('rude'),
        outputInfo: null,
      }),
    }
    const { ends } = await ask(store, ['rude', 'kind'], { inputGuardrails: [guardrail] })
    expect(ends).toEqual(['InputGuardrailTripwireTriggered', 'Done.'])
    const turns = (await store.loadSession('chat-1'))?.turns ?? []
    expect(turns.map(({ prompt, status }) => [prompt, status])).toEqual([['kind', 'success']])
  })

  it('when a guardrail refused the answer', async () => {
    const store = memory()
    let isRefused = true
    const guardrail: OutputGuardrail = {
      name: 'polite',
      execute: async () => ({ tripwireTriggered: isRefused, outputInfo: null }),
    }
    const first = await ask(store, ['a'], { outputGuardrails: [guardrail] })
    isRefused = false
    const second = await ask(store, ['b'], { outputGuardrails: [guardrail] })
    expect([...first.asked, ...second.asked]).toEqual(['a', 'b'])
    expect(second.ends).toEqual(['Done.'])
    const turns = (await store.loadSession('chat-1'))?.turns ?? []
    expect(turns.map(({ prompt, status }) => [prompt, status])).toEqual([
      ['a', 'error'],
      ['b', 'success'],
    ])
  })

  it('not when the model failed', async () => {
    const store = memory()
    const failing = new FakeModel(() => {
      throw new Error('down')
    })
    const first = await ask(store, ['a'], { model: failing })
    const second = await ask(store, ['b'], {})
    expect([first.ends, second.asked]).toEqual([['Error'], ['a']])
  })
})
