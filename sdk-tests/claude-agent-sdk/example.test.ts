import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { codeBlocks } from '../../scripts/code-blocks.mjs'
import { program, withProgram } from './agent.ts'

const example = join(import.meta.dirname, '../../examples/claude-moves')

it.skipIf(program === null)(`the example runs as its README says, in ${withProgram}`, () => {
  // Beside the SDKs, so that it finds them.
  const folder = mkdtempSync(join(import.meta.dirname, '../.example-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  cpSync(example, folder, { recursive: true })
  const { ANTHROPIC_API_KEY: _key, ...env } = process.env
  const { status, stdout, stderr } = spawnSync(process.execPath, ['move.mjs'], { cwd: folder, encoding: 'utf8', env })
  const shown = codeBlocks(readFileSync(join(example, 'README.md'), 'utf8')).find(({ language }) => language === 'text')
  // How many the second machine stores anew is the SDK's choice.
  const lines = (text = ''): string[] =>
    text
      .replaceAll(/(session |claude-)[-\da-f…]+/g, '$1…')
      .trim()
      .split('\n')
      .filter(line => !line.includes('stored the result'))
  expect({ status, stderr, lines: lines(stdout) }).toEqual({ status: 0, stderr: '', lines: lines(shown?.code) })
})
