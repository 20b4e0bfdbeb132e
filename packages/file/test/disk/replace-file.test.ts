import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { FileWriteError } from '../../src/disk/file-write-error.ts'
import { replaceFile } from '../../src/disk/replace-file.ts'
import { isTemporaryName, sweepTemporaries } from '../../src/disk/temporary-files.ts'

const source = new URL('../../dist/disk/replace-file.js', import.meta.url).href
const node = [
  process.execPath,
  ...(process.features.typescript ? [] : ['--experimental-strip-types']),
  '--no-warnings',
  '--input-type=module',
  '-e',
]
const isRoot = process.getuid?.() === 0
const isLinux = process.platform === 'linux'
const hasStrace = isLinux && spawnSync('strace', ['-V']).status === 0

// A busy disk takes seconds to sync a few megabytes.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

let base: string
let path: string

beforeEach(() => {
  base = realpathSync(mkdtempSync(join(tmpdir(), 'turnstore-replace-')))
  path = join(base, 'session.json')
})

afterEach(() => rmSync(base, { recursive: true, force: true }))

const program = (code: string): string => `import { replaceFile } from ${JSON.stringify(source)}
  const path = ${JSON.stringify(path)}
  ${code}`

describe('replacing a file', () => {
  it('creates it, for its owner alone or with the given mode', async () => {
    await replaceFile(path, 'tür')
    expect(readFileSync(path, 'utf8')).toBe('tür')
    expect(statSync(path).mode & 0o777).toBe(0o600)
    await replaceFile(join(base, 'other'), new Uint8Array([1, 2]), { mode: 0o644 })
    expect([...readFileSync(join(base, 'other'))]).toEqual([1, 2])
    expect(statSync(join(base, 'other')).mode & 0o777).toBe(0o644)
    expect(readdirSync(base).toSorted()).toEqual(['other', 'session.json'])
  })

  it('keeps the mode of the old file', async () => {
    writeFileSync(path, 'old')
    chmodSync(path, 0o640)
    await replaceFile(path, 'new', { mode: 0o600 })
    expect(readFileSync(path, 'utf8')).toBe('new')
    expect(statSync(path).mode & 0o777).toBe(0o640)
  })

  it.skipIf(!isRoot)('keeps the owner of the old file (needs root)', async () => {
    writeFileSync(path, 'old')
    chownSync(path, 1234, 5678)
    await replaceFile(path, 'new')
    expect([statSync(path).uid, statSync(path).gid]).toEqual([1234, 5678])
  })

  it('writes content that is larger than one write call', async () => {
    const large = Buffer.alloc(5_000_001, 'x')
    await replaceFile(path, large)
    expect(readFileSync(path).equals(large)).toBe(true)
  })

  it('leaves one whole content when several replace it at once', async () => {
    const contents = ['a', 'b', 'c', 'd'].map(letter => letter.repeat(200_000))
    await Promise.all(contents.map(content => replaceFile(path, content)))
    expect(contents).toContain(readFileSync(path, 'utf8'))
    expect(readdirSync(base)).toEqual(['session.json'])
  })

  const inTheWay: [string, () => void][] = [
    ['a link to a file', () => symlinkSync(join(base, 'victim'), path)],
    ['a link to nothing', () => symlinkSync(join(base, 'nothing'), path)],
    ['a folder', () => mkdirSync(path)],
    ['a FIFO', () => execFileSync('mkfifo', [path])],
  ]
  it.each(inTheWay)('neither follows nor replaces %s', async (_, plant) => {
    writeFileSync(join(base, 'victim'), 'untouched')
    plant()
    const before = lstatSync(path).ino
    await expect(replaceFile(path, 'new')).rejects.toMatchObject({ code: 'NOT_A_FILE', outcome: 'not-stored' })
    expect(lstatSync(path).ino).toBe(before)
    expect(readFileSync(join(base, 'victim'), 'utf8')).toBe('untouched')
    expect(existsSync(join(base, 'nothing'))).toBe(false)
    expect(readdirSync(base).filter(isTemporaryName)).toEqual([])
  })

  it('reports a missing folder with code and outcome', async () => {
    const failure = replaceFile(join(base, 'none', 'x.json'), 'secret')
    await expect(failure).rejects.toBeInstanceOf(FileWriteError)
    await expect(failure).rejects.toMatchObject({ code: 'ENOENT', outcome: 'not-stored' })
    await expect(failure).rejects.not.toThrow('secret')
  })

  it.skipIf(isRoot)('changes nothing in a read-only folder (root may write everywhere)', async () => {
    writeFileSync(path, 'old')
    chmodSync(base, 0o500)
    try {
      await expect(replaceFile(path, 'new')).rejects.toMatchObject({ code: 'EACCES', outcome: 'not-stored' })
      expect(readFileSync(path, 'utf8')).toBe('old')
    } finally {
      chmodSync(base, 0o700)
    }
  })

  it.skipIf(!isRoot || !isLinux)('leaves only the old file on a full disk (mounts a tmpfs, needs root)', async () => {
    const disk = join(base, 'disk')
    mkdirSync(disk)
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', disk])
    try {
      await replaceFile(join(disk, 'a.json'), 'old'.repeat(5000))
      await expect(replaceFile(join(disk, 'a.json'), 'x'.repeat(100_000))).rejects.toMatchObject({
        code: 'ENOSPC',
        outcome: 'not-stored',
      })
      expect(readFileSync(join(disk, 'a.json'), 'utf8')).toBe('old'.repeat(5000))
      expect(readdirSync(disk)).toEqual(['a.json'])
      await replaceFile(join(disk, 'a.json'), 'y'.repeat(10_000))
    } finally {
      execFileSync('umount', [disk])
    }
  })

  it('leaves a whole file after SIGKILL at any moment', async () => {
    const size = 3_000_000
    writeFileSync(path, 'a'.repeat(size))
    let leftovers = 0
    for (let kill = 0; kill < 12; kill++) {
      const [command = '', ...args] = node
      const child = spawn(command, [
        ...args,
        program(`console.log('writing'); for (let i = 0; ; i++) await replaceFile(path, 'bc'[i % 2].repeat(${size}))`),
      ])
      await once(child.stdout, 'data')
      await sleep(Math.random() * 30)
      child.kill('SIGKILL')
      await once(child, 'exit')
      const content = readFileSync(path, 'utf8')
      expect(content.length).toBe(size)
      expect(content).toBe(content[0]?.repeat(size))
      leftovers = readdirSync(base).filter(isTemporaryName).length
    }
    expect(await sweepTemporaries(base, 60_000)).toBe(0)
    await sleep(20)
    expect(await sweepTemporaries(base, 1)).toBe(leftovers)
    expect(readdirSync(base)).toEqual(['session.json'])
  })
})

describe.skipIf(!hasStrace)('the system calls (needs strace)', () => {
  const replaceOnce = `await replaceFile(path, 'new').then(() => console.log('stored'), (error) => console.log(error.code, error.outcome))`

  function trace(...options: string[]): { calls: string[]; printed: string } {
    const log = join(base, 'trace')
    const printed = execFileSync('strace', ['-f', '-y', '-o', log, ...options, ...node, program(replaceOnce)], {
      encoding: 'utf8',
      env: { ...process.env, UV_THREADPOOL_SIZE: '1' },
    })
    const calls = readFileSync(log, 'utf8')
      .split('\n')
      .filter(call => call.includes(base))
    rmSync(log)
    return { calls, printed: printed.trim() }
  }

  it('sync the file before the rename and the folder after it', () => {
    writeFileSync(path, 'old')
    const { calls, printed } = trace('-e', 'trace=openat,write,pwrite64,fsync,rename')
    expect(printed).toBe('stored')
    const steps = calls.flatMap(call => /\b(openat|write|pwrite64|fsync|rename)\(/.exec(call)?.[1] ?? [])
    expect(steps.map(step => (step === 'pwrite64' ? 'write' : step))).toEqual([
      'openat',
      'write',
      'fsync',
      'openat',
      'rename',
      'fsync',
    ])
    expect(calls[0]).toMatch(/O_WRONLY\|O_CREAT\|O_EXCL\|O_NOFOLLOW\|O_CLOEXEC, 0600/)
    expect(calls[2]).toContain('.tmp>')
    expect(calls[5]).toContain(`<${base}>`)
  })

  it.each([
    ['fsync:error=EIO:when=1', 'EIO not-stored', 'old'],
    ['fsync:error=EIO:when=2', 'EIO unknown', 'new'],
    ['fsync:error=EINVAL:when=2', 'stored', 'new'],
    ['rename:error=EIO', 'EIO unknown', 'old'],
    ['rename:error=EROFS', 'EROFS not-stored', 'old'],
    ['fchmod:error=EPERM', 'EPERM not-stored', 'old'],
  ])('%s is reported as %s and leaves only the %s file', (injection, reported, content) => {
    writeFileSync(path, 'old')
    expect(trace('-e', `inject=${injection}`).printed).toBe(reported)
    expect(readFileSync(path, 'utf8')).toBe(content)
    expect(readdirSync(base)).toEqual(['session.json'])
  })
})

it.skipIf(!isLinux)(
  'fails when the process is out of descriptors, and works again with some (needs prlimit)',
  async () => {
    const [command = '', ...args] = node
    const said = execFileSync(
      'prlimit',
      [
        '--nofile=64:64',
        command,
        ...args,
        program(`
    import fs from 'node:fs'
    const open = []
    try { for (;;) open.push(fs.openSync('/dev/null')) } catch {}
    await replaceFile(path, 'new').catch((error) => console.log(error.code, error.outcome))
    setTimeout(() => open.forEach((fd) => fs.closeSync(fd)), 200)
    await replaceFile(path, 'new').then(() => console.log('stored'))`),
      ],
      { encoding: 'utf8' },
    )
    expect(said.trim().split('\n')).toEqual(['EMFILE not-stored', 'stored'])
  },
)
