import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { bun, deno } from '../../../scripts/runtimes.mjs'
import { Folder } from './folder.ts'

const folder = new Folder()
const smoke = fileURLToPath(new URL('smoke.mjs', import.meta.url))

const runtimes: [string, () => string[]][] = [
  ['Node', () => [process.execPath]],
  ['Bun', () => [bun()]],
  ['Deno', () => [deno(), 'run', '--quiet', '--allow-all']],
]

it.each(runtimes)('works in %s', (_name, command) => {
  const [program = '', ...args] = command()
  const output = execFileSync(program, [...args, smoke, folder.path('base')], {
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1' },
  })
  expect(output).toBe('all is well\n')
})
