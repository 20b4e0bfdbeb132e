import type * as FileSystem from 'node:fs/promises'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { probeFolding } from '../../src/folder/probe.ts'

/** How the simulated file system folds names, and which it refuses. Null for the real one. */
const simulated = vi.hoisted((): { fold: ((name: string) => string) | null; refuses: RegExp | null } => ({
  fold: null,
  refuses: null,
}))

vi.mock('node:fs/promises', async importOriginal => {
  const real = await importOriginal<typeof FileSystem>()
  const refuse = (path: string): void => {
    if (simulated.refuses?.test(path)) throw Object.assign(new Error('refused'), { code: 'EILSEQ' })
  }
  return {
    ...real,
    open: async (path: string, flags: number, mode: number) => {
      refuse(path)
      return real.open(path, flags, mode)
    },
    lstat: async (path: string) => {
      refuse(path)
      const { fold } = simulated
      if (!fold) return real.lstat(path)
      const names = await real.readdir(dirname(path))
      return real.lstat(join(dirname(path), names.find(name => fold(name) === fold(basename(path))) ?? 'none'))
    },
  }
})

let dir: string

beforeEach(async () => {
  simulated.fold = null
  simulated.refuses = null
  dir = await mkdtemp(join(tmpdir(), 'turnstore-probe-'))
})

afterEach(async () => {
  const left = await readdir(dir)
  await rm(dir, { recursive: true })
  if (left.length > 0) throw new Error(`Left behind: ${left.join(', ')}`)
})

describe('the probe leaves nothing behind and', () => {
  it.skipIf(process.platform !== 'linux')('finds that Linux folds nothing (needs Linux)', async () => {
    expect(await probeFolding(dir)).toBe(false)
  })

  it.each([
    ['the case', (name: string) => name.toLowerCase()],
    ['the case of ASCII alone', (name: string) => name.replaceAll(/[A-Z]/g, letter => letter.toLowerCase())],
    ['the case of all but ASCII', (name: string) => name.replaceAll('\u00c4', '\u00e4')],
    ['Unicode to NFD', (name: string) => name.normalize('NFD')],
    ['Unicode to NFC', (name: string) => name.normalize('NFC')],
  ])('detects a file system that folds %s', async (_, fold) => {
    simulated.fold = fold
    expect(await probeFolding(dir)).toBe(true)
  })

  it('detects a file system that allows only ASCII', async () => {
    // oxlint-disable-next-line no-control-regex -- ASCII begins there
    simulated.refuses = /[^\u0000-\u007f]/
    expect(await probeFolding(dir)).toBe(true)
  })

  it('rejects if the folder is missing', async () => {
    await expect(probeFolding(join(dir, 'none'))).rejects.toMatchObject({ code: 'ENOENT' })
  })
})
