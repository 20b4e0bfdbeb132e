import { closeSync, mkdtempSync, openSync, realpathSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ensureFolder, syncFolder } from '../../src/disk/folders.ts'

let base: string

beforeEach(() => {
  base = realpathSync(mkdtempSync(join(tmpdir(), 'turnstore-folders-')))
})

afterEach(() => rmSync(base, { recursive: true, force: true }))

describe('a folder', () => {
  it('is created once, for its owner alone', async () => {
    const folder = join(base, 'workspace')
    expect(await ensureFolder(folder, base)).toBe(true)
    expect(await ensureFolder(folder, base)).toBe(false)
    expect(statSync(folder).mode & 0o777).toBe(0o700)
  })

  it('is created by one of many callers', async () => {
    const made = await Promise.all(Array.from({ length: 8 }, () => ensureFolder(join(base, 'w'), base)))
    expect(made.filter(Boolean)).toHaveLength(1)
  })

  it.each([
    ['a link to a folder', (at: string) => symlinkSync(base, at)],
    ['a link to nothing', (at: string) => symlinkSync(join(base, 'nothing'), at)],
    ['a file', (at: string) => closeSync(openSync(at, 'w'))],
  ])('is refused where there is %s', async (_, plant) => {
    plant(join(base, 'w'))
    await expect(ensureFolder(join(base, 'w'), base)).rejects.toMatchObject({
      code: 'NOT_A_FOLDER',
      outcome: 'not-stored',
    })
  })

  it('without a parent is not created, and a missing one not synced', async () => {
    await expect(ensureFolder(join(base, 'a', 'b'), base)).rejects.toMatchObject({
      code: 'ENOENT',
      outcome: 'not-stored',
    })
    await expect(syncFolder(join(base, 'none'))).rejects.toMatchObject({ code: 'ENOENT' })
  })
})
