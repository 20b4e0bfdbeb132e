import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'

/*
 * Real servers for the tests, on loopback. Each ends with the process that started it, however that ends: it is the
 * child of a shell that waits for the end of its input.
 */

const SHELL = `
server=$(command -v redis-server || command -v valkey-server) || { echo missing; exit 127; }
"$server" "$@" </dev/null >"$LOG" 2>&1 &
echo $!
cat >/dev/null
kill -KILL $! 2>/dev/null
`

/** Below those that the system gives to clients. The bus of a Cluster uses the port plus 10,000. */
const HIGHEST_PORT = 22_000
const LOWEST_PORT = 10_000

export interface Server {
  readonly port: number
  readonly url: string
  /** A client for the test itself. */
  readonly admin: Redis
  /** SIGSTOP, SIGCONT, SIGKILL. */
  signal(signal: NodeJS.Signals): void
  stop(): Promise<void>
}

/** Starts a server with these settings. By default it does not persist. */
export async function startServer(settings: Readonly<Record<string, string>> = {}): Promise<Server> {
  for (let attempt = 0; ; attempt++) {
    const folder = mkdtempSync(join(tmpdir(), 'turnstore-redis-'))
    const port = await freePort()
    const all = {
      bind: '127.0.0.1',
      port: `${port}`,
      dir: folder,
      save: '',
      'enable-debug-command': 'yes',
      ...settings,
    }
    const args = Object.entries(all).flatMap(([name, value]) => [`--${name}`, value])
    const log = join(folder, 'log')
    const shell = spawn('sh', ['-c', SHELL, 'sh', ...args], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, LOG: log },
    })
    const pid = await pidOf(shell)
    const password = settings.requirepass
    const admin = new Redis({
      port,
      host: '127.0.0.1',
      ...(password && { password }),
      retryStrategy: () => 20,
      maxRetriesPerRequest: null,
    })
    admin.on('error', () => {})
    const stop = async (): Promise<void> => {
      admin.disconnect()
      shell.stdin?.end()
      if (shell.exitCode === null) await once(shell, 'exit')
      rmSync(folder, { recursive: true, force: true })
    }
    // Another test may have taken the port. Then this is not our server.
    if (await answers(admin, pid, 10_000)) {
      return { port, url: `redis://127.0.0.1:${port}`, admin, signal: signal => process.kill(pid, signal), stop }
    }
    if (attempt === 3) throw new Error(`No server answers at port ${port}: ${readFileSync(log, 'utf8').slice(-2000)}`)
    await stop()
  }
}

async function pidOf(shell: ChildProcess): Promise<number> {
  const chunk: unknown = await new Promise(resolve => shell.stdout?.once('data', resolve))
  const text = String(chunk).trim()
  if (text === 'missing') {
    throw new Error(
      'These tests need redis-server or valkey-server on the PATH: install one, or run `npm test` as root on Debian',
    )
  }
  return Number(text)
}

async function answers(admin: Redis, pid: number, milliseconds: number): Promise<boolean> {
  const info = await Promise.race([admin.info('server'), sleep(milliseconds, '')])
  return info.includes(`process_id:${pid}`)
}

export async function freePort(): Promise<number> {
  for (;;) {
    const port = LOWEST_PORT + Math.floor(Math.random() * (HIGHEST_PORT - LOWEST_PORT))
    if ((await isFree(port)) && (await isFree(port + 10_000))) return port
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const probe = createServer()
    probe.once('error', () => resolve(false))
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)))
  })
}

export interface TestCluster {
  /** Three masters, then a replica of each. */
  readonly servers: readonly Server[]
  readonly nodes: { readonly host: string; readonly port: number }[]
  stop(): Promise<void>
}

const SLOTS = 16_384
const MASTERS = 3

/** Three masters and three replicas. */
export async function startCluster(): Promise<TestCluster> {
  const servers = await Promise.all(
    Array.from({ length: 2 * MASTERS }, () =>
      startServer({
        'cluster-enabled': 'yes',
        'cluster-node-timeout': '2000',
        'cluster-config-file': 'nodes.conf',
        'repl-diskless-sync-delay': '0',
      }),
    ),
  )
  const masters = servers.slice(0, MASTERS)
  const replicas = servers.slice(MASTERS)
  await Promise.all(servers.map(({ admin }, index) => admin.cluster('SET-CONFIG-EPOCH', index + 1)))
  await Promise.all(
    masters.map(({ admin }, index) => {
      const first = Math.floor((SLOTS * index) / MASTERS)
      const end = Math.floor((SLOTS * (index + 1)) / MASTERS)
      return admin.cluster('ADDSLOTS', ...Array.from({ length: end - first }, (_, slot) => first + slot))
    }),
  )
  const [first] = servers
  if (first === undefined) throw new Error('no server')
  await until(async () => {
    // A handshake that takes longer than the node timeout is dropped, and not repeated.
    const known = await nodesOf(first.admin)
    for (const { port } of servers.slice(1)) {
      if (!known.some(line => line.includes(`:${port}@`))) await first.admin.cluster('MEET', '127.0.0.1', port)
    }
    const counts = await Promise.all(servers.map(async ({ admin }) => (await nodesOf(admin)).length))
    return counts.every(count => count === servers.length)
  })
  for (const [index, { admin }] of replicas.entries()) {
    const id = await masters[index]?.admin.cluster('MYID')
    await until(() =>
      admin.cluster('REPLICATE', String(id)).then(
        () => true,
        () => false,
      ),
    )
  }
  for (const { admin } of servers) {
    await until(async () => {
      const lines = await nodesOf(admin)
      return (
        (await infoOf(admin)).includes('cluster_state:ok') &&
        lines.filter(line => line.includes('slave')).length === MASTERS
      )
    })
  }
  for (const { admin } of replicas)
    await until(async () => (await admin.info('replication')).includes('master_link_status:up'))
  return {
    servers,
    nodes: servers.map(({ port }) => ({ host: '127.0.0.1', port })),
    stop: async () => {
      await Promise.all(servers.map(server => server.stop()))
    },
  }
}

/** The nodes that a server knows, without those in a handshake. */
async function nodesOf(admin: Redis): Promise<string[]> {
  const lines = String(await admin.cluster('NODES'))
    .trim()
    .split('\n')
  return lines.filter(line => !line.includes('handshake'))
}

async function infoOf(admin: Redis): Promise<string> {
  return admin.cluster('INFO')
}

/** Waits for a condition, at most half a minute. */
export async function until(holds: () => Promise<boolean> | boolean): Promise<void> {
  const deadline = performance.now() + 30_000
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error('a condition was not met within half a minute')
    await sleep(20)
  }
}
