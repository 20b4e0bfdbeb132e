import { mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { sweepTemporaries } from '../../src/disk/temporary-files.ts'

let base: string

beforeEach(() => {
  base = realpathSync(mkdtempSync(join(tmpdir(), 'turnstore-temporaries-')))
})

afterEach(() => rmSync(base, { recursive: true, force: true }))

it('sweeping removes old temporary files and nothing else', async () => {
  const leftover = `.turnstore-${'0a'.repeat(16)}.tmp`
  const kept = [
    `.turnstore-${'0b'.repeat(16)}.tmp`,
    '.turnstore-x.tmp',
    `x.turnstore-${'0a'.repeat(16)}.tmp`,
    'a.json',
    '.tmp',
  ]
  for (const name of [leftover, ...kept]) writeFileSync(join(base, name), '')
  for (const name of [leftover, ...kept.slice(1)]) utimesSync(join(base, name), 1, 1)
  mkdirSync(join(base, `.turnstore-${'0c'.repeat(16)}.tmp`))
  utimesSync(join(base, `.turnstore-${'0c'.repeat(16)}.tmp`), 1, 1)
  expect(await sweepTemporaries(base, 60_000)).toBe(1)
  expect(readdirSync(base).toSorted()).toEqual([`.turnstore-${'0c'.repeat(16)}.tmp`, ...kept].toSorted())
})
