import { describe, expect, it } from 'vitest'
import { MapStore } from '../map-store.ts'

const minute = (n: number): string => new Date(Date.UTC(2026, 0, 1, 0, n)).toISOString()
const ids = (count: number): string[] => Array.from({ length: count }, (_, index) => `s${index + 10}`)

async function filled(count: number): Promise<MapStore> {
  const store = new MapStore()
  for (const [at, sessionId] of ids(count).entries()) {
    await store.saveSession({
      sessionId,
      createdAt: minute(at),
      updatedAt: minute(at),
      metadata: { even: at % 2 === 0 },
    })
  }
  return store
}

describe.each(['asc', 'desc'] as const)('an iteration by updatedAt, %s', order => {
  const inOrder = (all: string[]): string[] => (order === 'asc' ? all : all.toReversed())

  it.each([1, 2, 5, 9, 1000])('ends if each session is changed at once, in pages of %d', async limit => {
    for (const updatedAt of [{}, { updatedAt: minute(99) }, { updatedAt: minute(4) }]) {
      const store = await filled(9)
      const seen: string[] = []
      for await (const { sessionId } of store.sessions({ order, limit })) {
        seen.push(sessionId)
        await store.changeSession(sessionId, { setMetadata: { seen: true }, ...updatedAt })
      }
      expect(seen).toEqual(inOrder(ids(9)))
    }
  })

  it.each([1, 2, 5])('gives each once that was there, whichever moves, in pages of %d', async limit => {
    for (let other = 0; other < 9; other++) {
      for (const at of [4, 99]) {
        const store = await filled(9)
        const seen: string[] = []
        for await (const { sessionId } of store.sessions({ order, limit })) {
          seen.push(sessionId)
          const moved = ids(9)[(seen.length + other) % 9] ?? ''
          await store.changeSession(moved, { setMetadata: { n: seen.length }, updatedAt: minute(at) })
        }
        expect(seen.toSorted()).toEqual(ids(9))
      }
    }
  })

  it('gives a session that has moved as it is now, if it still matches', async () => {
    const store = await filled(9)
    const seen: [string, unknown][] = []
    for await (const { sessionId, metadata } of store.sessions({ order, limit: 1, metadata: { even: true } })) {
      if (seen.length === 0) {
        await store.changeSession('s14', { setMetadata: { moved: true } })
        await store.changeSession('s12', { setMetadata: { even: false } })
        await store.changeSession('s16', { setMetadata: { even: false } })
      }
      seen.push([sessionId, metadata.moved])
    }
    const [first, last] = inOrder(['s10', 's18'])
    expect(seen).toEqual([
      [first, undefined],
      [last, undefined],
      ['s14', true],
    ])
  })

  it('ends if each step creates a session', async () => {
    const store = await filled(9)
    const seen = new Set<string>()
    for await (const { sessionId } of store.sessions({ order, limit: 2 })) {
      expect(seen.has(sessionId)).toBe(false)
      seen.add(sessionId)
      await store.changeSession(`new${seen.size}`, {}, { createIfMissing: {} })
      expect(seen.size).toBeLessThan(100)
    }
    expect([...seen].filter(id => id.startsWith('s')).toSorted()).toEqual(ids(9))
  })

  it('gives each once although one is dated far ahead', async () => {
    const store = await filled(9)
    await store.saveSession({ sessionId: 's19', updatedAt: '2999-01-01T00:00:00Z' })
    const seen: string[] = []
    for await (const { sessionId } of store.sessions({ order, limit: 2 })) {
      seen.push(sessionId)
      for (const id of ids(9)) await store.changeSession(id, { setMetadata: { n: seen.length } })
    }
    expect(seen.toSorted()).toEqual(ids(10))
  })

  it('does not give again what a caller had before its cursor', async () => {
    const store = await filled(9)
    const { cursor } = await store.querySessions({ order, limit: 4 })
    const seen: string[] = []
    for await (const { sessionId } of store.sessions({ order, limit: 2, cursor: cursor ?? '' })) seen.push(sessionId)
    expect(seen).toEqual(inOrder(ids(9)).slice(4))
  })

  it('reports damage once, at the end', async () => {
    const store = await filled(9)
    store.damaged.add('s12')
    const seen: string[] = []
    const iterate = async (): Promise<void> => {
      for await (const { sessionId } of store.sessions({ order, limit: 2 })) seen.push(sessionId)
    }
    await expect(iterate()).rejects.toMatchObject({
      code: 'CORRUPT_SESSION',
      sessionId: 's12',
      message: 'Not listed: s12. s12 cannot be read',
    })
    expect(seen).toEqual(inOrder(ids(9)).filter(id => id !== 's12'))
  })
})

it('an iteration of one page asks once', async () => {
  const store = await filled(3)
  let queries = 0
  const querySessions = store.querySessions.bind(store)
  store.querySessions = async query => {
    queries++
    return querySessions(query)
  }
  for await (const _ of store.sessions()) void _
  expect(queries).toBe(1)
})

describe('an iteration over a store whose pages do not advance', () => {
  it.each(['asc', 'desc'] as const)('fails, %s', async order => {
    const store = await filled(3)
    const query = store.querySessions.bind(store)
    store.querySessions = async options => {
      const { cursor: _cursor, ...others } = options ?? {}
      return query(others)
    }
    const iterating = async (): Promise<void> => {
      for await (const _ of store.sessions({ order, orderBy: 'createdAt', limit: 1 }));
    }
    await expect(iterating()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  })
})
