import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import { codeBlocks } from '../../../scripts/code-blocks.mjs'

/* Runs the examples of the README that need no SDK. Each must print what the block after it says. */

const home = fileURLToPath(new URL('../', import.meta.url))
const blocks = codeBlocks(readFileSync(join(home, 'README.md'), 'utf8'))
const examples = blocks.flatMap(({ language, code }, index) =>
  language === 'js' && !code.includes('@anthropic-ai/') ? [[index, code, blocks[index + 1]?.code] as const] : [],
)

describe('The examples of the README', () => {
  it('exist', () => {
    expect(examples).toHaveLength(1)
  })

  it.each(examples)('example %i runs', (_index, code, output) => {
    const folder = mkdtempSync(join(home, '.example-'))
    onTestFinished(() => {
      rmSync(folder, { recursive: true, force: true })
    })
    writeFileSync(join(folder, 'example.mjs'), code)
    const options = { cwd: folder, encoding: 'utf8' } as const
    const run = spawnSync(process.execPath, ['--disable-warning=ExperimentalWarning', 'example.mjs'], options)
    expect({ status: run.status, stderr: run.stderr, stdout: run.stdout }).toEqual({
      status: 0,
      stderr: '',
      stdout: output,
    })
  })
})
