import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, inject, it } from 'vitest'
import { bun, deno } from '../../../scripts/runtimes.mjs'

const smoke = fileURLToPath(new URL('smoke.mjs', import.meta.url))
const { server, nodes } = inject('addresses')

const runtimes: [string, () => string[]][] = [
  ['Node', () => [process.execPath]],
  ['Bun', () => [bun()]],
  ['Deno', () => [deno(), 'run', '--quiet', '--allow-all']],
]

describe.each(runtimes)('%s', (_name, command) => {
  it.each([
    ['one server', { url: server }],
    ['a Cluster', { nodes }],
  ])('works with %s', async (_where, address) => {
    const [program = '', ...args] = command()
    const options = JSON.stringify({ ...address, keyPrefix: `${randomUUID()}:` })
    const env = { ...process.env, NO_COLOR: '1' }
    const { stdout } = await promisify(execFile)(program, [...args, smoke, options], { encoding: 'utf8', env })
    expect(stdout).toBe('all is well\n')
  })
})
