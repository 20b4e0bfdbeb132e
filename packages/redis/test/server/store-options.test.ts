import { randomUUID } from 'node:crypto'
import type { RedisSessionStore } from '@turnstore/redis'
import { Cluster, Redis } from 'ioredis'
import { afterEach, describe, expect, inject, it } from 'vitest'
import { assertFails } from '../errors.js'
import { newStore, newStoreOn } from '../new-store.js'
import { until } from '../servers.js'

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

function assertRefused(options: object, message: RegExp): Promise<void> {
  const make = (): void => {
    const store = newStore(options)
    opened.push(() => store.close())
  }
  return assertFails(make, { code: 'INVALID_ARGUMENT', message })
}

describe('options', () => {
  it('of every store apply', async () => {
    const methods: string[] = []
    const onOperation = ({ method }: { method: string }): unknown => methods.push(method)
    const store = open({ onOperation, limits: { metadataBytes: 1000 } })
    await store.saveSession({ sessionId: 's' })
    const large = async (): Promise<unknown> => store.saveSession({ sessionId: 's', metadata: { a: 'x'.repeat(1000) } })
    await assertFails(large, { code: 'INVALID_RECORD', message: /larger/ })
    expect(methods).toEqual(['saveSession', 'saveSession'])
  })

  it('name exactly one way to reach the server', async () => {
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
    await assertRefused({ client: {} }, /an ioredis client/)
    await assertRefused({ client: server }, /an ioredis client/)
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

  it('refuse an invalid ttlMs, timeout or prefix', async () => {
    for (const ttlMs of [-1, 0, 1.5, 2 ** 63, NaN, Infinity, '60', null])
      await assertRefused({ url: server, ttlMs }, /options.ttlMs/)
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
    await assertRefused({ redis: { readOnly: true } }, /replica/)
    // ioredis would send a script to the node of its digest.
    await assertRefused(
      { client: new Cluster(nodes, { lazyConnect: true, enableAutoPipelining: true }) },
      /enableAutoPipelining/,
    )
  })

  it('accept ioredis options, a URL with a database, and a URL of a Cluster', async () => {
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

describe('a shared client', () => {
  const share = <Client extends Redis | Cluster>(client: Client): Client => {
    opened.push(() => client.disconnect())
    return client
  }

  it('is used as it is and never closed, on one server and on a Cluster', async () => {
    const clients = [
      share(new Redis(server)),
      share(new Redis(server, { stringNumbers: true, replyMapping: 'resp3', enableAutoPipelining: true })),
      share(new Redis(server, { protocol: 2, keyPrefix: 'theirs:', lazyConnect: true })),
      share(new Cluster(nodes, { redisOptions: { replyMapping: 'resp3' } })),
      share(new Cluster(nodes, { keyPrefix: 'theirs:' })),
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

  it('may be used by any number of stores', async () => {
    const client = share(new Redis(server))
    const stores = Array.from({ length: 20 }, () => open({ client }))
    await Promise.all(stores.map(store => store.saveSession({ sessionId: 's' })))
    // Node warns of a leak from the eleventh listener on.
    expect(client.listenerCount('error')).toBe(1)
    await Promise.all(stores.slice(1).map(store => store.close()))
    expect(client.listenerCount('error')).toBe(1)
    expect(await stores[0]?.listSessions()).toEqual(['s'])
    await stores[0]?.close()
    expect(client.listenerCount('error')).toBe(0)
  })

  it('fails at once after its owner has closed it', async () => {
    const client = share(new Redis(server))
    const store = open({ client, timeoutMs: 60_000 })
    await store.ready()
    client.disconnect()
    await until(() => client.status === 'end')
    const started = performance.now()
    await expect(store.saveSession({ sessionId: 's' })).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    expect(performance.now() - started).toBeLessThan(30_000)
  })
})
