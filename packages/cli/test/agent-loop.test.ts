import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { SessionManager } from '@turnstore/core'
import { SqliteSessionStore } from '@turnstore/sqlite'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { finished } from './turnstore.ts'

const example = fileURLToPath(new URL('../../../examples/agent-loop', import.meta.url))
let folder = ''

beforeEach(() => {
  // Inside this package, which depends on all others.
  folder = mkdtempSync(fileURLToPath(new URL('../.agent-loop-', import.meta.url)))
  cpSync(example, folder, { recursive: true })
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

function agent(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const { OPENAI_API_KEY: _key, ...others } = process.env
  return spawn(process.execPath, [join(folder, 'run.mjs'), ...args], {
    env: { ...others, DATABASE: join(folder, 'agent.db'), ...env },
  })
}

it('the agent loop answers, and after kill -9 between parallel calls another process goes on with the open one', async () => {
  const child = agent(['answer', 's', 'How many boxes?'], { LADDER_MS: '600000' })
  const counted: string[] = []
  createInterface({ input: child.stdout }).on('line', line => counted.push(line))
  await expect.poll(() => counted.toSorted(), { timeout: 30_000 }).toEqual(['counted black', 'counted green'])
  const manager = new SessionManager(new SqliteSessionStore(join(folder, 'agent.db')))
  const statuses = async (): Promise<string[]> =>
    ((await manager.getTurns('s'))[0]?.toolCalls ?? []).map(({ status }) => status)
  await expect.poll(statuses, { timeout: 30_000 }).toEqual(['success', 'success', 'running'])
  child.kill('SIGKILL')
  await once(child, 'close')

  const recovered = await finished(agent(['recover'], { IDLE_MS: '0' }))
  expect(recovered).toMatchObject({ code: 0, stdout: 'counted white\nWe have 22 boxes.\n', stderr: '' })
  const [turn] = await manager.getTurns('s')
  expect([turn?.status, turn?.responseContent]).toEqual(['success', 'We have 22 boxes.'])
  expect((await manager.getMessages('s')).map(({ role }) => role)).toEqual([
    'user',
    'assistant',
    'tool',
    'tool',
    'tool',
    'assistant',
  ])
  await manager.close()
  expect(await finished(agent(['recover'], { IDLE_MS: '0' }))).toMatchObject({ code: 0, stdout: '', stderr: '' })
  expect((await finished(agent(['answer', 's', 'And now?']))).stdout).toMatch(/We have 22 boxes\.\n$/)
})

it('its page shows the example as it is', () => {
  const page = readFileSync(new URL('../../../docs/agent-loop.md', import.meta.url), 'utf8')
  expect(page).toContain(readFileSync(join(example, 'agent.mjs'), 'utf8').trimEnd())
})
