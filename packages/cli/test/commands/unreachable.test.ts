import { createServer, type Server as TcpServer } from 'node:net'
import { once } from 'node:events'
import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { isRoot, mayMount } from '../../../../scripts/testing/machine.ts'
import { type Server, startServer } from '../../../redis/test/servers.ts'
import { bin, finished, lines, start, temporaryFolder, turnstore } from '../turnstore.ts'

const one = lines({ id: 'a', messages: [{ role: 'user', content: 'hello' }] })

/** Root may write everywhere, unless it gives that up. */
const withoutPrivileges = isRoot ? ['setpriv', '--bounding-set=-dac_override', '--inh-caps=-dac_override'] : []
const maySetPrivileges = spawnSync('setpriv', [...withoutPrivileges.slice(1), 'true']).status === 0

/** So long that no machine is slow enough to take a wait for an end at once: on a quiet one, it takes a third of a second. */
const TIMEOUT_MS = 120_000

/** One sentence on one line, without a stack. */
const sentence = /^[^\n]+\n$/

describe('a server that accepts connections and never answers', () => {
  let hanging: TcpServer
  let url = ''

  beforeAll(async () => {
    hanging = createServer().listen(0, '127.0.0.1')
    await once(hanging, 'listening')
    const address = hanging.address()
    if (address === null || typeof address === 'string') throw new Error('no port')
    url = `redis://user:canary@127.0.0.1:${address.port}`
  })

  afterAll(() => void hanging.close())

  it.each([
    ['ls', ['ls']],
    ['import', ['import', '-', '--to']],
    ['copy', ['copy', '--to', 'memory:', '--from']],
    ['rm', ['rm', 'a']],
  ])('%s says soon what it waits for, and Ctrl-C ends it at once', async (_name, args) => {
    const given = args.at(-1)?.startsWith('--') === true ? [...args, url] : args
    const child = start([...given, '--timeout', `${TIMEOUT_MS / 1000}`], { TURNSTORE_URL: url })
    let stderr = ''
    const begun = performance.now()
    const waits = new Promise<number>(resolve => {
      child.stderr?.on('data', (chunk: Buffer) => {
        stderr += chunk.toString()
        if (stderr.includes('\n')) resolve(performance.now() - begun)
      })
    })
    const done = finished(child, one)
    expect(await waits).toBeLessThan(TIMEOUT_MS / 4)
    expect(stderr).toMatch(
      /^Waiting for redis:\/\/127\.0\.0\.1:\d+ until \d\d:\d\d:\d\d \(--timeout 120\); press Ctrl-C to stop\n$/,
    )
    const pressed = performance.now()
    child.kill('SIGINT')
    const { code } = await done
    expect([code, performance.now() - pressed < TIMEOUT_MS / 4]).toEqual([130, true])
    expect(stderr).not.toContain('canary')
  })

  it('--timeout limits the wait, and ls does not say that nothing was written', async () => {
    const begun = performance.now()
    const { code, stdout, stderr } = await finished(start(['ls', '--timeout', '0.3'], { TURNSTORE_URL: url }))
    expect([code, stdout]).toEqual([1, ''])
    // Without it, 10 seconds.
    expect(performance.now() - begun).toBeLessThan(10_000)
    expect(stderr).toMatch(/^redis:\/\/\S+: Redis cannot be reached; check its address, the network and the server\n$/)
  })
})

describe('a store that cannot be used is reported in one sentence that says what to do', () => {
  let server: Server

  beforeAll(async () => {
    server = await startServer({ requirepass: 'canary' })
  })

  afterAll(() => server.stop())

  const at = (start: string): string => start.replace('HERE', `127.0.0.1:${server.port}`)

  it.each([
    ['no server', 'redis://127.0.0.1:1', 1, /cannot be reached \(ECONNREFUSED\).*; check its address/],
    ['a wrong host', 'redis://nosuch.invalid', 1, /cannot be reached \((ENOTFOUND|EAI_AGAIN)\).*; check its address/],
    ['no password', 'redis://HERE', 1, /requires a password .*in the URL before the host, as USER:PASSWORD@/],
    ['a wrong password', 'redis://:canary-2@HERE', 1, /refuses the username or password/],
    ['a wrong database', 'redis://:canary@HERE/99', 1, /no database 99 on this server, which has databases 0 to 15/],
    ['TLS to a port without', 'rediss://:canary@HERE', 1, /cannot be reached.*if this port has no TLS, use redis:\/\//],
    [
      'a Cluster that is none',
      'redis-cluster://:canary@HERE',
      1,
      /if this is one server and no Cluster, use redis:\/\//,
    ],
  ])('%s', async (_name, url, exitCode, message) => {
    for (const args of [['ls'], ['import', '-']]) {
      const { code, stdout, stderr } = await turnstore([...args, '--timeout', '0.9'], { url: at(url), input: one })
      expect([code, stdout]).toEqual([exitCode, ''])
      expect(stderr).toMatch(sentence)
      expect(stderr).toMatch(message)
      expect(stderr).not.toContain('canary')
    }
  })

  it('a file instead of a folder, a folder instead of a database', async () => {
    const folder = temporaryFolder()
    const file = join(folder, 'a.txt')
    writeFileSync(file, 'text')
    for (const [url, exitCode] of [
      [`file:${file}`, 2],
      [`sqlite:${folder}`, 1],
      [`sqlite:${file}`, 1],
    ] as const) {
      const { code, stderr } = await turnstore(['import', '-'], { url, input: one })
      expect([url, code]).toEqual([url, exitCode])
      expect(stderr).toMatch(sentence)
    }
  })

  it.skipIf(!mayMount)('a disk that is read-only', async () => {
    const disk = temporaryFolder()
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'ro', 'none', disk])
    onTestFinished(() => void execFileSync('umount', ['-l', disk]))
    for (const url of [`file:${join(disk, 'store')}`, `sqlite:${join(disk, 'a.db')}`]) {
      const { code, stderr } = await turnstore(['import', '-'], { url, input: one })
      expect([code, stderr]).toEqual([1, expect.stringMatching(sentence)])
      expect(stderr).toMatch(
        /the file system is read-only: EROFS.*make the disk writable|check the path and the permissions/,
      )
    }
  })

  it.skipIf(isRoot && !maySetPrivileges)('wrong rights', () => {
    const folder = join(temporaryFolder(), 'closed')
    mkdirSync(folder)
    chmodSync(folder, 0o500)
    for (const url of [`file:${join(folder, 'new')}`, `sqlite:${join(folder, 'a.db')}`]) {
      const args = [...withoutPrivileges, process.execPath, bin, 'import', '-', '--to', url]
      const { status, stdout, stderr } = spawnSync('env', args, { input: one, encoding: 'utf8' })
      expect([status, stdout, stderr]).toEqual([1, '', expect.stringMatching(sentence)])
      expect(stderr).toMatch(/permission denied: EACCES.*check who may write there|check the path and the permissions/)
    }
  })
})
