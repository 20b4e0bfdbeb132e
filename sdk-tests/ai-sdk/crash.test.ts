import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { isToolUIPart, validateUIMessages } from 'ai'
import { SqliteSessionStore } from '@turnstore/sqlite'
import { TurnstoreChats } from '@turnstore/ai-sdk'
import { describe, expect, it } from 'vitest'
import { Child } from '../../scripts/testing/child.ts'
import { momentsOf, thoroughness } from '../../scripts/testing/machine.ts'
import { newFolder } from '../stores.ts'

/** Of each of four loops: 20 in all, and 200 in the soak test. */
const KILLS = 5

const all = ['a1', 'a2', 'a3', 'b1', 'b2', 'b3']
const cwd = fileURLToPath(new URL('../', import.meta.url))
const fake = new URL('fake-model.ts', import.meta.url).href

/**
 * A model that wants three tools at once, until it has six results. Each tool notes that it ran. In the first life, one of
 * each three never answers. The child reports each outcome that the store acknowledged.
 */
const life = (folder: string, { isFirst, repeatable, streams }: Way & { isFirst: boolean }): string => `
  import { convertToModelMessages, generateText, stepCountIs, streamText, tool, toUIMessageStream } from 'ai'
  import { TurnstoreChats } from '@turnstore/ai-sdk'
  import { SqliteSessionStore } from '@turnstore/sqlite'
  import { z } from 'zod'
  const { fakeModel, resultsIn, says, thinks, user, wants } = await import(${JSON.stringify(fake)})
  const store = new SqliteSessionStore(${JSON.stringify(join(folder, 'sessions.db'))})
  const change = store.changeSession.bind(store)
  store.changeSession = async (...args) => {
    const result = await change(...args)
    for (const { putToolCalls = [] } of args[1].updateTurns ?? [])
      for (const call of putToolCalls) if (call.status === 'success') say(call.callId)
    return result
  }
  const act = tool({
    inputSchema: z.object({ slow: z.boolean(), ms: z.number() }),
    execute: async ({ slow, ms }, { toolCallId }) => {
      fs.appendFileSync(${JSON.stringify(join(folder, 'effects'))}, toolCallId + '\\n')
      await sleep(slow && ${isFirst} ? 1e6 : ms)
      return { did: toolCallId }
    },
  })
  const want = (id, slow, ms) => wants(id, 'act', { slow, ms })
  const model = fakeModel(prompt => {
    const has = name => resultsIn(prompt).some(id => id[0] === name)
    if (!has('a')) return [thinks('Hm.'), want('a1', false, 1), want('a2', false, 3), want('a3', ${!repeatable}, 1)]
    return has('b') ? [says('Done.')] : [want('b1', false, 5), want('b2', true, 1), want('b3', false, 1)]
  })
  const chats = new TurnstoreChats({ store })
  const run = await chats.recordRun('chat-1', { message: user('u1', 'Act.'), tools: { act }, repeatable: ${repeatable ? `['act']` : '[]'} })
  say('recovered ' + JSON.stringify(run.recovered))
  if (run.isUnfinished) {
    const messages = await convertToModelMessages(run.messages)
    const options = { model, messages, stopWhen: stepCountIs(9), ...run.settings }
    if (${streams}) {
      const { generateMessageId, messages: originalMessages, onEnd } = run
      const stream = toUIMessageStream({ stream: streamText(options).stream, originalMessages, generateMessageId, onEnd })
      for await (const _ of stream);
    } else await generateText({ ...options, onEnd: run.onEnd })
  }
  say('over')
  await store.close()`

interface Way {
  readonly repeatable: boolean
  readonly streams: boolean
}

interface Round extends Way {
  /** Whether the process dies after all calls of a step have begun. */
  readonly begun: boolean
  readonly kill: (acknowledged: ReadonlySet<string>, child: Child) => Promise<void>
}

/** Kills a first life, and lets a second one finish. */
async function expectTwoLives({ kill, begun, ...way }: Round): Promise<void> {
  const { repeatable } = way
  const folder = newFolder()
  const first = Child.run(life(folder, { isFirst: true, ...way }), { cwd })
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
  const second = Child.run(life(folder, { isFirst: false, ...way }), { cwd })
  const lines = await second.rest()
  expect(second.errors).toBe('')
  expect(lines.at(-1)).toBe('over')

  const file = join(folder, 'effects')
  const effects = existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : []
  const runs = (callId: string): number => effects.filter(each => each === callId).length
  const mayRepeat = (callId: string): boolean => repeatable && !acknowledged.has(callId)
  expect(all.filter(callId => runs(callId) === 0 && (acknowledged.has(callId) || begun))).toEqual([])
  expect(all.filter(callId => runs(callId) > 1 && !mayRepeat(callId))).toEqual([])
  const store = new SqliteSessionStore(join(folder, 'sessions.db'))
  const [turn, ...others] = (await store.loadSession('chat-1'))?.turns ?? []
  expect(others).toEqual([])
  expect(turn).toMatchObject({ status: 'success', prompt: 'Act.', responseContent: 'Done.' })
  expect(turn?.toolCalls.map(({ callId }) => callId)).toEqual(all)
  const [question, answer, ...rest] = await new TurnstoreChats({ store }).loadMessages('chat-1')
  await store.close()
  expect([question?.id, answer?.role, rest]).toEqual(['u1', 'assistant', []])
  await validateUIMessages({ messages: answer === undefined ? [] : [answer] })
  const parts = (answer?.parts ?? []).filter(isToolUIPart)
  expect(parts.map(({ toolCallId }) => toolCallId)).toEqual(all)
  const interrupted = parts.filter(({ state }) => state === 'output-error').map(({ toolCallId }) => toolCallId)
  expect(interrupted.filter(callId => repeatable || acknowledged.has(callId))).toEqual([])
  const outputs = parts.filter(({ state }) => state === 'output-available').map(({ output }) => output)
  expect(outputs).toEqual(all.filter(callId => !interrupted.includes(callId)).map(did => ({ did })))
  // What the model thought before its tools ran is there too.
  expect(answer?.parts[1]).toMatchObject({ type: 'reasoning', providerMetadata: { fake: { signature: 'signed Hm.' } } })
}

async function until(child: Child, isTrue: () => boolean): Promise<void> {
  while (!isTrue()) {
    if (child.hasEnded) throw new Error(child.errors)
    await sleep(1)
  }
}

describe.each([false, true])('A process that is killed in the middle of a run (streams: %s)', streams => {
  it.each([false, true])('runs no answered call again in its next life (repeatable: %s)', async repeatable => {
    const [one, other] = repeatable ? ['b1', 'b3'] : ['a1', 'a2']
    for (let round = 0; round < Math.ceil((KILLS * thoroughness) / 2); round++) {
      await expectTwoLives({
        streams,
        repeatable,
        begun: true,
        kill: async (acknowledged, child) =>
          until(child, () => acknowledged.has(one ?? '') && acknowledged.has(other ?? '')),
      })
    }
  })

  it('does so when it is killed at any moment', async () => {
    const moments = momentsOf(streams ? 12 : 13)
    for (let round = 0; round < KILLS * thoroughness; round++) {
      await expectTwoLives({
        streams,
        repeatable: round % 2 === 1,
        begun: false,
        kill: async () => sleep(moments.next().value ** 3 * 100),
      })
    }
  })
})
