import { createHash, randomUUID } from 'node:crypto'
import type { SessionChange } from '@turnstore/core'
import { type RedisClient, RedisSessionStore } from '@turnstore/redis'
import { Redis } from 'ioredis'
import { afterEach, describe, expect, inject, it } from 'vitest'
import { luaSources } from '../dist/lua-sources.js'

const { server } = inject('addresses')
const at = '2026-01-01T00:00:01Z'
const apply = createHash('sha1').update(luaSources.apply).digest('hex')

const opened: (() => unknown)[] = []
afterEach(async () => {
  for (const close of opened.splice(0).toReversed()) await close()
})

/** Two stores on the same data; `between` runs once, when the first has decided on a change and is about to write it. */
function openTwo(between: (other: RedisSessionStore) => Promise<unknown>): RedisSessionStore {
  const keyPrefix = `${randomUUID()}:`
  const other = new RedisSessionStore({ url: server, keyPrefix })
  const client = new Redis(server)
  let isDue = true
  const late = new Proxy<RedisClient>(client, {
    get(target, member) {
      const value: unknown = Reflect.get(target, member)
      if (member !== 'call') {
        return typeof value === 'function' ? (...args: unknown[]): unknown => Reflect.apply(value, target, args) : value
      }
      return async (command: string, args: (string | number)[]) => {
        if (isDue && (args[0] === apply || args[0] === luaSources.apply)) {
          isDue = false
          await between(other)
        }
        return target.call(command, args)
      }
    },
  })
  const store = new RedisSessionStore({ client: late, keyPrefix })
  opened.push(() => client.disconnect(), () => other.close(), () => store.close())
  return store
}

const append = (store: RedisSessionStore): Promise<unknown> =>
  store.changeSession('s', { appendTurns: [{ turnId: 'new' }], updatedAt: at })

describe('what another writes between a decision and its writing', () => {
  const rewinds: [name: string, turns: string[], change: Omit<SessionChange, 'updatedAt'>, left: string[]][] = [
    ['a rewind that has turns to drop', ['a', 'b'], { keepTurns: 1 }, ['a']],
    ['a rewind that has none', ['a'], { keepTurns: 1, setMetadata: { k: 1 } }, ['a']],
    ['a rewind of a session without turns', [], { keepTurns: 0, agentId: 'x' }, []],
    ['one that has room', ['a'], { keepTurns: 5, setMetadata: { k: 1 } }, ['a', 'new']],
  ]
  it.each(rewinds)('counts as well for %s', async (_name, turns, change, left) => {
    const store = openTwo(append)
    await store.saveSession({ sessionId: 's', turns: turns.map(turnId => ({ turnId })) })
    expect(await store.changeSession('s', { ...change, updatedAt: at })).toMatchObject({
      revision: 3,
      turnCount: left.length,
    })
    expect((await store.loadSession('s'))?.turns.map(({ turnId }) => turnId)).toEqual(left)
  })

  it('is not written over by metadata, nor by a turn of the same id', async () => {
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
