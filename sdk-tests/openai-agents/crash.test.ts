import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { SqliteSessionStore } from '@turnstore/sqlite'
import { describe, expect, it } from 'vitest'
import { Child } from '../../scripts/testing/child.ts'
import { momentsOf, thoroughness } from '../../scripts/testing/machine.ts'
import { TurnstoreSession } from '@turnstore/openai-agents'
import { newFolder } from '../stores.ts'

/** Of each of three loops: 21 in all, and 210 in the soak test. */
const KILLS = 7

const all = ['a1', 'a2', 'a3', 'b1', 'b2', 'b3']
const cwd = fileURLToPath(new URL('../', import.meta.url))

/**
 * An agent of which each model call wants three tools at once, until it has six results. Each tool notes that it ran.
 * In the first life, the last of each three never answers. The child reports each result that the store acknowledged.
 */
const life = (folder: string, { isFirst, repeatable }: { isFirst: boolean; repeatable: boolean }): string => `
  import { Agent, run, setTracingDisabled, tool, Usage } from '@openai/agents-core'
  import { TurnstoreSession } from '@turnstore/openai-agents'
  import { SqliteSessionStore } from '@turnstore/sqlite'
  import { z } from 'zod'
  setTracingDisabled(true)
  const store = new SqliteSessionStore(${JSON.stringify(join(folder, 'sessions.db'))})
  const change = store.changeSession.bind(store)
  store.changeSession = async (...args) => {
    const result = await change(...args)
    for (const { putToolCalls = [] } of args[1].updateTurns ?? [])
      for (const call of putToolCalls) if (call.status === 'success') say(call.callId)
    return result
  }
  const act = tool({
    name: 'act',
    description: 'Has an effect',
    parameters: z.object({ slow: z.boolean(), ms: z.number() }),
    execute: async ({ slow, ms }, _context, { toolCall }) => {
      fs.appendFileSync(${JSON.stringify(join(folder, 'effects'))}, toolCall.callId + '\\n')
      await sleep(slow && ${isFirst} ? 1e6 : ms)
      return 'did ' + toolCall.callId
    },
  })
  const want = (callId, slow, ms) =>
    ({ type: 'function_call', callId, name: 'act', arguments: JSON.stringify({ slow, ms }), status: 'completed' })
  const model = {
    async getResponse({ input }) {
      const has = name => input.some(item => item.type === 'function_call_result' && item.callId[0] === name)
      const output = !has('a') ? [want('a1', false, 1), want('a2', false, 3), want('a3', ${!repeatable}, 1)]
        : !has('b') ? [want('b1', false, 5), want('b2', true, 1), want('b3', false, 1)]
        : [{ type: 'message', role: 'assistant', status: 'completed', content: [{ type: 'output_text', text: 'Done.' }] }]
      return { usage: new Usage(), output }
    },
  }
  const session = new TurnstoreSession({ store, sessionId: 'chat-1' })
  const plain = new Agent({ name: 'Actor', model, tools: [act] })
  const recorded = await session.recordRun({ agent: plain, repeatable: ${repeatable ? `['act']` : '[]'} })
  say('recovered ' + JSON.stringify(recorded.recovered))
  const input = recorded.isUnfinished || !${isFirst} && (await session.getItems()).length > 0 ? [] : 'Act.'
  const { finalOutput } = await run(recorded.agent, input, { session, callModelInputFilter: recorded.callModelInputFilter })
  say('final ' + finalOutput)
  await store.close()`

/** Kills a first life, and lets a second one finish. */
async function expectTwoLives({ repeatable, kill, begun }: Round): Promise<void> {
  const folder = newFolder()
  const first = Child.run(life(folder, { isFirst: true, repeatable }), { cwd })
  const acknowledged = new Set<string>()
  let hasBegun = false
  const listening = (async () => {
    for (let line = await first.line(); line !== null; line = await first.line()) {
      hasBegun ||= line.startsWith('recovered')
      if (/^[ab]\d$/.test(line)) acknowledged.add(line)
    }
  })()
  await until(first, () => hasBegun)
  await kill(acknowledged, first)
  await first.kill()
  await listening
  expect(first.errors).toBe('')
  const second = Child.run(life(folder, { isFirst: false, repeatable }), { cwd })
  const lines = await second.rest()
  expect(second.errors).toBe('')
  expect(lines.at(-1)).toBe('final Done.')

  const effects = readFileSync(join(folder, 'effects'), 'utf8').trim().split('\n')
  const runs = (callId: string): number => effects.filter(each => each === callId).length
  const mayRepeat = (callId: string): boolean => repeatable && !acknowledged.has(callId)
  // A call that was not begun may be gone: then the model does not see it, and can make it again.
  expect(all.filter(callId => runs(callId) === 0 && (acknowledged.has(callId) || begun))).toEqual([])
  expect(all.filter(callId => runs(callId) > 1 && !mayRepeat(callId))).toEqual([])
  const store = new SqliteSessionStore(join(folder, 'sessions.db'))
  const known = (await store.loadSession('chat-1'))?.turns[0]?.toolCalls.map(({ callId }) => callId) ?? []
  expect([...acknowledged].filter(callId => !known.includes(callId))).toEqual([])
  expect(begun ? known.toSorted() : []).toEqual(begun ? all : [])
  const items = await new TurnstoreSession({ store, sessionId: 'chat-1' }).getItems()
  for (const callId of all) {
    const types = items.filter(item => 'callId' in item && item.callId === callId).map(({ type }) => type)
    expect(types).toEqual(known.includes(callId) ? ['function_call', 'function_call_result'] : [])
  }
  expect(items).toHaveLength(2 + 2 * known.length)
  const [turn] = (await store.loadSession('chat-1'))?.turns ?? []
  expect(turn).toMatchObject({ status: 'success', responseContent: 'Done.' })
  const results = new Map(turn?.toolCalls.map(({ callId, result, error }) => [callId, result ?? error]))
  const interrupted = known.filter(callId => results.get(callId) === 'interrupted')
  expect(known.filter(callId => results.get(callId) !== `did ${callId}`)).toEqual(interrupted)
  expect(interrupted.filter(callId => repeatable || acknowledged.has(callId))).toEqual([])
  await store.close()
}

interface Round {
  /** Whether the process dies after all calls of a step have begun. */
  readonly begun: boolean
  readonly repeatable: boolean
  readonly kill: (acknowledged: ReadonlySet<string>, child: Child) => Promise<void>
}

async function until(child: Child, isTrue: () => boolean): Promise<void> {
  while (!isTrue()) {
    if (child.hasEnded) throw new Error(child.errors)
    await sleep(1)
  }
}

describe('A process that is killed while three tools run, of which two have answered', () => {
  it.each([false, true])('runs no answered call again in its next life (repeatable: %s)', async repeatable => {
    const [one, other] = repeatable ? ['b1', 'b3'] : ['a1', 'a2']
    for (let round = 0; round < KILLS * thoroughness; round++) {
      await expectTwoLives({
        repeatable,
        begun: true,
        kill: async (acknowledged, child) =>
          until(child, () => acknowledged.has(one ?? '') && acknowledged.has(other ?? '')),
      })
    }
  })

  it('does so when it is killed at any moment', async () => {
    const moments = momentsOf(11)
    for (let round = 0; round < KILLS * thoroughness; round++) {
      await expectTwoLives({
        repeatable: round % 2 === 1,
        begun: false,
        kill: async () => sleep(moments.next().value * 200),
      })
    }
  })
})
