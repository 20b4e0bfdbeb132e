import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdtempSync, readdirSync } from 'node:fs'
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

const { Pool } = createRequire(new URL('../packages/postgres/package.json', import.meta.url))('pg')

/** Where a program of Postgres is: in Debian's folder, or on the PATH; else null. */
export function postgresProgram(name) {
  const debian = '/usr/lib/postgresql'
  const versions = existsSync(debian) ? readdirSync(debian).toSorted((a, b) => Number(b) - Number(a)) : []
  const found = versions.map(version => join(debian, version, 'bin', name)).find(existsSync)
  return found ?? (spawnSync(name, ['--version']).status === 0 ? name : null)
}

/** A server that syncs, with a new database. It ends with this process. */
export async function startPostgres(folder, settings) {
  const data = mkdtempSync(join(folder, 'postgres-'))
  for (const path of [folder, data]) chmodSync(path, 0o777)
  // Postgres refuses to run as root.
  const asUser = process.getuid?.() === 0 ? ['setpriv', '--reuid=nobody', '--regid=nogroup', '--clear-groups'] : []
  const cluster = join(data, 'cluster')
  const [initdb, ...before] = [...asUser, postgresProgram('initdb')]
  spawnSync(initdb, [...before, '-D', cluster, '--locale=C', '--encoding=UTF8', '--auth=trust', '-U', 'postgres'])
  const port = await freePort()
  const all = {
    port,
    listen_addresses: '127.0.0.1',
    unix_socket_directories: data,
    shared_buffers: '256MB',
    ...settings,
  }
  const args = Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const [program, ...others] = [...asUser, postgresProgram('postgres'), '-D', cluster, ...args]
  const server = spawn(program, others, { stdio: 'ignore' })
  process.on('exit', () => server.kill('SIGQUIT'))
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`
  const pool = new Pool({ connectionString: url })
  pool.on('error', () => {})
  while (!(await pool.query('SELECT 1').catch(() => null))) await sleep(50)
  const stop = async () => {
    await pool.end()
    server.kill('SIGQUIT')
    await once(server, 'exit')
  }
  return { url, pool, stop }
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
