import type { SessionStore, TurnRecord } from '@turnstore/core'
import { isJsonObject } from '@turnstore/core/adapter'
import { SqliteSessionStore } from '@turnstore/sqlite'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { expectValid } from '../../packages/formats/test/checkers.ts'
import { thoroughness } from '../../scripts/testing/machine.ts'
import { memory, newFolder } from '../stores.ts'
import { aiSdk } from './ai-sdk.ts'
import { claude } from './claude.ts'
import { someConversations, textsIn, textsOf } from './conversations.ts'
import { openAiAgents } from './openai.ts'
import type { Continued, Sdk } from './sdk.ts'

/*
 * Sessions that one SDK recorded go on under another, whose model refuses what a provider refuses. `TURNSTORE_THOROUGH=5`
 * makes 300 sessions of each SDK.
 */

const COUNT = 60 * thoroughness
const sdks = [openAiAgents, aiSdk, claude]

/** Each tenth session is in SQLite. */
function openStore(index: number): SessionStore {
  if (index % 10 > 0) return memory()
  const store = new SqliteSessionStore(join(newFolder(), 'sessions.db'))
  onTestFinished(async () => store.close())
  return store
}

const pairs = sdks.flatMap((from, seed) => sdks.filter(to => to !== from).map(to => ({ from, to, seed })))

describe.each(pairs)('Sessions of the $from.name', ({ from, to, seed }) => {
  const [third = to] = sdks.filter(each => each !== from && each !== to)

  it(`go on under the ${to.name}, then under the ${third.name}, and stay what they were`, async () => {
    for (const [index, conversation] of someConversations(COUNT, seed).entries()) {
      const store = openStore(index)
      const sessionId = await from.record(store, conversation, index)
      const before = await from.load(store, sessionId)
      const where = `session ${index} of the ${from.name}, which ends with ${conversation.ending}`

      const first = await goneOn(to, store, sessionId, 'And now?', index, where)
      expectTexts(first, textsOf(conversation), where)
      const second = await goneOn(third, store, first.sessionId, 'And then, please?', index, where)
      expectTexts(second, [...textsOf(conversation), 'And now?', 'It is there.', 'Done.'], where)

      const after = await from.load(store, sessionId)
      expect({ where, own: after.slice(0, before.length) }).toEqual({ where, own: before })
      await expectAdded(from, before, after.slice(before.length))
    }
  })
})

/** Asks once more, and checks that the model takes what it is asked, and that the session has the answer. */
async function goneOn(
  sdk: Sdk,
  store: SessionStore,
  sessionId: string,
  prompt: string,
  index: number,
  where: string,
): Promise<Continued> {
  const before = (await store.loadSession(sessionId))?.turns.map(said) ?? []
  const continued = await sdk.goOn(store, sessionId, prompt, index)
  expect({ where, sdk: sdk.name, faults: continued.faults, asked: continued.asked.length }).toEqual({
    where,
    sdk: sdk.name,
    faults: [],
    asked: 2,
  })
  const { turns = [] } = (await store.loadSession(continued.sessionId)) ?? {}
  expect({ where, turns: turns.slice(0, -1).map(said) }).toEqual({ where, turns: before })
  expect(turns.at(-1)).toMatchObject({
    prompt,
    status: 'success',
    responseContent: 'Done.',
    toolCalls: [{ toolName: 'look', status: 'success', result: 'It is there.' }],
  })
  return continued
}

/** What stays when the next turn begins, which ends the one before it. */
function said({ turnId, prompt, responseContent, toolCalls, items }: TurnRecord): Partial<TurnRecord> {
  return { turnId, prompt, responseContent, toolCalls, items }
}

/** The model read all of them. */
function expectTexts({ asked }: Continued, expected: readonly string[], where: string): void {
  const read = textsIn(asked.at(-1))
  const missing = expected.filter(text => text.trim() !== '' && !read.some(each => each.includes(text)))
  expect({ where, missing }).toEqual({ where, missing: [] })
}

/** What others added comes in the format of the SDK, after its own. */
async function expectAdded({ format }: Sdk, before: readonly object[], added: readonly object[]): Promise<void> {
  const messages = added.flatMap(each => (isJsonObject(each) ? [each] : []))
  if (messages.length === 0) return
  if (format !== 'claude-code') return expectValid(format, messages)
  const [first, ...others] = messages
  if (first === undefined) return
  expect(before.map(each => 'uuid' in each && each.uuid)).toContain(first.parentUuid)
  await expectValid(format, [{ ...first, parentUuid: null }, ...others])
}
