import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const { Redis } = createRequire(new URL('../packages/redis/package.json', import.meta.url))('ioredis')

/** `redis-server` or `valkey-server`, whichever can be started; with neither, null. */
export function redisServer() {
  return ['redis-server', 'valkey-server'].find(name => spawnSync(name, ['--version']).status === 0) ?? null
}

/** Servers without persistence: what is measured is the work, not the disk. They end with this process. */
export async function startRedis(folder, count, ...args) {
  const servers = []
  for (let index = 0; index < count; index++) {
    const port = await freePort()
    const dir = mkdtempSync(join(folder, 'redis-'))
    const server = spawn(redisServer(), ['--port', port, '--bind', '127.0.0.1', '--save', '', '--dir', dir, ...args], {
      stdio: 'ignore',
    })
    process.on('exit', () => server.kill('SIGKILL'))
    const client = new Redis({ port, maxRetriesPerRequest: null, retryStrategy: () => 20 })
    client.on('error', () => {})
    await client.ping()
    const stop = async () => {
      client.disconnect()
      server.kill('SIGKILL')
      await once(server, 'exit')
    }
    servers.push({ port, client, stop })
  }
  return servers
}

export async function startRedisCluster(folder) {
  const masters = await startRedis(folder, 3, '--cluster-enabled', 'yes')
  await Promise.all(masters.map(({ client }, index) => client.cluster('SET-CONFIG-EPOCH', index + 1)))
  for (const [index, { client }] of masters.entries()) {
    const first = Math.floor((16_384 * index) / 3)
    const behind = Math.floor((16_384 * (index + 1)) / 3)
    await client.cluster('ADDSLOTS', ...Array.from({ length: behind - first }, (_, slot) => first + slot))
    if (index > 0) await masters[0].client.cluster('MEET', '127.0.0.1', masters[index].port)
  }
  for (const { client } of masters) {
    while (!(await client.cluster('INFO')).includes('cluster_state:ok')) await sleep(50)
  }
  return masters
}

/** Below 55,000, since the bus of a Cluster takes the port 10,000 above. */
async function freePort() {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 35_000)
    const probe = createServer()
    probe.listen(port, '127.0.0.1')
    const free = await once(probe, 'listening').then(
      () => true,
      () => false,
    )
    if (!free) continue
    probe.close()
    await once(probe, 'close')
    return port
  }
}
