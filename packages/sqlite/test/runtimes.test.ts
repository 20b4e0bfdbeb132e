import { execFileSync } from 'node:child_process'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { nodeOf, nodeOnPath } from '../../../scripts/testing/nodes.ts'
import { bun, deno } from '../../../scripts/runtimes.mjs'
import { Folder } from './folder.ts'

const folder = new Folder()
const smoke = fileURLToPath(new URL('smoke.mjs', import.meta.url))

const runtimes: [string, () => string[]][] = [
  ['Node', () => [process.execPath]],
  ['Bun', () => [bun()]],
  ['Deno', () => [deno(), 'run', '--quiet', '--allow-all']],
]

function expectToWork([program = '', ...args]: readonly string[]): void {
  const output = execFileSync(program, [...args, smoke, folder.base], {
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1' },
  })
  expect(output).toBe('all is well\n')
}

it.each(runtimes)('works in %s', (_name, command) => expectToWork(command()))

// The oldest that it says it runs on, and the newest.
describe.each(['22.14.0', '26.10.0'])('Node %s', version => {
  const node = nodeOf(version)
  it.skipIf(node === null)(
    `works${node === null ? ' (npm has no Node of this version for this platform, or cannot be reached)' : ''}`,
    () => {
      expectToWork([node ?? ''])
    },
  )
})

const old = nodeOnPath(({ napi }) => Number(napi) < 10)
it.skipIf(old === null)(
  `says what it needs in a Node that is too old${old === null ? ' (there is none on the PATH)' : ''}`,
  () => {
    const code = `import { SqliteSessionStore } from '@turnstore/sqlite'
    const error = await new SqliteSessionStore(process.argv[1]).saveSession({ sessionId: 's' }).catch(error => error)
    console.log(error.code, error.outcome, error.message)`
    const output = execFileSync(old ?? '', ['--input-type=module', '-e', code, folder.database], {
      encoding: 'utf8',
      cwd: dirname(dirname(smoke)),
    })
    expect(output).toMatch(
      /^STORE_UNAVAILABLE not-stored @turnstore\/sqlite needs Node 22\.14 or newer, and this is v\d+\.\d+\.\d+; install a newer one\n$/,
    )
  },
)
