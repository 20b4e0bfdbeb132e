import {
  Agent,
  type AgentInputItem,
  MemorySession,
  RequestUsage,
  run,
  setTracingDisabled,
  tool,
} from '@openai/agents-core'
import { OpenAIResponsesCompactionSession } from '@openai/agents-openai'
import { type CompactionOptions, TurnstoreSession } from '@turnstore/openai-agents'
import { describe, expect, it } from 'vitest'
import { memory, stores } from '../stores.ts'
import { answers, FakeModel, wants } from './fake-model.ts'
import { z } from 'zod'

setTracingDisabled(true)

const sessionId = 'chat-1'
const summary: AgentInputItem = { type: 'compaction', encrypted_content: 'what was said' }
const usage = new RequestUsage({ inputTokens: 7, outputTokens: 1, totalTokens: 8 })

/** Compacts what has three items or more to one. */
function compaction(compacted: AgentInputItem[][]): CompactionOptions {
  return {
    shouldCompact: items => items.length >= 3,
    compact(items) {
      compacted.push(items)
      return { items: [summary], usage }
    },
  }
}

const look = tool({ name: 'look', description: 'Looks', parameters: z.object({}), execute: () => 'seen' })

function agentWith(model: FakeModel): Agent {
  return new Agent({ name: 'A', model, tools: [look] })
}

/** Looks once, and answers. */
function looking(): FakeModel {
  return new FakeModel((input, count) =>
    count % 2 === 1 ? [wants(`c${count}`, 'look')] : [answers(`${input.length}`)],
  )
}

describe.each(stores)('A session in the store %s with compaction', (_name, open) => {
  it.each([false, true])('is compacted after a run, and people keep the history (recorded: %s)', async isRecorded => {
    const store = open()
    const compacted: AgentInputItem[][] = []
    const session = new TurnstoreSession({ store, sessionId, compaction: compaction(compacted) })
    const model = looking()
    const ask = async (prompt: string): Promise<number> => {
      const plain = agentWith(model)
      const recorded = isRecorded ? await session.recordRun({ agent: plain }) : undefined
      const { agent = plain } = recorded ?? {}
      const filter = recorded === undefined ? {} : { callModelInputFilter: recorded.callModelInputFilter }
      const { state } = await run(agent, prompt, { session, ...filter })
      return state.usage.inputTokens
    }
    // The usage of the compaction is the run's.
    expect(await ask('One?')).toBe(7)
    expect(compacted.map(items => items.length)).toEqual([4])
    expect(await session.getItems()).toEqual([summary])
    await ask('Two?')
    expect(compacted.map(items => items.length)).toEqual([4, 5])
    expect(model.asked.map(items => items.length)).toEqual([1, 3, 2, 4])
    const prompts = (await store.loadSession(sessionId))?.turns.map(({ prompt }) => prompt)
    expect(prompts).toEqual(['One?', 'Two?', ''])
  })
})

describe('A session with compaction', () => {
  it('is not compacted if another process has added items', async () => {
    const store = memory()
    const compacted: AgentInputItem[][] = []
    const session = new TurnstoreSession({ store, sessionId, compaction: compaction(compacted) })
    const other = new TurnstoreSession({ store, sessionId })
    const { ownership, items } = await session.getItemsWithCompactionOwnership()
    const added: AgentInputItem[] = ['a', 'b', 'c'].map(content => ({ role: 'user', content }))
    await session.addItemsWithCompactionOwnership(added)
    const exchange = { items: [...items, ...added] }
    await other.addItems([{ role: 'user', content: 'Wait.' }])
    expect(await session.runCompaction({ force: true }, undefined, ownership, exchange)).toBe(null)
    expect(compacted).toEqual([])
    // Without a receipt it is you who decides.
    expect(await session.runCompaction({ force: true })).toEqual({ usage })
    expect(await other.getItems()).toEqual([summary])
  })

  it('is not compacted if another process adds items meanwhile', async () => {
    const store = memory()
    const other = new TurnstoreSession({ store, sessionId })
    const session = new TurnstoreSession({
      store,
      sessionId,
      compaction: {
        async compact() {
          await other.addItems([{ role: 'user', content: 'Wait.' }])
          return { items: [summary] }
        },
      },
    })
    await session.addItems([{ role: 'user', content: 'Go.' }])
    expect(await session.runCompaction({ force: true })).toBe(null)
    expect(await session.getItems()).toHaveLength(2)
  })

  it('is not compacted if the model has not seen all of it', async () => {
    const session = new TurnstoreSession({ store: memory(), sessionId, compaction: compaction([]) })
    const added: AgentInputItem[] = ['a', 'b', 'c'].map(content => ({ role: 'user', content }))
    await session.addItems(added)
    const { ownership } = await session.getItemsWithCompactionOwnership()
    expect(await session.runCompaction({}, undefined, ownership, { items: added.slice(1) })).toBe(null)
    expect(await session.runCompaction({}, undefined, null, { items: added })).toBe(null)
    expect(await session.runCompaction({}, undefined, ownership, { items: added })).toEqual({ usage })
  })

  it.each(['popItem', 'clearSession', 'replaceHistoryWithCompaction'] as const)(
    'is not compacted by a run that read it before %s',
    async method => {
      const session = new TurnstoreSession({ store: memory(), sessionId, compaction: compaction([]) })
      await session.addItems(['a', 'b', 'c', 'd'].map(content => ({ role: 'user', content })))
      const { ownership } = await session.getItemsWithCompactionOwnership()
      if (method === 'replaceHistoryWithCompaction') await session.replaceHistoryWithCompaction([summary])
      else await session[method]()
      const items = await session.getItems()
      expect(await session.runCompaction({ force: true }, undefined, ownership, { items })).toBe(null)
    },
  )

  it("can use the SDK's own compaction to compact", async () => {
    const asked: unknown[] = []
    const client = {
      responses: {
        compact: async (request: unknown) => {
          asked.push(request)
          const output = [{ id: 'cmp_1', type: 'compaction', encrypted_content: 'all of it' }]
          return { output, usage: { input_tokens: 9, output_tokens: 2, total_tokens: 11 } }
        },
      },
    }
    const session = new TurnstoreSession({
      store: memory(),
      sessionId,
      compaction: {
        shouldCompact: items => items.length > 2,
        async compact(items) {
          const options = {
            client,
            compactionMode: 'input',
            underlyingSession: new MemorySession({ initialItems: items }),
          }
          const theirs = new OpenAIResponsesCompactionSession(
            // @ts-expect-error -- a client with the one method that it calls
            options,
          )
          const result = await theirs.runCompaction({ force: true })
          return { items: await theirs.getItems(), usage: result?.usage }
        },
      },
    })
    const model = looking()
    const { state } = await run(agentWith(model), 'One?', { session })
    expect(asked).toHaveLength(1)
    expect(await session.getItems()).toMatchObject([{ type: 'compaction', encrypted_content: 'all of it' }])
    expect(state.usage.inputTokens).toBe(9)
  })
})
