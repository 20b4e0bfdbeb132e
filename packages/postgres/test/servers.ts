import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Pool } from 'pg'

/*
 * Real servers for the tests, on loopback. Each ends with the process that started it, however that ends: it is the
 * child of a shell that waits for the end of its input.
 */

const SHELL = `
"$@" </dev/null >"$LOG" 2>&1 &
echo $!
cat >/dev/null
kill "-$END" $! 2>/dev/null
wait $! 2>/dev/null
`

/** Below those that the system gives to clients. */
const HIGHEST_PORT = 32_000
const LOWEST_PORT = 10_000

/** Postgres refuses to run as root. */
const asUser = process.getuid?.() === 0 ? ['setpriv', '--reuid=nobody', '--regid=nogroup', '--clear-groups'] : []

export interface Server {
  readonly port: number
  readonly url: string
  readonly folder: string
  /** A pool for the test itself. */
  readonly admin: Pool
  /** Ends it without a checkpoint, as a crash of its machine would, and starts it again. */
  restart(): Promise<void>
  stop(): Promise<void>
}

/** Where the programs of Postgres are: on the PATH, or where Debian puts them. */
function programOf(name: string): string {
  const folders = existsSync('/usr/lib/postgresql') ? readdirSync('/usr/lib/postgresql') : []
  const found = folders
    .toSorted((a, b) => Number(b) - Number(a))
    .map(version => `/usr/lib/postgresql/${version}/bin/${name}`)
    .find(existsSync)
  if (found !== undefined) return found
  if (spawnSync(name, ['--version']).status === 0) return name
  throw new Error('These tests need Postgres and PgBouncer: install both, or run `npm test` as root on Debian')
}

/** Starts a server with these settings, in a new cluster. @param prepare gives more, once there is a folder */
export async function startServer(
  given: Readonly<Record<string, string>> = {},
  prepare: (folder: string) => Readonly<Record<string, string>> = () => ({}),
): Promise<Server> {
  const folder = newFolder('postgres')
  const settings = { ...given, ...prepare(folder) }
  const data = join(folder, 'data')
  const [initdb, ...before] = [...asUser, programOf('initdb')]
  const made = spawnSync(
    initdb,
    [...before, '-D', data, '--no-sync', '--locale=C', '--encoding=UTF8', '--auth=trust', '--username=postgres'],
    { encoding: 'utf8', cwd: folder },
  )
  if (made.status !== 0) throw new Error(`initdb failed: ${made.stderr}`)
  const port = await freePort()
  const all = {
    listen_addresses: '127.0.0.1',
    port: `${port}`,
    unix_socket_directories: folder,
    max_connections: '200',
    shared_buffers: '32MB',
    // The tests do not cut the power, so nothing need reach the disk.
    fsync: 'off',
    ...settings,
  }
  const args = Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`
  const start = (): Promise<Running> =>
    run(folder, [...asUser, programOf('postgres'), '-D', data, ...args], () => answers(url), 'SIGQUIT')
  let running = await start()
  const admin = new Pool({ connectionString: url, max: 4 })
  admin.on('error', () => {})
  return {
    port,
    url,
    folder,
    admin,
    restart: async () => {
      await running.stop()
      running = await start()
    },
    stop: async () => {
      await admin.end()
      await running.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** PgBouncer in transaction mode, in front of a server. */
export async function startPgBouncer(serverPort: number): Promise<{ readonly url: string; stop(): Promise<void> }> {
  const folder = newFolder('pgbouncer')
  const port = await freePort()
  const settings = `[databases]
postgres = host=127.0.0.1 port=${serverPort} dbname=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = trust
auth_file = users.txt
pool_mode = transaction
default_pool_size = 8
max_client_conn = 500
`
  const file = join(folder, 'pgbouncer.ini')
  writeFileSync(file, settings)
  writeFileSync(join(folder, 'users.txt'), '"postgres" ""\n')
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`
  const program = existsSync('/usr/sbin/pgbouncer') ? '/usr/sbin/pgbouncer' : programOf('pgbouncer')
  // The shell has it ignore SIGQUIT, and not every version sets that right.
  const running = await run(folder, [...asUser, program, file], () => answers(url), 'SIGKILL')
  return {
    url,
    stop: async () => {
      await running.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function newFolder(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `turnstore-${name}-`))
  chmodSync(folder, 0o777)
  return folder
}

interface Running {
  readonly pid: number
  stop(): Promise<void>
}

/** @param end ends the program at once, and the processes that it started */
async function run(
  folder: string,
  command: readonly string[],
  isUp: () => Promise<boolean>,
  end: NodeJS.Signals,
): Promise<Running> {
  const log = join(folder, 'log')
  const shell = spawn('sh', ['-c', SHELL, 'sh', ...command], {
    cwd: folder,
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, LOG: log, END: end.slice('SIG'.length) },
  })
  const pid = await pidOf(shell)
  const deadline = performance.now() + 30_000
  while (!(await isUp())) {
    if (shell.exitCode !== null || performance.now() > deadline) {
      throw new Error(`${command.join(' ')} does not answer: ${readFileSync(log, 'utf8').slice(-2000)}`)
    }
    await sleep(30)
  }
  return {
    pid,
    stop: async () => {
      try {
        process.kill(pid, end)
      } catch {
        // It has ended.
      }
      shell.stdin?.end()
      if (shell.exitCode === null) await once(shell, 'exit')
    },
  }
}

async function pidOf(shell: ChildProcess): Promise<number> {
  const chunk: unknown = await new Promise(resolve => shell.stdout?.once('data', resolve))
  return Number(String(chunk).trim())
}

async function answers(url: string): Promise<boolean> {
  const pool = new Pool({ connectionString: url, max: 1, connectionTimeoutMillis: 2000 })
  pool.on('error', () => {})
  try {
    await pool.query('SELECT 1')
    return true
  } catch {
    return false
  } finally {
    await pool.end()
  }
}

export async function freePort(): Promise<number> {
  for (;;) {
    const port = LOWEST_PORT + Math.floor(Math.random() * (HIGHEST_PORT - LOWEST_PORT))
    if (await isFree(port)) return port
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const probe = createServer()
    probe.once('error', () => resolve(false))
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)))
  })
}

/** Waits for a condition, at most half a minute. */
export async function until(holds: () => Promise<boolean> | boolean): Promise<void> {
  const deadline = performance.now() + 30_000
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error('a condition was not met within half a minute')
    await sleep(20)
  }
}
