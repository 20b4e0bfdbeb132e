import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Lock } from '../../src/locks/gate.ts'
import { LockFolder } from '../../src/locks/lock-folder.ts'

const source = new URL('../../dist/locks/lock-folder.js', import.meta.url).href
const stripsTypes = process.features.typescript ? [] : ['--experimental-strip-types']

let base: string
let dir: string
let children: ChildProcess[]
let folders: LockFolder[]

beforeEach(() => {
  base = realpathSync(mkdtempSync(join(tmpdir(), 'turnstore-lock-')))
  dir = join(base, '.turnstore')
  children = []
  folders = []
})

afterEach(async () => {
  for (const folder of folders) folder.close()
  for (const child of children) {
    if (child.exitCode !== null || child.signalCode !== null) continue
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  rmSync(base, { recursive: true, force: true })
})

function open(): LockFolder {
  const folder = new LockFolder(dir, { shards: 1 })
  folders.push(folder)
  return folder
}

/** Another process that runs `code` with a LockFolder `folder` on the same folder. */
function run(code: string): ChildProcess {
  const program = `import { LockFolder } from ${JSON.stringify(source)}
    import * as fs from 'node:fs'
    const dir = ${JSON.stringify(dir)}, base = ${JSON.stringify(base)}
    const folder = new LockFolder(dir, { shards: 1 })
    ${code}`
  const child = spawn(process.execPath, [...stripsTypes, '--no-warnings', '--input-type=module', '-e', program], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  children.push(child)
  return child
}

async function line(child: ChildProcess): Promise<string> {
  if (!child.stdout) throw new Error('The child has no stdout')
  const lines = createInterface(child.stdout)
  for await (const text of lines) return text
  throw new Error('The child printed nothing')
}

/** A timeout for what should succeed. It only ends a test that hangs. */
const patient = 20_000

const holdForever = `await folder.acquire('k', 20000); console.log('held'); setInterval(() => {}, 1000)`

describe('between processes', () => {
  it('four processes that count in one file lose no count and none starves', async () => {
    writeFileSync(join(base, 'counter'), '0')
    const count = 250
    const counting = Array.from({ length: 4 }, () =>
      run(`console.log('ready')
        await new Promise((resolve) => process.stdin.once('data', resolve))
        for (let i = 0; i < ${count}; i++) {
          const lock = await folder.acquire('k', 20000)
          const value = Number(fs.readFileSync(base + '/counter', 'utf8'))
          if (i % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 2))
          fs.writeFileSync(base + '/counter', String(value + 1))
          lock.release()
        }
        process.exit()`),
    )
    await Promise.all(counting.map(line))
    const ended = counting.map((child) => once(child, 'exit'))
    for (const child of counting) child.stdin?.write('go\n')
    expect(await Promise.all(ended)).toEqual(counting.map(() => [0, null]))
    expect(readFileSync(join(base, 'counter'), 'utf8')).toBe(String(4 * count))
  })

  it('two processes that keep taking the lock get it about equally often and in turn', async () => {
    const log = join(base, 'holders')
    const other = run(`console.log('running')
      for (;;) {
        const lock = await folder.acquire('k', 20000)
        await new Promise((resolve) => setTimeout(resolve, 20))
        fs.appendFileSync(base + '/holders', '-')
        lock.release()
      }`)
    await line(other)
    while (!existsSync(log)) await sleep(5)
    const folder = open()
    const before = statSync(log).size
    const times = 20
    for (let i = 0; i < times; i++) {
      const lock = await folder.acquire('k', patient)
      await sleep(20)
      appendFileSync(log, '+')
      lock.release()
    }
    const holders = readFileSync(log, 'utf8').slice(before)
    const theirs = holders.replaceAll('+', '').length
    expect(theirs).toBeLessThan(3 * times)
    expect(theirs).toBeGreaterThan(times / 3)
    expect(holders.match(/-\+/g)?.length).toBeGreaterThan(times / 3)
  })

  it('SIGKILL of the holder frees the lock', async () => {
    const holder = run(holdForever)
    expect(await line(holder)).toBe('held')
    const folder = open()
    await expect(folder.acquire('k', 100)).rejects.toMatchObject({ code: 'LOCK_TIMEOUT' })
    const waiting = folder.acquire('k', patient)
    holder.kill('SIGKILL')
    ;(await waiting).release()
  })

  it('a process that is stopped while it waits does not keep others from the lock', async () => {
    const folder = open()
    const first = await folder.acquire('k', patient)
    const waiting = run(`console.log('waiting'); await folder.acquire('k', 20000); console.log('got it')`)
    await line(waiting)
    await sleep(100)
    waiting.kill('SIGSTOP')
    first.release()
    let acquired = 0
    for (; acquired < 3; acquired++) {
      ;(await folder.acquire('k', patient)).release()
      await sleep(20)
    }
    expect(acquired).toBe(3)
  })

  it('waiting ends at the timeout and does not block the event loop', async () => {
    const holder = run(holdForever)
    await line(holder)
    let ticks = 0
    const ticking = setInterval(() => ticks++, 5)
    const began = performance.now()
    await expect(open().acquire('k', 500)).rejects.toMatchObject({ code: 'LOCK_TIMEOUT' })
    clearInterval(ticking)
    expect(performance.now() - began).toBeGreaterThanOrEqual(499)
    // While the loop is blocked there is none. A busy machine leaves few of a hundred.
    expect(ticks).toBeGreaterThan(2)
  })

  it('a thread of this process is excluded like another process', async () => {
    const lock = await open().acquire('k', patient)
    const worker = new Worker(
      `const { workerData, parentPort } = require('node:worker_threads')
      import(workerData.source).then(async ({ LockFolder }) => {
        const folder = new LockFolder(workerData.dir, { shards: 1 })
        const attempt = (ms) => folder.acquire('k', ms).then(() => 'got it', (error) => error.code)
        parentPort.postMessage(await attempt(100))
        parentPort.once('message', async () => { parentPort.postMessage(await attempt(20000)); process.exit() })
      })`,
      { eval: true, workerData: { source, dir }, execArgv: stripsTypes },
    )
    try {
      expect(await once(worker, 'message')).toEqual(['LOCK_TIMEOUT'])
      lock.release()
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, no window
      worker.postMessage('again')
      expect(await once(worker, 'message')).toEqual(['got it'])
    } finally {
      await worker.terminate()
    }
  })
})

describe('within a process', () => {
  it('waiters of all handles are served in order of arrival', async () => {
    const folders = [open(), open()]
    const order: number[] = []
    let holders = 0
    await Promise.all(
      Array.from({ length: 50 }, async (_, i) => {
        const lock = await folders[i % 2]?.acquire('k', patient)
        expect(++holders).toBe(1)
        order.push(i)
        await sleep(1)
        holders--
        lock?.release()
      }),
    )
    expect(order).toEqual(Array.from({ length: 50 }, (_, i) => i))
  })

  it('a waiter whose time is over is skipped', async () => {
    const folder = open()
    const lock = await folder.acquire('k', patient)
    const given = folder.acquire('k', 10)
    const waiting = folder.acquire('k', patient)
    await expect(given).rejects.toMatchObject({ code: 'LOCK_TIMEOUT' })
    await expect(folder.acquire('k', -1)).rejects.toMatchObject({ code: 'LOCK_TIMEOUT' })
    lock.release()
    ;(await waiting).release()
  })

  it('waiting behind callers of the same process takes none of the time', async () => {
    const folder = open()
    const holding = Array.from({ length: 40 }, async () => {
      const lock = await folder.acquire('k', 1500)
      await sleep(60)
      lock.release()
    })
    await expect(Promise.all(holding)).resolves.toHaveLength(40)
  })

  it('a timeout in the past gives no lock, not even a free one', async () => {
    await expect(open().acquire('k', -1)).rejects.toMatchObject({ code: 'LOCK_TIMEOUT' })
    await expect(open().acquire('k', Number.NaN)).rejects.toThrow(RangeError)
  })

  it('an infinite timeout is accepted and overflows no timer', async () => {
    const warnings: string[] = []
    const warned = (warning: Error): number => warnings.push(warning.name)
    process.on('warning', warned)
    const lock = await open().acquire('k', Infinity)
    const waiting = open().acquire('k', Infinity)
    await sleep(20)
    lock.release()
    ;(await waiting).release()
    process.off('warning', warned)
    expect(warnings).not.toContain('TimeoutOverflowWarning')
  })

  it('a second release does not free the lock of the next holder', async () => {
    const folder = open()
    const first = await folder.acquire('k', patient)
    first.release()
    const second = await folder.acquire('k', patient)
    first.release()
    first[Symbol.dispose]()
    await expect(folder.acquire('k', 30)).rejects.toMatchObject({ code: 'LOCK_TIMEOUT' })
    second.release()
  })

  it('closing rejects waiters and keeps a held lock until its release', async () => {
    const folder = open()
    const lock = await folder.acquire('k', patient)
    const waiting = folder.acquire('k', patient)
    folder.close()
    await expect(waiting).rejects.toMatchObject({ code: 'LOCK_FOLDER_CLOSED' })
    await expect(folder.acquire('k', 10)).rejects.toMatchObject({ code: 'LOCK_FOLDER_CLOSED' })
    const other = open()
    await expect(other.acquire('k', 30)).rejects.toMatchObject({ code: 'LOCK_TIMEOUT' })
    other.close()
    const child = run(`await folder.acquire('k', 50).catch((error) => console.log(error.code)); process.exit()`)
    expect(await line(child)).toBe('LOCK_TIMEOUT')
    lock.release()
    ;(await open().acquire('k', patient)).release()
  })

  it.skipIf(process.platform !== 'linux')('closing closes all descriptors (needs /proc)', async () => {
    const descriptors = (): number => readdirSync('/proc/self/fd').map((fd) => linkOf(fd)).filter((path) => path.startsWith(dir)).length
    const folder = open()
    ;(await folder.acquire('k', patient)).release()
    expect(descriptors()).toBe(2)
    folder.close()
    expect(descriptors()).toBe(0)
  })
})

describe('the files', () => {
  it('are created by the first use, for their owner alone, and stay empty', async () => {
    const folder = open()
    expect(existsSync(dir)).toBe(false)
    const lock = await folder.acquire('k', patient)
    expect(readdirSync(dir).toSorted()).toEqual(['0000.lock', '0000.queue'])
    lock.release()
    folder.close()
    expect(statSync(dir).mode & 0o777).toBe(0o700)
    for (const name of readdirSync(dir)) {
      expect(statSync(join(dir, name)).size).toBe(0)
      expect(statSync(join(dir, name)).mode & 0o777).toBe(0o600)
    }
  })

  const planted: [string, (path: string) => void][] = [
    ['a link to a file', (path) => plantLink(path, 'victim')],
    ['a link to nothing', (path) => symlinkSync(join(base, 'nothing'), path)],
    ['a folder', (path) => mkdirSync(path)],
    ['a file with content', (path) => writeFileSync(path, 'content')],
    ['a FIFO', (path) => execFileSync('mkfifo', [path])],
  ]
  it.each(planted)('are refused, and left alone, where there is %s', async (_, plant) => {
    for (const name of ['0000.lock', '0000.queue']) {
      mkdirSync(dir, { recursive: true })
      plant(join(dir, name))
      await expect(open().acquire('k', patient)).rejects.toMatchObject({ code: 'LOCK_FILE_REFUSED' })
      expect(existsSync(join(base, 'nothing'))).toBe(false)
      rmSync(dir, { recursive: true })
    }
    ;(await open().acquire('k', patient)).release()
  })

  it('are refused where their folder is a link', async () => {
    mkdirSync(join(base, 'elsewhere'))
    symlinkSync(join(base, 'elsewhere'), dir)
    await expect(open().acquire('k', patient)).rejects.toMatchObject({ code: 'LOCK_FILE_REFUSED' })
    expect(readdirSync(join(base, 'elsewhere'))).toEqual([])
  })

  it('fail with a code where their folder has no parent', async () => {
    const folder = new LockFolder(join(base, 'none', '.turnstore'))
    await expect(folder.acquire('k', patient)).rejects.toMatchObject({ code: 'LOCK_FAILED' })
  })

  const removals: [string, () => void][] = [
    ['the lock file', () => unlinkSync(join(dir, '0000.lock'))],
    ['the whole folder', () => rmSync(dir, { recursive: true })],
    ['the lock file, with a new one in its place', () => replaceLockFile()],
  ]
  it.each(removals)('are new after %s was removed, and the next lock is on them', async (_, remove) => {
    const folder = open()
    ;(await folder.acquire('k', patient)).release()
    remove()
    const lock: Lock = await folder.acquire('k', patient)
    const child = run(`await folder.acquire('k', 100).then(() => console.log('two holders'), (error) => console.log(error.code)); process.exit()`)
    expect(await line(child)).toBe('LOCK_TIMEOUT')
    lock.release()
  })
})

it('the error in a runtime without node:sqlite says what to use', async () => {
  const child = run(`process.getBuiltinModule = () => undefined
    await folder.acquire('k', 1000).catch((error) => console.log(error.code, error.message)); process.exit()`)
  expect(await line(child)).toMatch(/^LOCK_UNSUPPORTED .*Node 22\.14/)
})

function plantLink(path: string, target: string): void {
  writeFileSync(join(base, target), '')
  symlinkSync(join(base, target), path)
}

function replaceLockFile(): void {
  const path = join(dir, '0000.lock')
  unlinkSync(path)
  writeFileSync(join(base, 'keeps the inode from being used again'), '')
  writeFileSync(path, '')
  chmodSync(path, 0o600)
}

function linkOf(fd: string): string {
  try {
    return realpathSync(join('/proc/self/fd', fd))
  } catch {
    return ''
  }
}
