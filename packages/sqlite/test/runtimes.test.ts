import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { bun, deno } from '../../../scripts/runtimes.mjs'

const smoke = fileURLToPath(new URL('smoke.mjs', import.meta.url))

const runtimes: [string, () => string[]][] = [
  ['Node', () => [process.execPath]],
  ['Bun', () => [bun()]],
  ['Deno', () => [deno(), 'run', '--quiet', '--allow-all']],
]

it.each(runtimes)('works in %s', (_name, command) => {
  const folder = mkdtempSync(join(tmpdir(), 'turnstore-sqlite-'))
  try {
    const [program = '', ...args] = command()
    const output = execFileSync(program, [...args, smoke, folder], { encoding: 'utf8', env: { ...process.env, NO_COLOR: '1' } })
    expect(output).toBe('all is well\n')
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
