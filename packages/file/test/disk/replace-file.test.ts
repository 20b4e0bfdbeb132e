import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, lstatSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, realpathSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync, chmodSync, chownSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { ensureFolder, FileWriteError, isTemporaryName, waitForDescriptor, replaceFile, sweepTemporaries, syncFolder } from '../../src/disk/replace-file.ts'

const source = new URL('../../dist/disk/replace-file.js', import.meta.url).href
const node = [process.execPath, ...(process.features.typescript ? [] : ['--experimental-strip-types']), '--no-warnings', '--input-type=module', '-e']
const isRoot = process.getuid?.() === 0
const isLinux = process.platform === 'linux'
const hasStrace = isLinux && spawnSync('strace', ['-V']).status === 0

/** A busy disk takes seconds to sync a few megabytes. */
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
  it('creates it, for the owner alone or with the mode that is asked for', async () => {
    await replaceFile(path, 'tür')
    expect(readFileSync(path, 'utf8')).toBe('tür')
    expect(statSync(path).mode & 0o777).toBe(0o600)
    await replaceFile(join(base, 'other'), new Uint8Array([1, 2]), { mode: 0o644 })
    expect([...readFileSync(join(base, 'other'))]).toEqual([1, 2])
    expect(statSync(join(base, 'other')).mode & 0o777).toBe(0o644)
    expect(readdirSync(base).toSorted()).toEqual(['other', 'session.json'])
  })

  it('keeps the mode of the file that was there', async () => {
    writeFileSync(path, 'old')
    chmodSync(path, 0o640)
    await replaceFile(path, 'new', { mode: 0o600 })
    expect(readFileSync(path, 'utf8')).toBe('new')
    expect(statSync(path).mode & 0o777).toBe(0o640)
  })

  it.skipIf(!isRoot)('keeps the owner of the file that was there (needs root)', async () => {
    writeFileSync(path, 'old')
    chownSync(path, 1234, 5678)
    await replaceFile(path, 'new')
    expect([statSync(path).uid, statSync(path).gid]).toEqual([1234, 5678])
  })

  it('writes what is larger than one write call', async () => {
    const large = Buffer.alloc(5_000_001, 'x')
    await replaceFile(path, large)
    expect(readFileSync(path).equals(large)).toBe(true)
  })

  it('two at once leave one of the two, whole', async () => {
    const contents = ['a', 'b', 'c', 'd'].map((letter) => letter.repeat(200_000))
    await Promise.all(contents.map((content) => replaceFile(path, content)))
    expect(contents).toContain(readFileSync(path, 'utf8'))
    expect(readdirSync(base)).toEqual(['session.json'])
  })

  const inTheWay: [string, () => void][] = [
    ['a link to a file', () => symlinkSync(join(base, 'victim'), path)],
    ['a link to nothing', () => symlinkSync(join(base, 'nothing'), path)],
    ['a folder', () => mkdirSync(path)],
    ['a FIFO', () => execFileSync('mkfifo', [path])],
  ]
  it.each(inTheWay)('%s is neither followed nor replaced', async (_, plant) => {
    writeFileSync(join(base, 'victim'), 'untouched')
    plant()
    const before = lstatSync(path).ino
    await expect(replaceFile(path, 'new')).rejects.toMatchObject({ code: 'NOT_A_FILE', outcome: 'not-stored' })
    expect(lstatSync(path).ino).toBe(before)
    expect(readFileSync(join(base, 'victim'), 'utf8')).toBe('untouched')
    expect(existsSync(join(base, 'nothing'))).toBe(false)
    expect(readdirSync(base).filter(isTemporaryName)).toEqual([])
  })

  it('a folder that is not there is told with code and outcome', async () => {
    const failure = replaceFile(join(base, 'none', 'x.json'), 'secret')
    await expect(failure).rejects.toBeInstanceOf(FileWriteError)
    await expect(failure).rejects.toMatchObject({ code: 'ENOENT', outcome: 'not-stored' })
    await expect(failure).rejects.not.toThrow('secret')
  })

  it.skipIf(isRoot)('a read-only folder leaves everything as it was (root may write everywhere)', async () => {
    writeFileSync(path, 'old')
    chmodSync(base, 0o500)
    try {
      await expect(replaceFile(path, 'new')).rejects.toMatchObject({ code: 'EACCES', outcome: 'not-stored' })
      expect(readFileSync(path, 'utf8')).toBe('old')
    } finally {
      chmodSync(base, 0o700)
    }
  })

  it.skipIf(!isRoot || !isLinux)('a full disk leaves the old file and nothing else (mounts a tmpfs, needs root)', async () => {
    const disk = join(base, 'disk')
    mkdirSync(disk)
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', disk])
    try {
      await replaceFile(join(disk, 'a.json'), 'old'.repeat(5000))
      await expect(replaceFile(join(disk, 'a.json'), 'x'.repeat(100_000))).rejects.toMatchObject({ code: 'ENOSPC', outcome: 'not-stored' })
      expect(readFileSync(join(disk, 'a.json'), 'utf8')).toBe('old'.repeat(5000))
      expect(readdirSync(disk)).toEqual(['a.json'])
      await replaceFile(join(disk, 'a.json'), 'y'.repeat(10_000))
    } finally {
      execFileSync('umount', [disk])
    }
  })

  it('SIGKILL at any moment leaves a whole file', async () => {
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

describe.skipIf(!hasStrace)('what the system is asked for (needs strace)', () => {
  const replaceOnce = `await replaceFile(path, 'new').then(() => console.log('stored'), (error) => console.log(error.code, error.outcome))`

  function trace(...options: string[]): { calls: string[]; said: string } {
    const log = join(base, 'trace')
    const said = execFileSync('strace', ['-f', '-y', '-o', log, ...options, ...node, program(replaceOnce)], {
      encoding: 'utf8',
      env: { ...process.env, UV_THREADPOOL_SIZE: '1' },
    })
    const calls = readFileSync(log, 'utf8').split('\n').filter((call) => call.includes(base))
    rmSync(log)
    return { calls, said: said.trim() }
  }

  it('the file is synced before it gets its name, and the folder after that', () => {
    writeFileSync(path, 'old')
    const { calls, said } = trace('-e', 'trace=openat,write,pwrite64,fsync,rename')
    expect(said).toBe('stored')
    const steps = calls.flatMap((call) => /\b(openat|write|pwrite64|fsync|rename)\(/.exec(call)?.[1] ?? [])
    expect(steps.map((step) => (step === 'pwrite64' ? 'write' : step))).toEqual(['openat', 'openat', 'write', 'fsync', 'rename', 'fsync'])
    expect(calls[1]).toMatch(/O_WRONLY\|O_CREAT\|O_EXCL\|O_NOFOLLOW\|O_CLOEXEC, 0600/)
    expect(calls[3]).toContain('.tmp>')
    expect(calls[5]).toContain(`<${base}>`)
  })

  it.each([
    ['fsync:error=EIO:when=1', 'EIO not-stored', 'old'],
    ['fsync:error=EIO:when=2', 'EIO unknown', 'new'],
    ['fsync:error=EINVAL:when=2', 'stored', 'new'],
    ['rename:error=EIO', 'EIO unknown', 'old'],
    ['rename:error=EROFS', 'EROFS not-stored', 'old'],
    ['fchmod:error=EPERM', 'EPERM not-stored', 'old'],
  ])('%s is told as %s, and leaves the %s file and no other', (injection, told, content) => {
    writeFileSync(path, 'old')
    expect(trace('-e', `inject=${injection}`).said).toBe(told)
    expect(readFileSync(path, 'utf8')).toBe(content)
    expect(readdirSync(base)).toEqual(['session.json'])
  })
})

describe('running out of descriptors', () => {
  it('is waited for, for others close theirs', async () => {
    let attempts = 0
    const opened = await waitForDescriptor(async () => {
      if (++attempts < 4) throw Object.assign(new Error('too many'), { code: attempts % 2 ? 'EMFILE' : 'ENFILE' })
      return 'opened'
    })
    expect([opened, attempts]).toEqual(['opened', 4])
  })

  it('does not hide other errors', async () => {
    let attempts = 0
    const failure = waitForDescriptor(async () => {
      attempts++
      throw Object.assign(new Error('no'), { code: 'EACCES' })
    })
    await expect(failure).rejects.toMatchObject({ code: 'EACCES' })
    expect(attempts).toBe(1)
  })

  it.skipIf(!isLinux)('ends in an error when nobody closes any (needs prlimit)', async () => {
    const [command = '', ...args] = node
    const said = execFileSync('prlimit', ['--nofile=64:64', command, ...args, program(`
      import fs from 'node:fs'
      const open = []
      try { for (;;) open.push(fs.openSync('/dev/null')) } catch {}
      await replaceFile(path, 'new').catch((error) => console.log(error.code, error.outcome))
      setTimeout(() => open.forEach((fd) => fs.closeSync(fd)), 200)
      await replaceFile(path, 'new').then(() => console.log('stored'))`)], { encoding: 'utf8' })
    expect(said.trim().split('\n')).toEqual(['EMFILE not-stored', 'stored'])
  })
})

describe('folders', () => {
  it('are made once, with the mode that is asked for', async () => {
    const folder = join(base, 'workspace')
    expect(await ensureFolder(folder, base)).toBe(true)
    expect(await ensureFolder(folder, base)).toBe(false)
    expect(statSync(folder).mode & 0o777).toBe(0o700)
  })

  it('are made by one of many at once', async () => {
    const made = await Promise.all(Array.from({ length: 8 }, () => ensureFolder(join(base, 'w'), base)))
    expect(made.filter(Boolean)).toHaveLength(1)
  })

  it.each([
    ['a link to a folder', (at: string) => symlinkSync(base, at)],
    ['a link to nothing', (at: string) => symlinkSync(join(base, 'nothing'), at)],
    ['a file', (at: string) => closeSync(openSync(at, 'w'))],
  ])('%s in their place is refused', async (_, plant) => {
    plant(join(base, 'w'))
    await expect(ensureFolder(join(base, 'w'), base)).rejects.toMatchObject({ code: 'NOT_A_FOLDER', outcome: 'not-stored' })
  })

  it('one whose parent is missing is an error, as is syncing one that is not there', async () => {
    await expect(ensureFolder(join(base, 'a', 'b'), base)).rejects.toMatchObject({ code: 'ENOENT', outcome: 'not-stored' })
    await expect(syncFolder(join(base, 'none'))).rejects.toMatchObject({ code: 'ENOENT' })
  })
})

describe('leftovers', () => {
  it('old ones are swept, and nothing else', async () => {
    const leftover = `.turnstore-${'0a'.repeat(16)}.tmp`
    const kept = [`.turnstore-${'0b'.repeat(16)}.tmp`, '.turnstore-x.tmp', `x.turnstore-${'0a'.repeat(16)}.tmp`, 'a.json', '.tmp']
    for (const name of [leftover, ...kept]) writeFileSync(join(base, name), '')
    for (const name of [leftover, ...kept.slice(1)]) utimesSync(join(base, name), 1, 1)
    mkdirSync(join(base, `.turnstore-${'0c'.repeat(16)}.tmp`))
    utimesSync(join(base, `.turnstore-${'0c'.repeat(16)}.tmp`), 1, 1)
    expect(await sweepTemporaries(base, 60_000)).toBe(1)
    expect(readdirSync(base).toSorted()).toEqual([`.turnstore-${'0c'.repeat(16)}.tmp`, ...kept].toSorted())
  })
})
