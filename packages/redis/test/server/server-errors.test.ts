import { readFileSync, rmSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { SessionManager, type SessionStore } from '@turnstore/core'
import { type RedisClient, RedisSessionStore } from '@turnstore/redis'
import { Redis } from 'ioredis'
import { afterEach, describe, expect, it } from 'vitest'
import { assertFails, SECRET } from '../errors.js'
import { type Server, startServer, until } from '../servers.js'

const T1 = '2026-01-01T00:00:01Z'

const opened: { stop(): Promise<void> }[] = []
afterEach(async () => {
  // The latest first: a store whose server is gone would wait for it until its deadline.
  for (const each of opened.splice(0).toReversed()) await each.stop()
})

async function newServer(settings?: Readonly<Record<string, string>>): Promise<Server> {
  const server = await startServer(settings)
  opened.push(server)
  return server
}

function newStore(url: string, timeoutMs = 10_000): RedisSessionStore {
  const store = new RedisSessionStore({ url, timeoutMs })
  opened.push({ stop: () => store.close() })
  return store
}

const append = (store: SessionStore) =>
  store.changeSession('s', { appendTurns: [{ turnId: 't', prompt: SECRET }], updatedAt: T1 })
const save = (store: SessionStore) => store.saveSession({ sessionId: 'new', metadata: { a: SECRET } })

describe('an error of the server becomes a message that says what to do', () => {
  it('OOM, if memory is full and nothing may be evicted', async () => {
    const server = await newServer()
    const store = newStore(server.url)
    await store.saveSession({ sessionId: 's' })
    await server.admin.config('SET', 'maxmemory', '1')
    await assertFails(() => append(store), { outcome: 'not-stored', message: /out of memory \(OOM\)/ })
    await assertFails(() => save(store), { outcome: 'not-stored', message: /raise maxmemory/ })
    const long = { sessionId: 'long', turns: Array.from({ length: 3000 }, (_, index) => ({ turnId: `t${index}` })) }
    await assertFails(() => store.saveSession(long), { outcome: 'not-stored', message: /OOM/ })
    await server.admin.config('SET', 'maxmemory', '0')
    expect(await store.loadSession('s')).toMatchObject({ turns: [], revision: 1 })
    expect(await store.listSessions()).toEqual(['s'])
    expect((await append(store)).turnCount).toBe(1)
  })

  it('OOM, and a full server writes a change completely or not at all', async () => {
    const server = await newServer()
    const store = newStore(server.url)
    await store.saveSession({ sessionId: 's', turns: [{ turnId: 'first' }] })
    await server.admin.config('SET', 'maxmemory', '1')
    const before = await store.loadSession('s')
    for (const change of [
      { keepTurns: 0 },
      { setMetadata: { a: 1 } },
      { updateTurns: [{ turnId: 'first', set: { status: 'x' } }] },
    ]) {
      await store.changeSession('s', { ...change, updatedAt: T1 }).catch(() => {})
    }
    await store.saveSession({ sessionId: 's' }).catch(() => {})
    const after = await store.loadSession('s')
    // Without memory, a script cannot start to write what needs some, and a rewind does.
    expect(after).toEqual(before)
  })

  it('none if memory is full and nothing is added: everything can be read, and deleting frees memory', async () => {
    const server = await newServer()
    const store = newStore(server.url)
    const session = { turns: [{ turnId: 'a' }, { turnId: 'b' }], metadata: { ended: true } }
    for (const sessionId of ['s', 'old', 'older']) await store.saveSession({ sessionId, ...session })
    await server.admin.config('SET', 'maxmemory', '1')
    expect((await store.loadSession('s'))?.turns).toHaveLength(2)
    for (const range of [{ last: 1 }, { from: 1 }, { turnId: 'b' }]) {
      expect(await store.readTurns('s', range)).toMatchObject({ turns: [{ turnId: 'b' }], firstIndex: 1, turnCount: 2 })
    }
    expect((await store.querySessions()).sessions).toHaveLength(3)
    expect(await store.deleteSession('old')).toBe(true)
    expect(await new SessionManager(store).pruneSessions({ ended: true })).toHaveLength(2)
    expect(await store.listSessions()).toEqual([])
    await store.close()
    expect(await server.admin.exists('turnstore:{old}s', 'turnstore:{old}t', 'turnstore:{}updated:0:all')).toBe(0)
  })

  it('none in a listing that encounters a missing entry while memory is full', async () => {
    const server = await newServer()
    const store = newStore(server.url)
    const place = (minute: number): string => `2026-01-01T00:0${minute}:00.000000Z`
    for (const [minute, sessionId] of ['a', 'b', 'c'].entries()) {
      await store.saveSession({ sessionId, createdAt: place(minute + 1), updatedAt: place(minute + 1) })
    }
    for (const order of ['updated', 'created']) {
      const key = `turnstore:{}${order}:0:all`
      await server.admin.zremrangebyrank(key, 1, 1)
      // Left by a client that died before it wrote the current entry.
      await server.admin.zadd(key, 0, `${place(0)} b\u001f00000000`)
    }
    await server.admin.config('SET', 'maxmemory', '1')
    for (const orderBy of ['updatedAt', 'createdAt'] as const) {
      for (const order of ['asc', 'desc'] as const) {
        for (const limit of [1, 2, 50]) {
          const ids: string[] = []
          for await (const { sessionId } of store.sessions({ orderBy, order, limit })) ids.push(sessionId)
          expect({ orderBy, order, limit, ids: ids.toSorted() }).toMatchObject({ ids: ['a', 'b', 'c'] })
        }
      }
    }
    await server.admin.config('SET', 'maxmemory', '0')
    for await (const _ of store.sessions()) continue
    const { sessions } = await store.querySessions({ order: 'asc' })
    expect(sessions.map(({ sessionId }) => sessionId)).toEqual(['a', 'b', 'c'])
  })

  it('a script that fails while it runs, which makes the outcome unknown', async () => {
    const server = await newServer()
    const store = newStore(server.url)
    await store.saveSession({ sessionId: 's' })
    const shared = new Redis(server.url)
    opened.push({ stop: async () => shared.disconnect() })
    const [head, half] = ['turnstore:{s}s', "redis.call('HSET', KEYS[1], 'd', '{}') error('on the way')"]
    const failing = new Proxy<RedisClient>(shared, {
      get(target, member) {
        if (member === 'call') {
          return (command: string, args: (string | number)[]) =>
            command === 'evalsha' && args[2] === head
              ? target.call('eval', [half, 1, head])
              : target.call(command, args)
        }
        const value: unknown = Reflect.get(target, member)
        return typeof value === 'function' ? (...args: unknown[]): unknown => Reflect.apply(value, target, args) : value
      },
    })
    const broken = new RedisSessionStore({ client: failing })
    opened.push({ stop: () => broken.close() })
    await assertFails(() => append(broken), { outcome: 'unknown', message: /may have written a part/ })
  })

  it('MISCONF, if it cannot write its snapshots', async () => {
    const server = await newServer({ save: '3600 1' })
    const store = newStore(server.url)
    await store.saveSession({ sessionId: 's' })
    const reply: unknown = await server.admin.config('GET', 'dir')
    const [, folder] = Array.isArray(reply) ? reply.map(String) : []
    rmSync(String(folder), { recursive: true })
    await server.admin.bgsave().catch(() => {})
    await until(async () => (await server.admin.info('persistence')).includes('rdb_last_bgsave_status:err'))
    await assertFails(() => append(store), { outcome: 'not-stored', message: /\(MISCONF\).*disk/ })
    expect(await store.loadSession('s')).toMatchObject({ turns: [] })
  })

  it('READONLY, if the server has become a replica; writes work again when it is a master again', async () => {
    const [server, other] = await Promise.all([newServer(), newServer()])
    const store = newStore(server.url, 3000)
    await store.saveSession({ sessionId: 's' })
    await server.admin.replicaof('127.0.0.1', other.port)
    await assertFails(() => append(store), { outcome: 'not-stored', message: /replica.*\(READONLY\)/ })
    await assertFails(() => newStore(server.url).ready(), { message: /replica.*connect to its master/ })
    await server.admin.replicaof('NO', 'ONE')
    await store.saveSession({ sessionId: 's' })
    expect((await append(store)).turnCount).toBe(1)
  })

  it('LOADING, while it reads its data; a call waits for that if it has time', async () => {
    const server = await newServer({ 'loading-process-events-interval-bytes': '1024' })
    const [impatient, patient] = [newStore(server.url, 6000), newStore(server.url, 60_000)]
    await impatient.saveSession({ sessionId: 's' })
    await patient.ready()
    // Large enough that the server replies between two of them.
    await server.admin.call('DEBUG', 'POPULATE', '20000', 'key', '2048')
    // Forty seconds, unless the test ends it.
    await server.admin.config('SET', 'key-load-delay', '2000')
    const other = new Redis({ port: server.port, host: '127.0.0.1' })
    other.on('error', () => {})
    await other.ping()
    const loading = server.admin.call('DEBUG', 'RELOAD')
    // If the test fails, its server stops before this has ended.
    loading.catch(() => {})
    await until(() =>
      other.get('x').then(
        () => false,
        (error: unknown) => String(error).includes('LOADING'),
      ),
    )
    await assertFails(() => append(impatient), { outcome: 'not-stored', message: /\(LOADING\)/ })
    await assertFails(() => impatient.readTurns('s', { last: 1 }), { message: /\(LOADING\)/ })
    const waiting = append(patient)
    await other.config('SET', 'key-load-delay', '0')
    expect((await waiting).turnCount).toBe(1)
    await loading
    expect((await impatient.readTurns('s', { last: 1 }))?.turns).toHaveLength(1)
    other.disconnect()
  })

  it('a wrong password, and no password', async () => {
    const server = await newServer({ requirepass: 'right' })
    const host = `127.0.0.1:${server.port}`
    for (const url of [`redis://:${SECRET}@${host}`, `redis://somebody:${SECRET}@${host}`]) {
      await assertFails(() => append(newStore(url)), {
        outcome: 'not-stored',
        message: /username or password \(WRONGPASS\)/,
      })
    }
    await assertFails(() => append(newStore(`redis://${host}`)), {
      outcome: 'not-stored',
      message: /requires a password \(NOAUTH\)/,
    })
    const store = newStore(`redis://:right@${host}`)
    expect(await store.listSessions()).toEqual([])
  })

  it('a user without permissions', async () => {
    const server = await newServer()
    await server.admin.call(
      'ACL',
      'SETUSER',
      'reader',
      'on',
      `>${SECRET}`,
      '~*',
      '+@all',
      '-@write',
      '-@scripting',
      '-config',
      '-info',
    )
    const store = newStore(`redis://reader:${SECRET}@127.0.0.1:${server.port}`, 1000)
    await assertFails(() => append(store), { outcome: 'not-stored', message: /does not report whether it may evict/ })
  })

  it('none for a user with exactly the permissions in docs/redis.md', async () => {
    const server = await newServer()
    const docs = readFileSync(new URL('../../../../docs/redis.md', import.meta.url), 'utf8')
    const [, permissions = ''] = /on `~turnstore:\*`: `([^`]+)`/.exec(docs) ?? []
    const rules = [...permissions.split(' '), '+config|get']
    await server.admin.call('ACL', 'SETUSER', 'app', 'on', 'nopass', '~turnstore:*', '-@all', ...rules)
    const store = newStore(`redis://app:any@127.0.0.1:${server.port}`)
    const turns = Array.from({ length: 1500 }, (_, index) => ({ turnId: `t${index}` }))
    await store.saveSession({ sessionId: 's', turns, agentTransitions: [{ toAgent: 'x', transitionId: 'h' }] })
    for (let index = 0; index < 150; index++) {
      await store.changeSession('s', {
        appendTurns: [{ turnId: `new${index}` }],
        updatedAt: `2026-01-01T00:00:00.${100 + index}Z`,
      })
    }
    await store.changeSession('s', {
      updateTurns: [{ turnId: 't1', set: { status: 'x' } }],
      setMetadata: { a: 1 },
      updatedAt: T1,
    })
    await store.changeSession('s', { keepTurns: 10, updatedAt: T1 })
    await store.changeSession('s', { keepTurns: 0, updatedAt: T1 })
    expect(await store.loadSession('s')).toMatchObject({ turns: [], metadata: { a: 1 } })
    expect((await store.querySessions({ order: 'asc' })).sessions).toHaveLength(1)
    expect((await store.querySessions()).sessions).toHaveLength(1)
    expect(await store.listSessions()).toEqual(['s'])
    expect(await store.deleteSession('s')).toBe(true)
    await store.close()
    const brief = new RedisSessionStore({ url: `redis://app:any@127.0.0.1:${server.port}`, ttlMs: 60_000 })
    opened.push({ stop: () => brief.close() })
    await brief.saveSession({ sessionId: 's', turns })
    expect(await server.admin.acl('LOG')).toEqual([])
  })

  it('a wrong host, and a port without a server', async () => {
    // Longer than a DNS label may be, so that no name server is asked, which could take long.
    const nobody = 'nobody'.repeat(11)
    const started = performance.now()
    const asked = [
      [`redis://:${SECRET}@${nobody}.invalid:6379`, /cannot be reached \((ENOTFOUND|EAI_AGAIN)\)/],
      [`redis://:${SECRET}@127.0.0.1:1`, /cannot be reached \(ECONNREFUSED\)/],
    ] as const
    await Promise.all(
      asked.map(async ([url, why]) => {
        const store = newStore(url, 3000)
        await assertFails(() => append(store), { outcome: 'not-stored', message: why })
        await assertFails(() => store.loadSession('s'), { message: why })
      }),
    )
    expect(performance.now() - started).toBeLessThan(30_000)
  })

  it('a server that stops: the outcome of a write in flight is unknown', async () => {
    const server = await newServer()
    const store = newStore(server.url, 5000)
    await store.saveSession({ sessionId: 's' })
    server.signal('SIGSTOP')
    await assertFails(() => append(store), { outcome: 'unknown', message: /answer was lost/ })
    server.signal('SIGCONT')
    expect((await store.loadSession('s'))?.turns.length).toBeLessThanOrEqual(1)
  })
})

describe('a call that waits for one that is stuck', () => {
  it('has its full timeout', async () => {
    const server = await newServer()
    const store = newStore(server.url, 8000)
    await store.saveSession({ sessionId: 's' })
    server.signal('SIGSTOP')
    const appendOf = (turnId: string) => store.changeSession('s', { appendTurns: [{ turnId }], updatedAt: T1 })
    const stuck = assertFails(() => appendOf('a'), { outcome: 'unknown', message: /cannot be reached/ })
    await sleep(300)
    const early = appendOf('b').catch(() => {})
    // Half the timeout: the late call has four seconds left when the stuck one ends.
    await sleep(3700)
    const late = appendOf('c')
    await stuck
    await early
    server.signal('SIGCONT')
    expect(await late).toMatchObject({ deduplicated: [] })
    await early
  })
})

describe('the settings of the server', () => {
  it('determine the durability, which is the weakest if they cannot be read', async () => {
    const cases = [
      [{}, 'none'],
      [{ appendonly: 'yes' }, 'process-crash'],
      [{ appendonly: 'yes', appendfsync: 'no' }, 'process-crash'],
      [{ appendonly: 'yes', appendfsync: 'always' }, 'power-loss'],
    ] as const
    for (const [settings, durability] of cases) {
      const server = await newServer(settings)
      const store = newStore(server.url)
      expect(store.capabilities).toMatchObject({ durability: 'none', sharing: 'process' })
      await store.ready()
      expect(store.capabilities).toEqual({
        durability,
        sharing: 'network',
        constantAppend: true,
        constantStep: true,
        search: 'scan',
        failover: 'may-lose-acknowledged',
      })
      // Without CONFIG, INFO reports the append-only file, but not when it is synced.
      await server.admin.call('ACL', 'SETUSER', 'app', 'on', 'nopass', '~*', '+@all', '-config')
      const restricted = newStore(`redis://app:any@127.0.0.1:${server.port}`)
      await restricted.ready()
      expect(restricted.capabilities.durability).toBe(durability === 'none' ? 'none' : 'process-crash')
    }
  })

  it('are refused if it may evict sessions, with a message that says what to set', async () => {
    const cases = [
      ['allkeys-lru', undefined, true],
      ['volatile-lru', undefined, false],
      ['volatile-ttl', 60_000, true],
      ['noeviction', 60_000, false],
    ] as const
    const server = await newServer()
    for (const [policy, ttlMs, isRefused] of cases) {
      await server.admin.config('SET', 'maxmemory-policy', policy)
      const options = { url: server.url, ...(ttlMs !== undefined && { ttlMs }) }
      const store = new RedisSessionStore(options)
      opened.push({ stop: () => store.close() })
      if (isRefused) {
        await assertFails(() => store.ready(), {
          message: new RegExp(`${policy}.*maxmemory-policy noeviction.*allowEviction: true`),
        })
        await assertFails(() => append(store), { outcome: 'not-stored', message: /maxmemory-policy noeviction/ })
      } else await store.ready()
      const insisting = new RedisSessionStore({ ...options, allowEviction: true })
      opened.push({ stop: () => insisting.close() })
      await insisting.ready()
    }
  })

  it('are refused if it is a node of a Cluster that is used as one server', async () => {
    const server = await newServer({ 'cluster-enabled': 'yes', 'cluster-config-file': 'nodes.conf' })
    await assertFails(() => newStore(server.url).ready(), { message: /belongs to a Cluster; use \{ nodes \}/ })
  })
})
