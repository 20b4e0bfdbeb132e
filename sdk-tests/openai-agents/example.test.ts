import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { codeBlocks } from '../../scripts/code-blocks.mjs'

const example = join(import.meta.dirname, '../../examples/openai-agent')

it('the example runs as its README says', () => {
  // Beside the SDKs, so that it finds them.
  const folder = mkdtempSync(join(import.meta.dirname, '../.example-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  cpSync(example, folder, { recursive: true })
  const { OPENAI_API_KEY: _key, ...env } = process.env
  const { status, stdout, stderr } = spawnSync(process.execPath, ['crash.mjs'], { cwd: folder, encoding: 'utf8', env })
  const shown = codeBlocks(readFileSync(join(example, 'README.md'), 'utf8')).find(({ language }) => language === 'text')
  // What ends at the same moment is printed in any order.
  const lines = (text = ''): string[] => text.trim().split('\n').toSorted()
  expect({ status, stderr, lines: lines(stdout) }).toEqual({ status: 0, stderr: '', lines: lines(shown?.code) })
})
