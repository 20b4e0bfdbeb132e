import { createHash, randomUUID } from 'node:crypto'
import { type RedisClient, RedisSessionStore } from '@turnstore/redis'
import { Redis } from 'ioredis'
import { afterEach, describe, expect, inject, it } from 'vitest'
import { luaSources } from '../../dist/lua/lua-sources.js'
import { keysOf } from '../keys.js'

const { server } = inject('addresses')
const T1 = '2026-01-01T00:00:01Z'

const opened: (() => unknown)[] = []
afterEach(async () => {
  for (const close of opened.splice(0).toReversed()) await close()
})

const writing = new Set(
  (['change', 'apply', 'save', 'delete'] as const).flatMap(name => [
    luaSources[name],
    createHash('sha1').update(luaSources[name]).digest('hex'),
  ]),
)

/** A store with a real client that records the scripts that write, so that they can be delivered again. */
function openNoting() {
  const client = new Redis(server)
  opened.push(() => client.disconnect())
  const noted: [command: string, args: (string | number)[]][] = []
  const noting = new Proxy<RedisClient>(client, {
    get(target, member) {
      if (member === 'call') {
        return (command: string, args: (string | number)[]) => {
          if (writing.has(String(args[0]))) noted.push([command, args])
          return target.call(command, args)
        }
      }
      const value: unknown = Reflect.get(target, member)
      return typeof value === 'function' ? (...args: unknown[]): unknown => Reflect.apply(value, target, args) : value
    },
  })
  const keyPrefix = `${randomUUID()}:`
  const store = new RedisSessionStore({ client: noting, keyPrefix })
  opened.push(() => store.close())
  /** Returns a function that delivers a script again, by default the last one. With `isLate`, its deadline has passed. */
  const note = ({ isLate = false, index = noted.length - 1 } = {}): (() => Promise<unknown>) => {
    const [command, sent] = noted[index] ?? ['ping', []]
    // After the script, the number of keys, the keys and the token.
    const deadline = Number(sent[1]) + 3
    const args = isLate ? sent.with(deadline, 1) : sent
    return async () => {
      const reply: unknown = await client.call(command, args)
      return Array.isArray(reply) ? reply.map(String) : reply
    }
  }
  const noteAll = () => noted.map((_, index) => note({ index }))
  return { store, keyPrefix, note, noteAll }
}

describe('a command that is delivered twice', () => {
  it('does nothing, even if much has happened in between', async () => {
    const { store, note } = openNoting()
    const repeat: (() => Promise<unknown>)[] = []
    const noted = async (work: Promise<unknown>): Promise<void> => {
      await work
      repeat.push(note())
    }
    await noted(store.saveSession({ sessionId: 's', turns: [{ turnId: 'a' }, { turnId: 'b' }] }))
    // Only the results tell the repetition of a transition without an id, and of a rewind.
    await noted(store.changeSession('s', { appendAgentTransitions: [{ toAgent: 'x' }], updatedAt: T1 }))
    await noted(store.changeSession('s', { keepTurns: 1, updatedAt: T1 }))
    await noted(store.changeSession('s', { setMetadata: { a: 1 }, updatedAt: T1 }))
    // Only the last one returns its result again: the callers of the others have theirs.
    const superseded = ['superseded']
    const results = await Promise.all(repeat.map(again => again()))
    expect(results).toEqual([superseded, superseded, superseded, expect.arrayContaining(['ok', '4', '1'])])
    for (let index = 0; index < 300; index++) {
      await store.changeSession('s', { appendTurns: [{ turnId: `t${index}` }], updatedAt: T1 })
    }
    await noted(store.changeSession('s', { setMetadata: { a: 2 }, updatedAt: T1 }))
    const before = await store.loadSession('s')
    expect(before?.turns).toHaveLength(301)
    expect(await Promise.all(repeat.map(again => again()))).toEqual([
      superseded,
      superseded,
      superseded,
      superseded,
      expect.arrayContaining(['ok', '305', '301']),
    ])
    expect(await store.loadSession('s')).toEqual(before)
  })

  it('returns its result again, with the place of the session at that moment', async () => {
    const { store, note } = openNoting()
    await store.saveSession({ sessionId: 's' })
    await store.changeSession('s', { appendTurns: [{ turnId: 'a' }], updatedAt: T1 })
    const again = note()
    const before = await store.loadSession('s')
    const reply = await again()
    expect(reply).toEqual(expect.arrayContaining(['ok', 'n', 'ok 2 1 ']))
    expect(await again()).toEqual(reply)
    expect(await store.loadSession('s')).toEqual(before)
    await store.deleteSession('s')
    expect(await again()).toEqual(['superseded'])
    expect(await store.loadSession('s')).toBeNull()
  })

  it('does nothing beside operations that run at the same time', async () => {
    const { store, noteAll } = openNoting()
    await store.saveSession({ sessionId: 's' })
    for (let round = 0; round < 10; round++) {
      await Promise.all([
        store.changeSession('s', { appendAgentTransitions: [{ toAgent: `x${round}` }], updatedAt: T1 }),
        store.saveSession({ sessionId: 's', metadata: { round } }),
        store.saveSession({ sessionId: 's', metadata: { again: round } }),
      ])
      await store.changeSession('s', { appendAgentTransitions: [{ toAgent: 'y' }], updatedAt: T1 })
    }
    const before = await store.loadSession('s')
    const repeat = noteAll()
    expect(repeat.length).toBeGreaterThan(40)
    for (const again of [...repeat.toReversed(), ...repeat]) await again()
    expect(await store.loadSession('s')).toEqual(before)
  })

  it('does nothing if its turn has been dropped, however many results of updates are kept', async () => {
    const { store, note } = openNoting()
    await store.saveSession({ sessionId: 's' })
    const count = (index: number) => store.changeSession('s', { setMetadata: { index }, updatedAt: T1 })
    for (let index = 0; index < 100; index++) await count(index)
    // Often enough that old results are dropped at each of these calls.
    for (let index = 0; index < 100; index++) {
      await store.changeSession('s', { appendTurns: [{ turnId: 't' }], updatedAt: T1 })
      const again = note()
      await store.changeSession('s', { keepTurns: 0, updatedAt: T1 })
      if (index % 2 === 0) await count(index)
      const before = await store.loadSession('s')
      await again()
      expect(await store.loadSession('s')).toEqual(before)
    }
  })

  it('does not affect the next session with the same id', async () => {
    const { store, note } = openNoting()
    await store.saveSession({ sessionId: 's', metadata: { life: 1 } })
    await store.changeSession('s', { appendTurns: [{ turnId: 'a' }], updatedAt: T1 })
    const append = note()
    await store.deleteSession('s')
    const deletion = note()
    expect(await deletion()).toEqual(expect.arrayContaining(['ok', 'n']))
    expect(await store.saveSession({ sessionId: 's', metadata: { life: 2 } })).toBe(1)
    expect(await append()).toEqual(['superseded'])
    expect(await deletion()).toEqual(['superseded'])
    expect(await store.loadSession('s')).toMatchObject({ metadata: { life: 2 }, turns: [], revision: 1 })
  })

  it('is refused if its caller has given up, whether or not the first result is kept', async () => {
    const { store, keyPrefix, note } = openNoting()
    await store.saveSession({ sessionId: 's' })
    const client = new Redis(server)
    opened.push(() => client.disconnect())
    const late: (() => Promise<unknown>)[] = []
    for (const change of [{ appendTurns: [{ turnId: 'a' }] }, { setMetadata: { a: 1 } }]) {
      await store.changeSession('s', { ...change, updatedAt: T1 })
      late.push(note({ isLate: true }))
    }
    await store.saveSession({ sessionId: 's' })
    late.push(note({ isLate: true }))
    await store.deleteSession('s')
    late.push(note({ isLate: true }))
    await store.saveSession({ sessionId: 's' })
    await client.del(`${keyPrefix}{s}o`)
    for (const again of late) expect(await again()).toEqual(['late', expect.stringMatching(/^\d+$/)])
    expect(await store.loadSession('s')).toMatchObject({ turns: [], metadata: {}, revision: 1 })
  })

  it('leaves no result forever', async () => {
    const { store, keyPrefix } = openNoting()
    await store.saveSession({ sessionId: 's' })
    await store.saveSession({ sessionId: 'gone' })
    await store.deleteSession('gone')
    for (let index = 0; index < 200; index++) {
      await store.changeSession('s', { appendTurns: [{ turnId: `t${index}` }], updatedAt: T1 })
    }
    const client = new Redis(server)
    opened.push(() => client.disconnect())
    for (const key of [`${keyPrefix}{s}o`, `${keyPrefix}{gone}o`]) {
      expect(await client.pttl(key)).toBeGreaterThan(600_000)
    }
    expect(await client.hlen(`${keyPrefix}{s}o`)).toBeLessThan(140)
    expect((await keysOf({ url: server }, keyPrefix)).filter(key => key.includes('{gone}'))).toEqual([
      `${keyPrefix}{gone}o`,
    ])
  })

  it('leaves a bounded number of results of a session that is created and deleted repeatedly', async () => {
    const { store, keyPrefix } = openNoting()
    const client = new Redis(server)
    opened.push(() => client.disconnect())
    const key = `${keyPrefix}{s}o`
    for (let index = 0; index < 200; index++) {
      await store.saveSession({ sessionId: 's' }, { ifRevision: 0 })
      await store.deleteSession('s')
    }
    expect(await client.hlen(key)).toBeLessThan(140)
    await store.saveSession({ sessionId: 's' })
    for (let index = 0; index < 70; index++) {
      await store.changeSession('s', { appendTurns: [{ turnId: `t${index}` }], updatedAt: T1 })
    }
    expect(await store.loadSummary('s')).toMatchObject({ revision: 71, turnCount: 70 })
  })
})
