import { createHash, randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ChangeResult, SessionChange } from '@turnstore/core'
import { type RedisClient, RedisSessionStore } from '@turnstore/redis'
import { Redis } from 'ioredis'
import { afterEach, describe, expect, inject, it } from 'vitest'
import { luaSources } from '../../dist/lua/lua-sources.js'
import { until } from '../servers.js'

const { server } = inject('addresses')
const at = '2026-01-01T00:00:01Z'
const apply = createHash('sha1').update(luaSources.apply).digest('hex')

const opened: (() => unknown)[] = []
afterEach(async () => {
  for (const close of opened.splice(0).toReversed()) await close()
})

/**
 * Two stores on the same data. The steps of `between` run one at a time, each after the first store has decided on a
 * change and before it writes it.
 */
function openTwo(
  ...between: ((other: RedisSessionStore) => Promise<unknown>)[]
): RedisSessionStore & { readonly keyPrefix: string } {
  return openBefore((_command, [script]) => script === apply || script === luaSources.apply, ...between)
}

/** The same, with each step before a command of the first store that `isMeant` accepts. */
function openBefore(
  isMeant: (command: string, args: (string | number)[]) => boolean,
  ...between: ((other: RedisSessionStore) => Promise<unknown>)[]
): RedisSessionStore & { readonly keyPrefix: string } {
  const keyPrefix = `${randomUUID()}:`
  const other = new RedisSessionStore({ url: server, keyPrefix })
  const client = new Redis(server)
  const due = [...between]
  const late = new Proxy<RedisClient>(client, {
    get(target, member) {
      const value: unknown = Reflect.get(target, member)
      if (member !== 'call') {
        return typeof value === 'function' ? (...args: unknown[]): unknown => Reflect.apply(value, target, args) : value
      }
      return async (command: string, args: (string | number)[]) => {
        if (isMeant(command, args)) await due.shift()?.(other)
        return target.call(command, args)
      }
    },
  })
  const store = new RedisSessionStore({ client: late, keyPrefix })
  opened.push(
    () => client.disconnect(),
    () => other.close(),
    () => store.close(),
  )
  return Object.assign(store, { keyPrefix })
}

const append = (store: RedisSessionStore): Promise<unknown> =>
  store.changeSession('s', { appendTurns: [{ turnId: 'new' }], updatedAt: at })

describe('a write by another client between a decision and its write', () => {
  const rewinds: [name: string, turns: string[], change: Omit<SessionChange, 'updatedAt'>, left: string[]][] = [
    ['a rewind that has turns to drop', ['a', 'b'], { keepTurns: 1 }, ['a']],
    ['a rewind that has none', ['a'], { keepTurns: 1, setMetadata: { k: 1 } }, ['a']],
    ['a rewind of a session without turns', [], { keepTurns: 0, agentId: 'x' }, []],
    ['one that has room', ['a'], { keepTurns: 5, setMetadata: { k: 1 } }, ['a', 'new']],
  ]
  it.each(rewinds)('counts for %s', async (_name, turns, change, left) => {
    const store = openTwo(append)
    await store.saveSession({ sessionId: 's', turns: turns.map(turnId => ({ turnId })) })
    expect(await store.changeSession('s', { ...change, updatedAt: at })).toMatchObject({
      revision: 3,
      turnCount: left.length,
    })
    expect((await store.loadSession('s'))?.turns.map(({ turnId }) => turnId)).toEqual(left)
  })

  it('is not overwritten by metadata, nor by a turn with the same id', async () => {
    const metadata = openTwo(other => other.changeSession('s', { setMetadata: { theirs: 1 }, updatedAt: at }))
    await metadata.saveSession({ sessionId: 's' })
    await metadata.changeSession('s', { setMetadata: { ours: 1 }, updatedAt: at })
    expect((await metadata.loadSummary('s'))?.metadata).toEqual({ theirs: 1, ours: 1 })

    const turns = openTwo(append)
    await turns.saveSession({ sessionId: 's' })
    const change = { appendTurns: [{ turnId: 'new' }], setMetadata: { ours: 1 }, updatedAt: at }
    expect((await turns.changeSession('s', change)).deduplicated).toEqual(['new'])
  })
})

describe('a change that loses to others repeatedly', () => {
  const turnsOf = async (store: RedisSessionStore): Promise<unknown> =>
    (await store.loadSession('s'))?.turns.map(({ turnId }) => turnId)
  const holdOn = async ({ keyPrefix }: { keyPrefix: string }): Promise<string | null> => {
    const client = new Redis(server)
    opened.push(() => client.disconnect())
    return client.hget(`${keyPrefix}{s}s`, 'h')
  }
  const appendOf = (turnId: string) => (other: RedisSessionStore) =>
    other.changeSession('s', { appendTurns: [{ turnId }], updatedAt: at })

  it('takes a hold, and the others continue after it', async () => {
    let late: Promise<ChangeResult> | undefined
    const store = openTwo(appendOf('1'), appendOf('2'), appendOf('3'), async other => {
      late = appendOf('late')(other)
      await sleep(100)
    })
    await store.saveSession({ sessionId: 's', turns: [{ turnId: 'a' }, { turnId: 'b' }] })
    const rewind = await store.changeSession('s', { keepTurns: 1, updatedAt: at })
    expect(await late).toMatchObject({ revision: rewind.revision + 1, turnCount: 2 })
    expect(await turnsOf(store)).toEqual(['a', 'late'])
    expect(await holdOn(store)).toBe(null)
  })

  it('releases its hold if it fails', async () => {
    const touch = (status: string) => (other: RedisSessionStore) =>
      other.changeSession('s', { updateTurns: [{ turnId: 'b', set: { status } }], updatedAt: at })
    const store = openTwo(touch('1'), touch('2'), other => other.changeSession('s', { keepTurns: 1, updatedAt: at }))
    await store.saveSession({ sessionId: 's', turns: [{ turnId: 'a' }, { turnId: 'b' }] })
    const update = { updateTurns: [{ turnId: 'b', set: { error: 'x' } }], updatedAt: at }
    await expect(store.changeSession('s', update)).rejects.toMatchObject({ code: 'TURN_NOT_FOUND' })
    expect(await holdOn(store)).toBe(null)
  })

  it('holds up the others for a moment if its client dies', async () => {
    const store = openTwo()
    await store.saveSession({ sessionId: 's' })
    const client = new Redis(server)
    opened.push(() => client.disconnect())
    const now = async (): Promise<number> => {
      const [seconds = 0, microseconds = 0] = await client.time()
      return seconds * 1000 + Math.floor(microseconds / 1000)
    }
    const end = (await now()) + 900
    const hold = (time: number) => client.hset(`${store.keyPrefix}{s}s`, 'h', `somebody ${time}`)
    await hold(end)
    const writes = [
      appendOf('a')(store),
      store.changeSession('s', { setMetadata: { a: 1 }, updatedAt: at }),
      store.saveSession({ sessionId: 's', metadata: { saved: true } }),
    ]
    await Promise.all(writes)
    expect(await now()).toBeGreaterThanOrEqual(end)
    expect((await store.loadSummary('s'))?.revision).toBe(1 + writes.length)
    // As set by the clock of an earlier master.
    await hold(end + 3_600_000)
    await appendOf('b')(store)
  })

  it('takes no hold to read, however long the session is', async () => {
    const store = openTwo()
    const turns = Array.from({ length: 300 }, (_, index) => ({ turnId: `t${index}`, prompt: 'x'.repeat(10_000) }))
    await store.saveSession({ sessionId: 's', turns })
    const other = new RedisSessionStore({ url: server, keyPrefix: store.keyPrefix })
    opened.push(() => other.close())
    const reading = { isOver: false }
    const changing = (async () => {
      for (let count = 0; !reading.isOver; count++) {
        await other.changeSession('s', { setMetadata: { count }, updatedAt: at })
      }
    })()
    for (let times = 0; times < 5; times++) expect((await store.loadSession('s'))?.turns).toHaveLength(300)
    reading.isOver = true
    await changing
  })
})

describe('a write by another client while a page is read', () => {
  it.each(['updatedAt', 'createdAt'] as const)('is not mistaken for a missing entry, by %s', async orderBy => {
    const place = (minute: number): string => `2026-01-01T00:0${minute}:00.000000Z`
    const saveAt = (store: RedisSessionStore, sessionId: string, minute: number): Promise<number> =>
      store.saveSession({ sessionId, createdAt: place(minute), updatedAt: place(minute) })
    const store = openBefore(
      command => command === 'zscore',
      other => saveAt(other, 'b', 3),
      other => saveAt(other, 'b', 4),
    )
    await saveAt(store, 'a', 1)
    await saveAt(store, 'b', 2)
    const client = new Redis(server)
    opened.push(() => client.disconnect())
    const key = `${store.keyPrefix}{}${orderBy === 'updatedAt' ? 'updated' : 'created'}:0:all`
    // Left by a client that died.
    await client.call('zadd', key, '0', `${place(0)} b\u001f${Date.now().toString(36)}0000000`)
    const ids: string[] = []
    for await (const { sessionId } of store.sessions({ orderBy, limit: 1 })) ids.push(sessionId)
    expect(ids).toEqual(['b', 'a'])
    // The entry of its place when its head was read is not written again.
    await until(async () => (await client.zcard(key)) === 3)
    expect((await client.zrange(key, '0', '-1')).some(member => member.startsWith(place(2)))).toBe(false)
  })
})
