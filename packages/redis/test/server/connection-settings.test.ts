import { randomUUID } from 'node:crypto'
import type { RedisSessionStore } from '@turnstore/redis'
import { Cluster, Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest'
import { assertFails, failureOf, SECRET } from '../errors.js'
import { newStore } from '../new-store.js'
import { type Server, startServer, until } from '../servers.js'

/*
 * A connection setting takes effect, or it is refused. Nothing is written anywhere but where the options say.
 */

const { nodes } = inject('addresses')

let server: Server
let port: number
const unhandled: unknown[] = []
const keep = (error: unknown): void => {
  unhandled.push(error)
}
beforeAll(async () => {
  server = await startServer()
  port = server.port
  await server.admin.call('ACL', 'SETUSER', 'noselect', 'on', `>${SECRET}`, '~*', '&*', '+@all', '-select')
  await server.admin.call(
    'ACL',
    'SETUSER',
    'silent',
    'on',
    `>${SECRET}`,
    '~*',
    '&*',
    '+@all',
    '-client',
    '-config',
    '-info',
  )
  process.on('unhandledRejection', keep)
  process.on('uncaughtException', keep)
})
afterAll(async () => {
  process.off('unhandledRejection', keep)
  process.off('uncaughtException', keep)
  await server.stop()
})

const opened: (() => unknown)[] = []
afterEach(async () => {
  for (const close of opened.splice(0).toReversed()) await close()
  // Late errors are emitted in the next turns of the event loop.
  await server.admin.ping()
  const [error] = unhandled.splice(0)
  if (error !== undefined) throw new Error('an unhandled error', { cause: error })
})

function open(options: object): RedisSessionStore {
  const store = newStore(options)
  opened.push(() => store.close())
  return store
}

const save = (options: object) => async (): Promise<unknown> => open(options).saveSession({ sessionId: 's' })

async function expectDatabasesEmpty(): Promise<void> {
  const info = await server.admin.info('keyspace')
  expect(info.split('\r\n').filter(line => line.startsWith('db'))).toEqual([])
}

/** The message is one sentence on one line. */
async function assertRefused(call: () => unknown, code: 'INVALID_ARGUMENT' | 'STORE_UNAVAILABLE', message: RegExp) {
  await assertFails(call, { code, message })
  const { message: sentence } = await failureOf(call)
  expect(sentence).not.toMatch(/[\n\r]|\.\s/)
  await expectDatabasesEmpty()
}

describe('a URL with a part that is not understood is refused, and nothing is written', () => {
  it.each([
    ['/-1', /number of a database/],
    ['/abc', /number of a database/],
    ['/1.5', /number of a database/],
    ['/1e1', /number of a database/],
    ['/01', /number of a database/],
    ['/%31', /number of a database/],
    ['/ 1', /number of a database/],
    ['/1\n', /number of a database/],
    ['/1/2', /number of a database/],
    ['/1/', /number of a database/],
    ['//1', /number of a database/],
    ['/./1', /number of a database/],
    ['/4294967296', /number of a database/],
    ['?db=3', /question mark/],
    ['?', /question mark/],
    ['/3?family=6', /question mark/],
    ['#x', /number sign/],
    ['/3#', /number sign/],
    ['/3#?db=1', /number sign/],
    ['5', /port a number/],
    [':', /port a number/],
    [',127.0.0.1:2', /separated by commas/],
  ])('redis://HOST:PORT%j', async (rest, message) => {
    await assertRefused(save({ url: `redis://127.0.0.1:${port}${rest}` }), 'INVALID_ARGUMENT', message)
  })

  it.each([
    ['redis://', /and a host/],
    ['redis:///3', /and a host/],
    ['redis://:6379', /port a number/],
    ['redis://h:0', /port a number/],
    ['redis://h:65536', /port a number/],
    ['redis://[::g]:6379', /port a number/],
    [' redis://h', /and a host/],
    ['redis://h ', /and a host|port a number/],
    ['redis://h\t/3', /and a host|port a number/],
    ['//h:6379', /and a host/],
    ['h:6379', /and a host/],
    ['/tmp/redis.sock', /and a host/],
    ['6379', /and a host/],
    [`redis://u:${SECRET}%zz@h`, /percent-encoded/],
    [`redis://u:${SECRET}/x@h`, /./],
    [`redis://u:${SECRET}#x@h`, /./],
    ['redis-cluster://a:1,b:2/3', /only database 0/],
    ['redis-cluster://a:1,b:2?x=1', /question mark/],
    ['redis-cluster://a:1,b:2#x', /number sign/],
    ['redis-cluster://a:1,,b:2', /port a number/],
  ])('%j', async (url, message) => {
    await assertRefused(save({ url }), 'INVALID_ARGUMENT', message)
  })

  it('but user, password, address and database are accepted', async () => {
    await server.admin.call('ACL', 'SETUSER', 'näme', 'on', '>p@ss:w?rd/#', '~*', '&*', '+@all')
    const userinfo = `${encodeURIComponent('näme')}:${encodeURIComponent('p@ss:w?rd/#')}`
    for (const end of ['', '/', '/0', '/15']) {
      const store = open({ url: `redis://${userinfo}@127.0.0.1:${port}${end}` })
      await store.saveSession({ sessionId: 's' })
      const admin = new Redis({ port, db: Number(end.slice(1)) })
      expect(await admin.exists('turnstore:{s}s')).toBe(1)
      await admin.flushall()
      admin.disconnect()
    }
    expect(await open({ url: `REDIS://127.0.0.1:${port}` }).listSessions()).toEqual([])
    await open({ url: 'redis://[::1]' }).close()
    await open({ url: 'redis-cluster://h/0' }).close()
  })
})

describe('an ioredis option that has no effect, or not the intended one, is refused', () => {
  it.each<[object, RegExp]>([
    [{ db: -1 }, /options.redis.db must be a whole number/],
    [{ db: 'x' }, /options.redis.db must be a whole number/],
    [{ db: '3' }, /options.redis.db must be a whole number/],
    [{ db: 1.5 }, /options.redis.db must be a whole number/],
    [{ db: NaN }, /options.redis.db must be a whole number/],
    [{ db: null }, /options.redis.db must be a whole number/],
    [{ database: 3 }, /no member "database"/],
    [{ hots: 'a.example' }, /no member "hots"/],
    [{ [Symbol('x')]: 1 }, /no member/],
    [Object.create({ db: 3 }), /inherits db/],
    [{ port: '6379' }, /options.redis.port/],
    [{ port: 0 }, /options.redis.port/],
    [{ host: '' }, /options.redis.host/],
    [{ host: 'redis://h' }, /options.redis.host/],
    [{ tls: false }, /options.redis.tls/],
    [{ tls: 'RedisCloudFixed' }, /options.redis.tls/],
    [{ password: 5 }, /options.redis.password/],
    [{ keyPrefix: 'x' }, /keyPrefix of the store/],
    [{ scripts: {} }, /scripts of its own/],
    [{ readOnly: true }, /replica/],
    [{ monitor: true }, /takes no commands/],
    [{ replyMapping: 'resp3' }, /options.redis.replyMapping/],
    [{ enableOfflineQueue: false }, /options.redis.enableOfflineQueue/],
    [{ enableReadyCheck: false }, /options.redis.enableReadyCheck/],
    [{ path: '/tmp/redis.sock', port: 6379 }, /not used with a path/],
    [{ name: 'primary' }, /belongs to sentinels/],
    [{ sentinels: [{ host: 'h' }], name: 'primary', host: 'h' }, /not used with sentinels/],
    [{ sentinels: [{ host: 'h' }], name: 'primary', tls: {} }, /enableTLSForSentinelMode/],
    [{ sentinels: [{ host: 'h' }] }, /group of its master/],
    [{ sentinels: [{ hots: 'h' }], name: 'primary' }, /no member "hots"/],
    [[], /must be an object/],
  ])('redis: %j', async (redis, message) => {
    await assertRefused(save({ redis }), 'INVALID_ARGUMENT', message)
  })

  it('if it is in the URL too', async () => {
    const url = `redis://u:${SECRET}@127.0.0.1:${port}/3`
    for (const redis of [
      { db: 3 },
      { db: 4 },
      { host: 'h' },
      { port: 1 },
      { path: '/x' },
      { username: 'u' },
      { password: SECRET },
    ]) {
      await assertRefused(save({ url, redis }), 'INVALID_ARGUMENT', /also in options.url/)
    }
    const sentinels = { sentinels: [{ host: 'h' }], name: 'primary' }
    await assertRefused(save({ url, redis: sentinels }), 'INVALID_ARGUMENT', /also in options.url/)
    const cluster = `redis-cluster://:${SECRET}@h:1`
    await assertRefused(save({ url: cluster, redis: { password: SECRET } }), 'INVALID_ARGUMENT', /also in options.url/)
  })

  it('for the nodes of a Cluster', async () => {
    for (const [redisOptions, message] of [
      [{ db: 3 }, /no other database/],
      [{ host: 'h' }, /no member "host"/],
      [{ path: '/x' }, /no member "path"/],
      [{ sentinels: [] }, /no member "sentinels"/],
      [{ retryStrategy: () => 1 }, /no member "retryStrategy"/],
      [{ readOnly: true }, /no member "readOnly"/],
      [{ keyPrefix: 'x' }, /keyPrefix of the store/],
    ] as const) {
      await assertRefused(save({ nodes, cluster: { redisOptions } }), 'INVALID_ARGUMENT', message)
      await assertRefused(save({ url: 'redis-cluster://h', redis: redisOptions }), 'INVALID_ARGUMENT', message)
    }
    await assertRefused(
      save({ nodes, cluster: { scalereads: 'master' } }),
      'INVALID_ARGUMENT',
      /no member "scalereads"/,
    )
    await assertRefused(save({ nodes, cluster: { keyPrefix: 'x' } }), 'INVALID_ARGUMENT', /keyPrefix of the store/)
    await assertRefused(save({ url: 'redis://h', cluster: {} }), 'INVALID_ARGUMENT', /belongs to \{ nodes \}/)
    for (const node of [
      { host: 'h', db: 3 },
      { hots: 'h' },
      'redis://h:1',
      'h:1/3',
      'h:1?x',
      null,
      0,
      [],
      { port: '1' },
    ]) {
      await assertRefused(save({ nodes: [node] }), 'INVALID_ARGUMENT', /options.nodes|and a host/)
    }
    await open({ nodes: ['127.0.0.1:7000', 7001, { port: 7002 }, { host: 'h' }] }).close()
  })
})

describe('a database that the server refuses', () => {
  const noSelect = (end: string): string => `redis://noselect:${SECRET}@127.0.0.1:${port}${end}`

  it.each<[string, () => object]>([
    ['in a URL', () => ({ url: `redis://127.0.0.1:${port}/99` })],
    ['in options', () => ({ redis: { port, db: 99 } })],
    ['beside a URL', () => ({ url: `redis://127.0.0.1:${port}`, redis: { db: 99 } })],
    ['with protocol 2', () => ({ redis: { port, db: 99, protocol: 2 } })],
  ])('because it has fewer is named, with the number of databases: %s', async (_, options) => {
    await assertRefused(
      save(options()),
      'STORE_UNAVAILABLE',
      /no database 99 on this server, which has databases 0 to 15/,
    )
    const { outcome } = await failureOf(save(options()))
    expect(outcome).toBe('not-stored')
  })

  it('because it has fewer is named if the server does not report how many', async () => {
    const url = `redis://silent:${SECRET}@127.0.0.1:${port}/99`
    await assertRefused(save({ url }), 'STORE_UNAVAILABLE', /refuses database 99/)
  })

  it('because the user may not select it gets no call, and no waiting call is sent to database 0', async () => {
    await assertRefused(save({ url: noSelect('/7') }), 'STORE_UNAVAILABLE', /may not use database 7 \(NOPERM\).*SELECT/)
    const store = open({ url: noSelect('/7') })
    const started = performance.now()
    const calls = Array.from({ length: 20 }, (_, index) =>
      store.saveSession({ sessionId: `s${index}` }).catch(() => 'failed'),
    )
    expect(new Set(await Promise.all(calls))).toEqual(new Set(['failed']))
    expect(performance.now() - started).toBeLessThan(10_000)
    await expectDatabasesEmpty()
    // Database 0 needs no SELECT.
    expect(await open({ url: noSelect('/0') }).listSessions()).toEqual([])
  })

  it('because it is a node of a Cluster, which has only database 0', async () => {
    const [node] = nodes
    const url = `redis://${node?.host}:${node?.port}/3`
    await assertRefused(save({ url }), 'STORE_UNAVAILABLE', /Cluster, which has only database 0/)
  })

  it('after a reconnection gets no writes, nor does database 0, until the server allows it again', async () => {
    const user = randomUUID()
    const rights = ['on', `>${SECRET}`, '~*', '&*', '+@all']
    await server.admin.call('ACL', 'SETUSER', user, ...rights)
    const store = open({ url: `redis://${user}:${SECRET}@127.0.0.1:${port}/7`, timeoutMs: 30_000 })
    await store.saveSession({ sessionId: 's' })
    const append = (turnId: string) => store.changeSession('s', { appendTurns: [{ turnId }], updatedAt: '' })
    for (let times = 0; times < 3; times++) {
      await server.admin.call('ACL', 'SETUSER', user, '-select')
      await server.admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
      await until(() =>
        append('lost').then(
          () => false,
          () => true,
        ),
      )
      await assertFails(() => append('a'), { outcome: 'not-stored', message: /may not use database 7/ })
      await assertFails(() => store.saveSession({ sessionId: 'b' }), { outcome: 'not-stored', message: /database 7/ })
      await assertFails(() => store.listSessions(), { message: /database 7/ })
      expect(await server.admin.dbsize()).toBe(0)
      await server.admin.call('ACL', 'SETUSER', user, '+select')
      expect((await append(`t${times}`)).deduplicated).toEqual([])
    }
    expect(await store.listSessions()).toEqual(['s'])
    expect(await server.admin.dbsize()).toBe(0)
    await server.admin.flushall()
  })

  it('to a client of the caller’s is reported, and nothing is written to database 0', async () => {
    const client = new Redis({ port, db: 99 })
    opened.push(() => client.disconnect())
    client.on('error', () => {})
    await assertRefused(save({ client }), 'STORE_UNAVAILABLE', /in database 0, but the options ask for 99/)
  })
})

describe('credentials and TLS that do not take effect', () => {
  it('a wrong password, or a user that does not exist', async () => {
    for (const userinfo of ['noselect:wrong', 'nobody:wrong', 'nobody:', 'nobody']) {
      const url = `redis://${userinfo}@127.0.0.1:${port}/7`
      await assertRefused(save({ url }), 'STORE_UNAVAILABLE', /WRONGPASS/)
      await assertRefused(save({ url, redis: { protocol: 2 } }), 'STORE_UNAVAILABLE', /WRONGPASS/)
    }
  })

  it('TLS that the server does not speak', async () => {
    const refused = save({ url: `rediss://127.0.0.1:${port}`, timeoutMs: 2000 })
    await assertRefused(refused, 'STORE_UNAVAILABLE', /cannot be reached/)
  })
})

describe('a client of a Cluster', () => {
  it('is accepted with a db option, which ioredis ignores', async () => {
    const client = new Cluster(nodes, { redisOptions: { db: 0 } })
    opened.push(() => client.disconnect())
    const store = open({ client, keyPrefix: `${randomUUID()}:` })
    await store.saveSession({ sessionId: 's' })
    expect(await store.listSessions()).toEqual(['s'])
  })
})
