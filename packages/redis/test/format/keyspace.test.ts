import { randomUUID } from 'node:crypto'
import type { RedisSessionStore } from '@turnstore/redis'
import { Cluster, Redis } from 'ioredis'
import { afterEach, describe, expect, inject, it } from 'vitest'
import { assertFails, failureOf } from '../errors.js'
import { keysOf } from '../keys.js'
import { newStoreOn } from '../new-store.js'

const { server, nodes } = inject('addresses')

const opened: (() => unknown)[] = []
afterEach(async () => {
  for (const close of opened.splice(0).toReversed()) await close()
})

function open(options: object = {}): RedisSessionStore {
  const store = newStoreOn(server, options)
  opened.push(() => store.close())
  return store
}

describe('the keyspace', () => {
  it('keeps stores with different prefixes apart, whatever the prefixes contain', async () => {
    const prefixes = ['', '*', '?', '[a-z]', 'a', 'a:', 'a:b', '\r\nFLUSHALL\r\n', 'updated:0:all', 'é', '😀', '%7B']
    const stores = prefixes.map(keyPrefix => open({ keyPrefix, url: `${server}/2` }))
    for (const [index, store] of stores.entries()) await store.saveSession({ sessionId: 's', metadata: { index } })
    for (const [index, store] of stores.entries()) {
      expect(await store.listSessions()).toEqual(['s'])
      expect((await store.loadSession('s'))?.metadata).toEqual({ index })
    }
    expect(await stores[0]?.deleteSession('s')).toBe(true)
    for (const store of stores.slice(1)) expect(await store.listSessions()).toEqual(['s'])
  })

  it("keeps apart ids that look like each other's keys", async () => {
    const store = open()
    const ids = [
      'x',
      'x:messages',
      '{a}b',
      '{}',
      '}{',
      '{a}',
      'a',
      '%7Ba%7D',
      '%',
      '*',
      '?',
      '[a-z]',
      'a:b',
      'format',
      'updated:0:all',
      't',
      's',
    ]
    for (const id of ids) {
      await store.saveSession({
        sessionId: id,
        workspaceId: id === 'a' ? 'b:c' : id === 'a:b' ? 'c' : null,
        metadata: { id },
      })
      await store.changeSession(id, { appendTurns: [{ turnId: id }], updatedAt: '' })
    }
    for (const id of ids) {
      expect(await store.loadSession(id)).toMatchObject({ metadata: { id }, turns: [{ turnId: id }], revision: 2 })
    }
    expect((await store.listSessions()).toSorted()).toEqual(ids.toSorted())
    expect(await store.listSessions({ workspaceId: 'c' })).toEqual(['a:b'])
  })

  it('reports a key of another type, does not change it, and lists the other sessions', async () => {
    const keyPrefix = `${randomUUID()}:`
    const store = open({ keyPrefix })
    const client = new Redis(server)
    opened.push(() => client.disconnect())
    const kinds = ['s', 't', 'i', 'h', 'o', 'p', 'k']
    for (const kind of kinds) {
      const key = `${keyPrefix}{${kind}}${kind}`
      await store.saveSession({ sessionId: kind, turns: [{ turnId: 'a' }], agentTransitions: [{ toAgent: 'x' }] })
      await client.del(key)
      await client.set(key, 'canary-7f3a')
      const calls = [
        () =>
          store.changeSession(
            kind,
            { appendTurns: [{ turnId: 'b', status: 'running' }], appendAgentTransitions: [{ toAgent: 'y' }] },
            { idempotencyKey: 'k' },
          ),
        () =>
          store.changeSession(
            kind,
            { updateTurns: [{ turnId: 'a', set: { status: 'x' } }], setMetadata: { a: 1 } },
            { idempotencyKey: 'l' },
          ),
        ...(kind === 'o' ? [] : [() => store.loadSession(kind)]),
        () => store.saveSession({ sessionId: kind }),
        () => store.deleteSession(kind),
      ]
      for (const call of calls) {
        expect(await failureOf(call)).toMatchObject({ code: 'CORRUPT_SESSION', sessionId: kind })
      }
      expect(await client.get(key)).toBe('canary-7f3a')
    }
    await store.saveSession({ sessionId: 'fine' })
    const page = await store.querySessions()
    expect(page.sessions.map(({ sessionId }) => sessionId)).toContain('fine')
    // A listing reads the head and the last turn.
    expect(page.damaged).toMatchObject([
      { sessionId: 't', code: 'CORRUPT_SESSION' },
      { sessionId: 's', code: 'CORRUPT_SESSION' },
    ])
  })

  it('reports turns that are missing or are not JSON, without quoting them', async () => {
    const keyPrefix = `${randomUUID()}:`
    const store = open({ keyPrefix })
    const client = new Redis(server)
    opened.push(() => client.disconnect())
    await store.saveSession({ sessionId: 's', turns: [{ turnId: 'a' }, { turnId: 'b' }] })
    await client.lset(`${keyPrefix}{s}t`, 1, '{"turn_id":"canary-7f3a')
    await assertFails(() => store.loadSession('s'), { code: 'CORRUPT_SESSION', message: /turn 1 is not JSON/ })
    await client.rpop(`${keyPrefix}{s}t`)
    const append = { appendTurns: [{ turnId: 'c' }], updatedAt: '' }
    await expect(store.changeSession('s', append)).rejects.toMatchObject({
      code: 'CORRUPT_SESSION',
      outcome: 'not-stored',
    })
    expect(await client.llen(`${keyPrefix}{s}t`)).toBe(1)
  })

  it('is refused if its format is newer, or has another number of shards', async () => {
    const keyPrefix = `${randomUUID()}:`
    await open({ keyPrefix }).saveSession({ sessionId: 's' })
    const client = new Redis(server)
    opened.push(() => client.disconnect())
    const key = `${keyPrefix}{}format`
    expect(await client.get(key)).toBe('turnstore 1 shards 1')
    for (const format of ['turnstore 2 shards 1', 'turnstore 1 shards 16']) {
      await client.set(key, format)
      const store = open({ keyPrefix })
      await expect(store.listSessions()).rejects.toMatchObject({ code: 'SCHEMA_TOO_NEW' })
      const save = store.saveSession({ sessionId: 'new' })
      await expect(save).rejects.toMatchObject({ code: 'SCHEMA_TOO_NEW', outcome: 'not-stored' })
      expect(await client.get(key)).toBe(format)
    }
    expect(await client.exists(`${keyPrefix}{new}s`)).toBe(0)
  })

  it('lets no method read, change or delete a session of a newer format', async () => {
    const keyPrefix = `${randomUUID()}:`
    const store = open({ keyPrefix })
    await store.saveSession({ sessionId: 's', turns: [{ turnId: 'a' }] })
    const client = new Redis(server)
    opened.push(() => client.disconnect())
    const state = (await client.hget(`${keyPrefix}{s}s`, 'c')) ?? ''
    await client.hset(`${keyPrefix}{s}s`, 'c', state.replace(/^1/, '2'))
    const before = await client.hgetall(`${keyPrefix}{s}s`)
    const calls = [
      () => store.loadSession('s'),
      () => store.loadSummary('s'),
      () => store.readTurns('s', { last: 1 }),
      () => store.readTurns('s', { from: 0 }),
      () => store.readTurns('s', { from: 0 }, { parts: 'none' }),
      () => store.readParts('s', 'a', { list: 'items' }),
      () => store.saveSession({ sessionId: 's' }),
      () => store.changeSession('s', { appendTurns: [{ turnId: 'b' }], updatedAt: '' }),
      () => store.changeSession('s', { updateTurns: [{ turnId: 'a', putItems: [{ format: 'f', value: 1 }] }] }),
      () => store.changeSession('s', { setMetadata: { a: 1 }, updatedAt: '' }),
      () => store.deleteSession('s'),
      () => store.deleteSession('s', { evenIfDamaged: true }),
    ]
    for (const call of calls) expect(await failureOf(call)).toMatchObject({ code: 'SCHEMA_TOO_NEW' })
    expect(await client.hgetall(`${keyPrefix}{s}s`)).toEqual(before)
    expect(await client.llen(`${keyPrefix}{s}t`)).toBe(1)
  })

  it('has all keys of a session in one slot', async () => {
    const keyPrefix = `${randomUUID()}:`
    const store = open({ nodes, keyPrefix })
    const turns = [{ turnId: 'a', status: 'running' }]
    for (const sessionId of ['{a}b', '}{', 'plain']) {
      await store.saveSession({ sessionId, turns, agentTransitions: [{ toAgent: 'x', transitionId: 'h' }] })
      await store.changeSession(sessionId, { setMetadata: { a: 1 } }, { idempotencyKey: 'k' })
    }
    const keys = (await keysOf({ nodes }, keyPrefix)).filter(key => !key.includes('{}'))
    expect(keys.length).toBe(21)
    const client = new Cluster(nodes)
    opened.push(() => client.disconnect())
    const slots = new Set(await Promise.all(keys.map(key => client.cluster('KEYSLOT', key))))
    expect(slots.size).toBe(3)
  })
})
