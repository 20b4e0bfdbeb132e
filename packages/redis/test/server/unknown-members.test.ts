import { randomUUID } from 'node:crypto'
import type { SessionStore } from '@turnstore/core'
import { RedisSessionStore } from '@turnstore/redis'
import { afterAll, describe, expect, inject, it } from 'vitest'
import { failureOf } from '../errors.js'

/*
 * The store refuses an unknown member wherever it takes options. Otherwise a misspelled option would be ignored.
 */

const { server, nodes } = inject('addresses')
const unknown = { misspelt: 1 }

describe('an unknown member is refused by the constructor', () => {
  it.each<[string, object]>([
    ['in its options', { url: server, ...unknown }],
    ['in options without a way to the server', unknown],
    ['in limits', { url: server, limits: unknown }],
    ['in redis', { redis: unknown }],
    ['in redis, beside a URL', { url: server, redis: unknown }],
    ['in redis, beside a URL of a Cluster', { url: 'redis-cluster://h', redis: unknown }],
    ['in a sentinel', { redis: { name: 'primary', sentinels: [{ host: 'h', ...unknown }] } }],
    ['in cluster', { nodes, cluster: unknown }],
    ['in cluster.redisOptions', { nodes, cluster: { redisOptions: unknown } }],
    ['in a node', { nodes: [{ host: 'h', ...unknown }] }],
  ])('%s', async (_, options) => {
    const { code, message } = await failureOf(() => Reflect.construct(RedisSessionStore, [options]))
    expect(code).toBe('INVALID_ARGUMENT')
    expect(message).toMatch(/misspelt|one of \{ url \}/)
  })
})

describe('an unknown member is refused by each method', () => {
  const store = new RedisSessionStore({ url: server, keyPrefix: `${randomUUID()}:` })
  afterAll(() => store.close())
  /** The compiler requires each method of the contract here. */
  const calls: Readonly<Record<Exclude<keyof SessionStore, 'capabilities' | 'ready' | 'close' | symbol>, unknown[][]>> =
    {
      saveSession: [
        [{ sessionId: 's' }, unknown],
        [{ sessionId: 's' }, { ifRevision: 0, ...unknown }],
      ],
      loadSession: [['s', unknown]],
      loadSummary: [['s', unknown]],
      readTurns: [
        ['s', { last: 1, ...unknown }],
        ['s', { last: 1 }, unknown],
      ],
      readParts: [
        ['s', 't', { list: 'items', ...unknown }],
        ['s', 't', { list: 'items' }, unknown],
      ],
      changeSession: [
        ['s', { updatedAt: '', ...unknown }],
        ['s', { updatedAt: '', setMetadata: { a: 1 } }, unknown],
        ['s', { updatedAt: '', updateTurns: [{ turnId: 'a', ...unknown }] }],
      ],
      deleteSession: [
        ['s', unknown],
        ['s', { evenIfDamaged: true, ...unknown }],
      ],
      listSessions: [[unknown]],
      querySessions: [[unknown]],
      sessions: [[unknown]],
      searchSessions: [[{ text: 'a', ...unknown }]],
      watchSession: [['s', unknown]],
    }
  const rows = Object.entries(calls).flatMap(([name, all]) => all.map(args => [name, args] as const))

  it.each(rows)('%s(…%j)', async (name, args) => {
    const call = async (): Promise<void> => {
      const method: unknown = Reflect.get(store, name)
      if (typeof method !== 'function') throw new TypeError('no method')
      const result: unknown = Reflect.apply(method, store, args)
      if (typeof result === 'object' && result !== null && Symbol.asyncIterator in result) {
        const begin: unknown = Reflect.get(result, Symbol.asyncIterator)
        const iterator: unknown = typeof begin === 'function' ? Reflect.apply(begin, result, []) : null
        const next: unknown = typeof iterator === 'object' && iterator !== null && Reflect.get(iterator, 'next')
        if (typeof next === 'function') await Reflect.apply(next, iterator, [])
      } else await result
    }
    const { code, message } = await failureOf(call)
    expect(['INVALID_ARGUMENT', 'INVALID_RECORD']).toContain(code)
    expect(message).toContain('misspelt')
    expect(await store.listSessions()).toEqual([])
  })
})
