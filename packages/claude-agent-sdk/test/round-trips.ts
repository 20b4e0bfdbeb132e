import type { SessionStore } from '@turnstore/core'
import fc from 'fast-check'
import { expect } from 'vitest'
import { type SessionKey, type SessionStoreEntry, TurnstoreSessionStore } from '../src/index.ts'
import { asJson, cleanLists, lists } from './entries.ts'

let count = 0
const nextKey = (): SessionKey => ({ projectKey: 'p', sessionId: `s${count++}` })

const cuts = fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 12 })

/** Batches of these sizes, again and again. */
function* batches(entries: readonly SessionStoreEntry[], sizes: readonly number[]): Generator<SessionStoreEntry[]> {
  for (let at = 0, turn = 0; at < entries.length; turn++)
    yield entries.slice(at, (at += sizes[turn % sizes.length] ?? 1))
}

async function appendAll(
  store: TurnstoreSessionStore,
  key: SessionKey,
  entries: readonly SessionStoreEntry[],
  sizes: readonly number[],
): Promise<void> {
  for (const batch of batches(entries, sizes)) await store.append(key, batch)
}

/** What readers of any SDK see of a session. */
async function seen(store: SessionStore): Promise<unknown> {
  const [id] = await store.listSessions()
  const turns = id === undefined ? [] : ((await store.loadSession(id))?.turns ?? [])
  return turns.map(({ prompt, responseContent, toolCalls, status }) => ({ prompt, responseContent, toolCalls, status }))
}

/** Entries come back deep-equal and in order, in whatever batches they and their replays come. */
export async function expectRoundTrips(backend: SessionStore, numRuns: number): Promise<void> {
  await fc.assert(
    fc.asyncProperty(lists, cuts, cuts, cuts, fc.nat(), async (entries, first, second, third, place) => {
      const key = nextKey()
      const expected = asJson(entries)
      const store = new TurnstoreSessionStore({ store: backend })
      await appendAll(store, key, entries, first)
      if (entries.length === 0) {
        expect(await store.load(key)).toBe(null)
        return
      }
      expect(await store.load(key)).toEqual(expected)
      // The whole again, by a process that knows nothing.
      await appendAll(new TurnstoreSessionStore({ store: backend }), key, entries, second)
      // A part again, from any entry that has a uuid.
      const starts = entries.flatMap(({ uuid }, index) => (uuid === undefined ? [] : [index]))
      const from = starts[place % starts.length] ?? entries.length
      const part = entries.slice(from, from + 1 + (place % 7))
      await appendAll(new TurnstoreSessionStore({ store: backend }), key, part, third)
      await appendAll(store, key, part, third)
      expect(await new TurnstoreSessionStore({ store: backend }).load(key)).toEqual(expected)
    }),
    { numRuns },
  )
}

/** They make the same turns in whatever batches they come, by a process that remembers or one that does not. */
export async function expectSameTurns(open: () => SessionStore, numRuns: number): Promise<void> {
  await fc.assert(
    fc.asyncProperty(cleanLists, cuts, fc.boolean(), async (entries, sizes, forgets) => {
      const [one, other] = [open(), open()]
      const key = nextKey()
      await new TurnstoreSessionStore({ store: one }).append(key, entries)
      let store = new TurnstoreSessionStore({ store: other })
      for (const batch of batches(entries, sizes)) {
        await store.append(key, batch)
        if (forgets) store = new TurnstoreSessionStore({ store: other })
      }
      expect(await seen(other)).toEqual(await seen(one))
    }),
    { numRuns },
  )
}
