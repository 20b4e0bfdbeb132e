import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { codeBlocks } from '../scripts/code-blocks.mjs'

/* Runs the examples of docs/integrations.md with the real packages. Each must print what the block after it says. */

const page = join(import.meta.dirname, '..', 'docs', 'integrations.md')
const blocks = codeBlocks(readFileSync(page, 'utf8'))
const examples = blocks.flatMap(({ language, code }, index) =>
  language === 'js' ? [[index, code, blocks[index + 1]?.code] as const] : [],
)

describe('The examples of docs/integrations.md', () => {
  it('exist', () => {
    expect(examples).toHaveLength(3)
  })

  it.each(examples)('block %i runs', (_index, code, output) => {
    const folder = mkdtempSync(join(import.meta.dirname, '.example-'))
    onTestFinished(() => {
      rmSync(folder, { recursive: true, force: true })
    })
    writeFileSync(join(folder, 'example.mjs'), code)
    const options = { cwd: folder, encoding: 'utf8' } as const
    const run = spawnSync(process.execPath, ['--no-warnings', 'example.mjs'], options)
    expect({ status: run.status, stderr: run.stderr, stdout: run.stdout }).toEqual({
      status: 0,
      stderr: '',
      stdout: output,
    })
  })
})
