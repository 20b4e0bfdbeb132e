import type { AgentInputItem } from '@openai/agents-core'
import type { SessionStore, TurnRecord } from '@turnstore/core'
import { formatByName } from '@turnstore/formats'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { thoroughness } from '../../../scripts/testing/machine.ts'
import { talks } from '../../formats/test/conversations.ts'
import { natives } from '../../formats/test/native.ts'
import { TurnstoreSession } from '../src/index.ts'
import { encodeItem } from '../src/items/item-json.ts'
import { asItems, calls, gives, says, user } from './items.ts'
import { stores } from './stores.ts'

const native = natives.find(({ name }) => name === 'openai-agents')
if (native === undefined) throw new Error('no generator of items')

/** Conversations as the SDK writes them, and sequences that no one would write: ids again, results before calls. */
const lists: fc.Arbitrary<AgentInputItem[]> = fc.oneof(
  talks.map(talk => asItems(native.write(talk))),
  fc.array(
    fc.oneof(
      fc.constantFrom(user('one'), user('two'), user(''), says('yes'), says('')),
      fc.constantFrom('c1', 'c2', '', 'c'.repeat(300)).map(id => calls(id)),
      fc.constantFrom('c1', 'c2').map(id => gives(id, 'r')),
      fc.constant<AgentInputItem>({ type: 'message', role: 'system', content: 'Be brief.' }),
      fc.constant<AgentInputItem>({ type: 'reasoning', content: [{ type: 'input_text', text: 'Hm.' }] }),
      fc.constant<AgentInputItem>({ type: 'hosted_tool_call', name: 'web_search', id: 'h', status: 'completed' }),
      fc.uint8Array().map((bytes): AgentInputItem => ({ ...user('bytes'), providerData: { bytes, none: undefined } })),
    ),
    { maxLength: 16 },
  ),
)

let count = 0

/** Adds a list in batches. */
async function added(store: SessionStore, items: readonly AgentInputItem[], cuts: readonly number[]): Promise<string> {
  const sessionId = `s${count++}`
  let at = 0
  let session = new TurnstoreSession({ store, sessionId })
  for (const cut of cuts) {
    await session.addItems(items.slice(at, (at += cut)))
    // What a new process knows is what the store has.
    if (cut === 2) session = new TurnstoreSession({ store, sessionId })
  }
  await session.addItems(items.slice(at))
  return sessionId
}

/** What readers of any SDK see. */
function told(turns: readonly TurnRecord[]): unknown {
  return turns.map(({ prompt, responseContent, toolCalls, status, items }) => ({
    prompt,
    responseContent,
    toolCalls,
    status,
    items: items.map(({ value }) => value),
  }))
}

const cuts = fc.array(fc.constantFrom(0, 1, 2, 3), { maxLength: 12 })

describe.each(stores)('Items in the store %s', (name, open) => {
  const numRuns = (name === 'file' || name === 'SQLite' ? 40 : 300) * thoroughness

  it('come back as they were, and their turns are those of the whole list, however they come', async () => {
    const store = open()
    await fc.assert(
      fc.asyncProperty(lists, cuts, async (items, batches) => {
        const sessionId = await added(store, items, batches)
        expect(await new TurnstoreSession({ store, sessionId }).getItems()).toEqual(items)
        const whole = formatByName('openai-agents')?.toTurns(items.map(encodeItem), { onProblem() {} }) ?? []
        const turns = (await store.loadSession(sessionId))?.turns ?? []
        const ids = new Map(whole.map((turn, index) => [turn.turnId, turns[index]?.turnId ?? '']))
        // Ids that a call has not, or repeats, are made of the turn's.
        const renamed: unknown = JSON.parse(
          [...ids].reduce((text, [from, to]) => text.replaceAll(`"${from}:`, `"${to}:`), JSON.stringify(told(whole))),
        )
        expect(told(turns)).toEqual(renamed)
      }),
      { numRuns },
    )
  })

  it('can be popped from any list, and what is left is what was there before', async () => {
    const store = open()
    await fc.assert(
      fc.asyncProperty(lists, cuts, fc.nat(4), async (items, batches, pops) => {
        const sessionId = await added(store, items, batches)
        const session = new TurnstoreSession({ store, sessionId })
        const left = Math.max(0, items.length - pops)
        for (let pop = 0; pop < pops; pop++) expect(await session.popItem()).toEqual(items[items.length - 1 - pop])
        expect(await session.getItems()).toEqual(items.slice(0, left))
        await session.addItems(items.slice(left))
        expect(await session.getItems()).toEqual(items)
      }),
      { numRuns: Math.ceil(numRuns / 4) },
    )
  })
})
