import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { RedisSessionStore } from '@turnstore/redis'
import { Cluster, Redis } from 'ioredis'
import { afterEach, describe, expect, inject, it } from 'vitest'
import { assertFails, failureOf } from './errors.js'
import { keysOf } from './keys.js'
import { until } from './servers.js'

const { server, nodes } = inject('addresses')

const opened: (() => unknown)[] = []
afterEach(async () => {
  for (const close of opened.splice(0).toReversed()) await close()
})

/** A store with keys of its own, on the shared server unless the options say where. */
function open(options: object = {}): RedisSessionStore {
  const isElsewhere = ['url', 'redis', 'nodes', 'client'].some(name => name in options)
  const store = newStore({ ...(isElsewhere ? {} : { url: server }), keyPrefix: `${randomUUID()}:`, ...options })
  opened.push(() => store.close())
  return store
}

/** Also with options that the compiler would not let through. */
function newStore(options: object): RedisSessionStore {
  const store: unknown = Reflect.construct(RedisSessionStore, [options])
  if (!(store instanceof RedisSessionStore)) throw new TypeError('no store')
  return store
}

function assertRefused(options: object, message: RegExp): Promise<void> {
  const make = (): void => {
    const store = newStore(options)
    opened.push(() => store.close())
  }
  return assertFails(make, { code: 'INVALID_ARGUMENT', message })
}

describe('options', () => {
  it('name one way to the server', async () => {
    const client = new Redis({ lazyConnect: true })
    for (const options of [
      {},
      { url: server, client },
      { url: server, nodes },
      { nodes, client },
      { keyPrefix: 'x' },
    ]) {
      await assertRefused(options, /one of \{ url \}/)
    }
    await assertRefused({ url: server, keyprefix: 'x' }, /no member "keyprefix"/)
    await assertRefused({ nodes: [] }, /options.nodes/)
    await assertRefused({ client: {} }, /a client of ioredis/)
    await assertRefused({ client: server }, /a client of ioredis/)
    await assertRefused({ url: server, redis: 'canary-7f3a' }, /options.redis/)
    await assertRefused(client, /as \{ client \}/)
  })

  it('never repeat a URL that is refused', async () => {
    for (const url of [
      'canary-7f3a',
      'http://canary-7f3a',
      'redis:canary-7f3a',
      'redis://u:canary-7f3a@',
      'redis-cluster://u:canary-7f3a@',
      'redis-cluster://u:canary-7f3a@h:x',
    ]) {
      await assertRefused({ url }, /redis(-cluster)?:\/\//)
    }
    await assertRefused({ url: 'redis-cluster://u:%zzcanary-7f3a@h:7000' }, /percent-encoded/)
  })

  it('refuse a ttl, a timeout or a prefix that is none', async () => {
    for (const ttl of [-1, 0, 1.5, 2 ** 63, NaN, Infinity, '60', null])
      await assertRefused({ url: server, ttl }, /options.ttl/)
    for (const timeoutMs of [0, 600_001, NaN]) await assertRefused({ url: server, timeoutMs }, /timeoutMs/)
    for (const keyPrefix of ['{', 'a}', '{tag}', '\ud800', 7])
      await assertRefused({ url: server, keyPrefix }, /keyPrefix/)
    await assertRefused({ url: server, allowEviction: 'yes' }, /allowEviction/)
  })

  it('refuse a client that reads from replicas', async () => {
    const clients = [
      new Redis({ lazyConnect: true, readOnly: true }),
      new Redis({ lazyConnect: true, sentinels: [{ host: '127.0.0.1', port: 1 }], name: 'x', role: 'slave' }),
      new Cluster(nodes, { lazyConnect: true, scaleReads: 'slave' }),
      new Cluster(nodes, { lazyConnect: true, scaleReads: 'all' }),
    ]
    for (const client of clients) await assertRefused({ client }, /reads from replicas/)
    await assertRefused({ nodes, cluster: { scaleReads: 'slave' } }, /scaleReads/)
    await assertRefused({ redis: { readOnly: true } }, /replicas/)
    // It sends scripts to the node of their digest.
    await assertRefused(
      { client: new Cluster(nodes, { lazyConnect: true, enableAutoPipelining: true }) },
      /enableAutoPipelining/,
    )
  })

  it('take ioredis options, a URL with a database, and a URL of a Cluster', async () => {
    const { hostname, port } = new URL(server)
    const keyPrefix = `${randomUUID()}:`
    const inFirst = open({ redis: { host: hostname, port: Number(port), db: 1 }, keyPrefix })
    await inFirst.saveSession({ sessionId: 's' })
    expect(await open({ url: `${server}/1`, keyPrefix }).listSessions()).toEqual(['s'])
    expect(await open({ url: server, keyPrefix }).listSessions()).toEqual([])
    const url = `redis-cluster://${nodes.map(node => `${node.host}:${node.port}`).join(',')}`
    const clustered = open({ url, keyPrefix })
    await clustered.saveSession({ sessionId: 's' })
    expect(await open({ nodes, keyPrefix }).listSessions()).toEqual(['s'])
  })
})

describe('a borrowed client', () => {
  const borrow = <Client extends Redis | Cluster>(client: Client): Client => {
    opened.push(() => client.disconnect())
    return client
  }

  it('is used as it is and never closed, on one server and on a Cluster', async () => {
    const clients = [
      borrow(new Redis(server)),
      borrow(new Redis(server, { stringNumbers: true, replyMapping: 'resp3', enableAutoPipelining: true })),
      borrow(new Redis(server, { protocol: 2, keyPrefix: 'theirs:', lazyConnect: true })),
      borrow(new Cluster(nodes, { redisOptions: { replyMapping: 'resp3' } })),
      borrow(new Cluster(nodes, { keyPrefix: 'theirs:' })),
    ]
    for (const client of clients) {
      const listeners = client.listenerCount('error')
      const store = open({ client })
      await store.saveSession({ sessionId: 's', turns: [{ turnId: 'a' }] })
      await store.changeSession('s', { appendTurns: [{ turnId: 'b' }], updatedAt: '2026-01-01T00:00:00Z' })
      await store.changeSession('s', { setMetadata: { a: 1 }, updatedAt: '2026-01-02T00:00:00Z' })
      expect(await store.loadSession('s')).toMatchObject({
        turns: [{ turnId: 'a' }, { turnId: 'b' }],
        metadata: { a: 1 },
      })
      expect((await store.querySessions()).sessions).toMatchObject([{ sessionId: 's', revision: 3 }])
      await store.close()
      expect(client.status).toBe('ready')
      expect(client.listenerCount('error')).toBe(listeners)
      expect(await client.get('nothing')).toBe(null)
    }
  })

  it('may be lent to any number of stores', async () => {
    const client = borrow(new Redis(server))
    const stores = Array.from({ length: 20 }, () => open({ client }))
    await Promise.all(stores.map(store => store.saveSession({ sessionId: 's' })))
    // Beyond ten Node warns of a leak.
    expect(client.listenerCount('error')).toBe(1)
    await Promise.all(stores.slice(1).map(store => store.close()))
    expect(client.listenerCount('error')).toBe(1)
    expect(await stores[0]?.listSessions()).toEqual(['s'])
    await stores[0]?.close()
    expect(client.listenerCount('error')).toBe(0)
  })

  it('that is closed by its owner gives an error at once', async () => {
    const client = borrow(new Redis(server))
    const store = open({ client, timeoutMs: 60_000 })
    await store.ready()
    client.disconnect()
    await until(() => client.status === 'end')
    const started = performance.now()
    await expect(store.saveSession({ sessionId: 's' })).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    expect(performance.now() - started).toBeLessThan(30_000)
  })
})

describe('a ttl', () => {
  for (const [setup, connection] of Object.entries({ 'on one server': { url: server }, 'on a Cluster': { nodes } })) {
    it(`takes all of a session away at once, ${setup}`, async () => {
      const store = open({ ...connection, keyPrefix: `${randomUUID()}:`, ttl: 1500 })
      const turns = [{ turnId: 'a' }]
      await store.saveSession({ sessionId: 'brief', turns, agentTransitions: [{ toAgent: 'x', transitionId: 'h' }] })
      const seen = new Set<number | undefined>()
      await until(async () => {
        const brief = await store.loadSession('brief')
        seen.add(brief?.turns.length)
        return brief === null
      })
      expect(seen.has(0)).toBe(false)
      expect(await store.listSessions()).toEqual([])
      expect((await store.querySessions()).sessions).toEqual([])
      expect(await store.deleteSession('brief')).toBe(false)
      expect(await store.saveSession({ sessionId: 'brief' }, { ifRevision: 0 })).toBe(1)
    })

    it(`is put off by each change, for all keys of the session, ${setup}`, async () => {
      const keyPrefix = `${randomUUID()}:`
      const store = open({ ...connection, keyPrefix, ttl: 3_600_000 })
      await store.saveSession({ sessionId: 'kept', turns: [{ turnId: 'a' }] })
      const client = 'nodes' in connection ? new Cluster(nodes) : new Redis(server)
      opened.push(() => client.disconnect())
      const endOf = (kind: string): Promise<number> => client.pexpiretime(`${keyPrefix}{kept}${kind}`)
      for (let count = 0; count < 20; count++) {
        const before = await endOf('s')
        await sleep(2)
        await store.changeSession('kept', { appendTurns: [{ turnId: `t${count}` }], updatedAt: '' })
        const after = await endOf('s')
        expect(after).toBeGreaterThan(before)
        expect(await Promise.all(['t', 'i'].map(endOf))).toEqual([after, after])
      }
    })
  }

  it('covers long sessions, and what a change adds', async () => {
    const keyPrefix = `${randomUUID()}:`
    const store = open({ keyPrefix, ttl: 60_000 })
    const turns = Array.from({ length: 2500 }, (_, index) => ({ turnId: `t${index}` }))
    await store.saveSession({ sessionId: 'long', turns })
    await store.saveSession({ sessionId: 'short' })
    await store.changeSession('short', { appendAgentTransitions: [{ toAgent: 'x' }], updatedAt: '' })
    await store.changeSession('short', { setMetadata: { a: 1 }, updatedAt: '' })
    // A handle without a ttl leaves the instant as it is, for what it adds as well.
    const other = open({ keyPrefix })
    await other.changeSession('short', { appendTurns: [{ turnId: 'a' }], updatedAt: '' })
    const client = new Redis(server)
    for (const id of ['long', 'short']) {
      const keys = (await keysOf({ url: server }, keyPrefix)).filter(
        key => key.includes(`{${id}}`) && !key.endsWith('o'),
      )
      expect(keys.length).toBeGreaterThan(1)
      const instants = new Set(await Promise.all(keys.map(key => client.pexpiretime(key))))
      expect(instants.size, `instants at which ${keys.join(', ')} expire`).toBe(1)
      expect([...instants][0]).toBeGreaterThan(Date.now())
    }
    client.disconnect()
  })
})

describe('the keyspace', () => {
  it('keeps stores with other prefixes apart, whatever is in them', async () => {
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

  it('reports a key of ours that holds something else, leaves it alone, and lists the others', async () => {
    const keyPrefix = `${randomUUID()}:`
    const store = open({ keyPrefix })
    const client = new Redis(server)
    opened.push(() => client.disconnect())
    const kinds = ['s', 't', 'i', 'h', 'o']
    for (const kind of kinds) {
      const key = `${keyPrefix}{${kind}}${kind}`
      await store.saveSession({ sessionId: kind, turns: [{ turnId: 'a' }], agentTransitions: [{ toAgent: 'x' }] })
      await client.del(key)
      await client.set(key, 'canary-7f3a')
      const calls = [
        () =>
          store.changeSession(kind, {
            appendTurns: [{ turnId: 'b' }],
            appendAgentTransitions: [{ toAgent: 'y' }],
            updatedAt: '',
          }),
        () =>
          store.changeSession(kind, {
            updateTurns: [{ turnId: 'a', set: { status: 'x' } }],
            setMetadata: { a: 1 },
            updatedAt: '',
          }),
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
    expect(page.damaged).toMatchObject([{ sessionId: 's', code: 'CORRUPT_SESSION' }])
  })

  it('reports turns that are missing, or are no JSON, without a word of them', async () => {
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

  it('of another format is refused', async () => {
    const keyPrefix = `${randomUUID()}:`
    const store = open({ keyPrefix })
    await store.saveSession({ sessionId: 's' })
    const client = new Redis(server)
    opened.push(() => client.disconnect())
    expect(await client.get(`${keyPrefix}{}format`)).toBe('turnstore 1 shards 1')
    await client.set(`${keyPrefix}{}format`, 'turnstore 1 shards 16')
    await expect(open({ keyPrefix }).listSessions()).rejects.toMatchObject({ code: 'SCHEMA_TOO_NEW' })
    await client.set(`${keyPrefix}{}format`, 'turnstore 1 shards 1')
    await client.hset(`${keyPrefix}{s}s`, 'v', '2')
    await expect(store.loadSession('s')).rejects.toMatchObject({ code: 'SCHEMA_TOO_NEW' })
    await expect(store.saveSession({ sessionId: 's' })).rejects.toMatchObject({ code: 'SCHEMA_TOO_NEW' })
    await expect(store.deleteSession('s')).rejects.toMatchObject({ code: 'SCHEMA_TOO_NEW' })
  })

  it('has one slot for the keys of a session', async () => {
    const keyPrefix = `${randomUUID()}:`
    const store = open({ nodes, keyPrefix })
    const turns = [{ turnId: 'a' }]
    for (const sessionId of ['{a}b', '}{', 'plain']) {
      await store.saveSession({ sessionId, turns, agentTransitions: [{ toAgent: 'x', transitionId: 'h' }] })
    }
    const keys = (await keysOf({ nodes }, keyPrefix)).filter(key => !key.includes('{}'))
    expect(keys.length).toBe(15)
    const client = new Cluster(nodes)
    opened.push(() => client.disconnect())
    const slots = new Set(await Promise.all(keys.map(key => client.cluster('KEYSLOT', key))))
    expect(slots.size).toBe(3)
  })
})
