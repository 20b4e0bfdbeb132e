import { RedisSessionStore, type RedisClient } from '@turnstore/redis'
import { Cluster, Redis } from 'ioredis'
import { describe, expect, inject, it } from 'vitest'
import { isThorough } from '../../../../scripts/testing/machine.ts'
import { MixedLoad } from '../../../../scripts/testing/mixed-load.ts'
import { type Fault, type Proxy, startProxy } from '../../../../scripts/testing/proxy.ts'

/** How many of a thousand chunks each fault hits. */
const faults: [Fault, number][] = [
  ['reset before delivery', 12],
  ['reset after delivery', 12],
  ['drop', 6],
  ['delay', 30],
  ['split', 30],
]

/** Long enough to recover from every fault, so that each write must succeed. */
const timeoutMs = 120_000

/** The same faults in the same order in every run. */
function faultOf(stretch: number): Fault | null {
  let place = (stretch * 7919) % 1000
  for (const [fault, share] of faults) {
    if (place < share) return fault
    place -= share
  }
  return null
}

const WRITES = isThorough ? 10_000 : 2500

/** @param callers at once, two for each session */
async function endure(
  proxies: readonly Proxy[],
  stores: RedisSessionStore[],
  direct: RedisSessionStore,
  callers: number,
): Promise<void> {
  const load = new MixedLoad(stores, 's', callers / 2)
  await load.prepare()
  let stretches = 0
  for (const proxy of proxies) proxy.choose = () => faultOf(stretches++)
  await load.run(callers, WRITES)
  for (const proxy of proxies) proxy.choose = () => null
  for (const [fault] of faults) {
    const times = proxies.reduce((sum, { happened }) => sum + (happened.get(fault) ?? 0), 0)
    expect(times, `how often there was a ${fault}`).toBeGreaterThan(isThorough ? 5 : 0)
  }
  expect(load.settled).toBeGreaterThanOrEqual(WRITES)
  expect(await load.check(direct)).toEqual({ lost: [], twice: [] })
  expect({ unknown: load.outcomes.unknown, notStored: load.outcomes['not-stored'], errors: [...load.errors] }).toEqual({
    unknown: 0,
    notStored: 0,
    errors: [],
  })
  for (const store of [...stores, direct]) await store.close()
}

/** A shared client with default options outlives the store. */
async function expectAlive(client: RedisClient): Promise<void> {
  expect(client.status).toBe('ready')
  expect(await client.call(client.isCluster ? 'cluster' : 'ping', client.isCluster ? ['myid'] : [])).toBeTruthy()
  client.disconnect()
}

describe('RedisSessionStore on a bad network', () => {
  it('loses nothing and applies nothing twice in thousands of mixed writes, with a client of its own and a shared one', async () => {
    const { server } = inject('addresses')
    const proxy = await startProxy(Number(new URL(server).port))
    const shared = new Redis({ port: proxy.port, host: '127.0.0.1' })
    shared.on('error', () => {})
    const keyPrefix = 'network:'
    const stores = [
      new RedisSessionStore({ url: `redis://127.0.0.1:${proxy.port}`, keyPrefix, timeoutMs }),
      new RedisSessionStore({ client: shared, keyPrefix, timeoutMs }),
    ]
    await endure([proxy], stores, new RedisSessionStore({ url: server, keyPrefix }), 96)
    await expectAlive(shared)
    await proxy.stop()
  })

  it('does the same on a Cluster', async () => {
    const { nodes } = inject('addresses')
    const proxies = await Promise.all(nodes.map(({ port }) => startProxy(port)))
    const natMap = Object.fromEntries(
      nodes.map(({ host, port }, index) => [`${host}:${port}`, { host: '127.0.0.1', port: proxies[index]?.port ?? 0 }]),
    )
    const entrances = proxies.map(({ port }) => ({ host: '127.0.0.1', port }))
    const shared = new Cluster(entrances, { natMap })
    shared.on('error', () => {})
    const keyPrefix = 'network:'
    const stores = [
      new RedisSessionStore({ nodes: entrances, cluster: { natMap }, keyPrefix, timeoutMs }),
      new RedisSessionStore({ client: shared, keyPrefix, timeoutMs }),
    ]
    // The client of a Cluster takes longer to recover from a fault, so more callers wait at a time.
    await endure(proxies, stores, new RedisSessionStore({ nodes, keyPrefix }), 512)
    await expectAlive(shared)
    await Promise.all(proxies.map(proxy => proxy.stop()))
    // Its client waits most of the time.
  }, 300_000)
})
