import { setTimeout as sleep } from 'node:timers/promises'
import { RedisSessionStore } from '@turnstore/redis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { MixedLoad } from '../../../../scripts/testing/mixed-load.ts'
import { type Server, startCluster, startServer, type TestCluster, until } from '../servers.js'

/** Runs mixed writes during an event and for a while after it, and checks the promises. */
async function assertDuringLoad(
  open: () => RedisSessionStore,
  name: string,
  happen: () => Promise<void>,
): Promise<void> {
  const stores = [open(), open()]
  const load = new MixedLoad(stores, name, 24)
  await load.prepare()
  let isOver = false
  const running = load.run(32, Number.MAX_SAFE_INTEGER, () => isOver)
  await until(() => load.settled > 200)
  await happen()
  const before = load.outcomes.acknowledged
  await until(() => load.outcomes.acknowledged > before + 200)
  isOver = true
  await running
  expect(await load.check(stores[0] ?? open())).toEqual({ lost: [], twice: [] })
  expect({ ...load.outcomes, acknowledged: 0, errors: [...load.errors] }).toEqual({
    acknowledged: 0,
    unknown: 0,
    'not-stored': 0,
    errors: [],
  })
  for (const store of stores) await store.close()
}

describe('writes on one server settle, and continue without help', () => {
  let server: Server
  beforeAll(async () => {
    server = await startServer()
  })
  afterAll(() => server.stop())
  const open = (): RedisSessionStore => new RedisSessionStore({ url: server.url })

  it('when the server forgets all scripts', async () => {
    await assertDuringLoad(open, 'flush', async () => {
      for (let times = 0; times < 20; times++) {
        await server.admin.script('FLUSH')
        await sleep(10)
      }
    })
  })

  it('when the server closes all connections', async () => {
    await assertDuringLoad(open, 'kill', async () => {
      for (let times = 0; times < 5; times++) {
        await server.admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
        await sleep(100)
      }
    })
  })

  it('when the server stops for three seconds', async () => {
    await assertDuringLoad(open, 'stop', async () => {
      server.signal('SIGSTOP')
      await sleep(3000)
      server.signal('SIGCONT')
    })
  })
})

describe('writes on a Cluster settle, and continue without help', () => {
  let cluster: TestCluster
  beforeAll(async () => {
    cluster = await startCluster()
  })
  afterAll(() => cluster.stop())
  const open = (): RedisSessionStore => new RedisSessionStore({ nodes: cluster.nodes })

  it('when replicas take over from their masters', async () => {
    await assertDuringLoad(open, 'failover', async () => {
      for (const { admin } of cluster.servers.slice(3)) {
        await admin.cluster('FAILOVER')
        await until(async () => (await admin.info('replication')).includes('role:master'))
      }
    })
  })

  it('when slots are moved to another node', async () => {
    await assertDuringLoad(open, 'move', async () => {
      for (const index of [0, 1, 2]) await moveSlot(cluster.servers, `turnstore:{move-${index}}s`)
    })
  })

  it('while a slot moves: a session with keys on both nodes is waited for, and not reported as missing', async () => {
    // Far longer than the move takes on any machine, so that no read times out.
    const store = new RedisSessionStore({ nodes: cluster.nodes, timeoutMs: 120_000 })
    const turns = [{ turnId: 'a' }, { turnId: 'b' }]
    await store.saveSession({ sessionId: 'halved', turns })
    const tail = (): Promise<unknown> => store.readTurns('halved', { last: 2 })
    const reads = [tail, () => store.readTurns('halved', { from: 0 }), () => store.loadSession('halved')]
    const seen: Promise<unknown>[] = []
    // The next key moves only after each read has a reply, or was refused because of the move.
    const look = async (): Promise<void> => {
      for (const read of reads) {
        const before = await redirectionsOf(cluster.servers)
        let isSettled = false
        seen.push(
          read().finally(() => {
            isSettled = true
          }),
        )
        await until(async () => isSettled || (await redirectionsOf(cluster.servers)) > before)
      }
    }
    await moveSlot(cluster.servers, 'turnstore:{halved}s', look)
    expect(seen.length).toBeGreaterThanOrEqual(reads.length * 2)
    for (const outcome of await Promise.all(seen)) expect(outcome).toMatchObject({ turns })
    expect(await tail()).toMatchObject({ turns })
    await store.close()
  })

  it('when every node forgets all scripts and closes all connections', async () => {
    await assertDuringLoad(open, 'all', async () => {
      for (let times = 0; times < 3; times++) {
        for (const { admin } of cluster.servers) {
          await admin.script('FLUSH')
          await admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
        }
        await sleep(100)
      }
    })
  })
})

/** How many commands the servers have refused because a slot has moved or is moving. */
async function redirectionsOf(servers: readonly Server[]): Promise<number> {
  const stats = await Promise.all(servers.map(({ admin }) => admin.info('errorstats')))
  const counts = stats.join('\n').matchAll(/^errorstat_(?:TRYAGAIN|ASK|MOVED):count=(\d+)/gm)
  return [...counts].reduce((sum, [, count]) => sum + Number(count), 0)
}

/**
 * Moves the slot of a key from its master to another, key by key, as `redis-cli --cluster reshard` does.
 * @param look called after each key
 */
async function moveSlot(servers: readonly Server[], key: string, look = async (): Promise<void> => {}): Promise<void> {
  const masters: { server: Server; id: string }[] = []
  for (const server of servers) {
    if ((await server.admin.info('replication')).includes('role:master')) {
      masters.push({ server, id: await server.admin.cluster('MYID') })
    }
  }
  const slot = Number(await servers[0]?.admin.cluster('KEYSLOT', key))
  const keysIn = async ({ server }: { server: Server }): Promise<string[]> => {
    const keys: unknown = await server.admin.cluster('GETKEYSINSLOT', slot, 1)
    return Array.isArray(keys) ? keys.map(String) : []
  }
  const counts = await Promise.all(masters.map(keysIn))
  const from = masters[counts.findIndex(keys => keys.length > 0)]
  const to = masters.find(master => master !== from)
  if (from === undefined || to === undefined) throw new Error(`no master has ${key}`)
  await to.server.admin.cluster('SETSLOT', slot, 'IMPORTING', from.id)
  await from.server.admin.cluster('SETSLOT', slot, 'MIGRATING', to.id)
  for (let keys = await keysIn(from); keys.length > 0; keys = await keysIn(from)) {
    await from.server.admin.call('MIGRATE', '127.0.0.1', to.server.port, '', 0, 5000, 'KEYS', ...keys)
    await look()
  }
  for (const { server } of [to, from]) await server.admin.cluster('SETSLOT', slot, 'NODE', to.id)
}
