import { createHash, randomUUID } from 'node:crypto'
import type { SessionChange } from '@turnstore/core'
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

describe('a rewind that loses to others repeatedly', () => {
  const turns = Array.from({ length: 200 }, (_, index) => ({ turnId: `t${index}`, prompt: 'x'.repeat(10_000) }))
  const read = createHash('sha1').update(luaSources.read).digest('hex')
  const appendOf = (turnId: string) => (other: RedisSessionStore) =>
    other.changeSession('s', {
      appendTurns: [{ turnId }],
      appendAgentTransitions: [{ toAgent: turnId, turnId, transitionId: turnId }],
      updatedAt: at,
    })
  const contentOf = async (store: RedisSessionStore): Promise<unknown> => {
    const session = await store.loadSession('s')
    return [session?.turns.map(({ turnId }) => turnId), session?.agentTransitions.map(({ toAgent }) => toAgent)]
  }

  const left = [['t0', 't1'], ['first']]

  /** Rewinds such a session. Returns how many parts of it were read, and what is left of it. */
  async function rewind(...between: ((other: RedisSessionStore) => Promise<unknown>)[]) {
    let parts = 0
    const store = openBefore(
      (_command, [script]) => {
        if (script === read) parts++
        return script === apply
      },
      ...between,
    )
    await store.saveSession({ sessionId: 's', turns, agentTransitions: [{ toAgent: 'first', turnId: 't0' }] })
    parts = 0
    await store.changeSession('s', { keepTurns: 2, updatedAt: at })
    return { parts, content: await contentOf(store) }
  }

  it('reads only what was appended since, and drops that too', async () => {
    const alone = await rewind()
    expect(alone.parts).toBeGreaterThan(4)
    const among = await rewind(appendOf('a'), appendOf('b'), appendOf('c'))
    expect(among.content).toEqual(left)
    expect(among.parts).toBeLessThanOrEqual(alone.parts + 4)
  })

  it('reads all again if turns got new places', async () => {
    const { content } = await rewind(appendOf('a'), async other => {
      await other.changeSession('s', { keepTurns: 3, updatedAt: at })
      await appendOf('b')(other)
    })
    expect(content).toEqual(left)
  })
})

describe('a load of a long session', () => {
  it('ends while others change it', async () => {
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
