import { describe, expect, it } from 'vitest'
import type { SessionQuery, SessionStore } from '../../src/index.ts'
import { MapStore } from '../map-store.ts'

const COUNT = 40
let clock = Date.parse('2026-01-01T00:00:00Z')
const tick = (): string => new Date(clock++).toISOString()

async function filled(): Promise<SessionStore> {
  const store = new MapStore()
  for (let index = 0; index < COUNT; index++) {
    const time = index % 7 === 0 ? '' : tick()
    await store.saveSession({ sessionId: `s${index}`, createdAt: time, updatedAt: time })
  }
  return store
}

const touch = (store: SessionStore, id: string): Promise<unknown> =>
  store.changeSession(id, { setMetadata: { at: clock }, updatedAt: tick() })

describe.each<SessionQuery>([
  { order: 'asc', limit: 5 },
  { order: 'desc', limit: 5 },
  { order: 'asc' },
  { order: 'desc' },
  { order: 'asc', orderBy: 'createdAt', limit: 5 },
])('an iteration with %o', query => {
  const collect = async (
    store: SessionStore,
    onEach: (id: string, count: number) => Promise<unknown>,
  ): Promise<string[]> => {
    const seen: string[] = []
    for await (const { sessionId } of store.sessions(query)) {
      seen.push(sessionId)
      if (seen.length > 10 * COUNT) throw new Error('it does not end')
      await onEach(sessionId, seen.length)
    }
    const old = seen.filter(id => /^s\d+$/.test(id))
    return old.toSorted()
  }
  const all = Array.from({ length: COUNT }, (_, index) => `s${index}`).toSorted()

  it('ends if each session is changed as it comes', async () => {
    const store = await filled()
    expect(await collect(store, id => touch(store, id))).toEqual(all)
  })

  it('gives a session that moves past the reader', async () => {
    const store = await filled()
    expect(await collect(store, async (_id, count) => touch(store, `s${(count * 17) % COUNT}`))).toEqual(all)
  })

  it('ends if each session that comes creates another', async () => {
    const store = await filled()
    const create = async (): Promise<void> => {
      const time = tick()
      await store.saveSession({ sessionId: `new ${time}`, createdAt: time, updatedAt: time })
    }
    expect(await collect(store, create)).toEqual(all)
  })
})
