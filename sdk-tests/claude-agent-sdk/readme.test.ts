import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import { codeBlocks } from '../../scripts/code-blocks.mjs'
import { Child } from '../../scripts/testing/child.ts'
import { emptyMachine, program, withProgram } from './agent.ts'
import { says, startApi, textsIn } from './fake-api.ts'

const readme = readFileSync(
  fileURLToPath(new URL('../../packages/claude-agent-sdk/README.md', import.meta.url)),
  'utf8',
)
const [example] = codeBlocks(readme).filter(({ language }) => language === 'js')

describe.skipIf(program === null)(`The first example of the README, in ${withProgram}`, () => {
  it('runs, and the session goes on', async () => {
    const api = await startApi(messages => [says(`I know: ${textsIn(messages).join(' ')}`)])
    const folder = mkdtempSync(fileURLToPath(new URL('../.example-', import.meta.url)))
    onTestFinished(async () => {
      await api.stop()
      rmSync(folder, { recursive: true, force: true })
    })
    writeFileSync(join(folder, 'example.mjs'), example?.code ?? '')
    const child = new Child(
      spawn(process.execPath, ['--no-warnings', 'example.mjs'], {
        cwd: folder,
        stdio: ['pipe', 'pipe', 'pipe'],
        env: emptyMachine(api.url),
      }),
    )
    child.process.stdin?.end()
    const lines = await child.rest()
    expect({ lines, errors: child.errors, refused: api.refused }).toEqual({
      lines: ['I know: Is there tea?', 'I know: Is there tea? I know: Is there tea? Which?'],
      errors: '',
      refused: [],
    })
  })
})
