import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createInterface } from 'node:readline'
import { SessionManager } from '@turnstore/core'
import { SqliteSessionStore } from '@turnstore/sqlite'
import { expect, it, onTestFinished } from 'vitest'

const example = fileURLToPath(new URL('../../../examples/live-view', import.meta.url))

it('the live view shows what another process records', async () => {
  // Inside this package, which depends on all others.
  const folder = mkdtempSync(fileURLToPath(new URL('../.example-', import.meta.url)))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  cpSync(example, folder, { recursive: true })
  const DATABASE = join(folder, 'sessions.db')
  const manager = new SessionManager(new SqliteSessionStore(DATABASE))
  await manager.startSession({ sessionId: 's' })
  await manager.recordTurn('s', { turnId: 't', prompt: 'Count.', status: 'running' })

  const view = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', join(folder, 'live-view.mjs'), 's'], {
    env: { ...process.env, DATABASE },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => void view.kill('SIGKILL'))
  const lines: string[] = []
  createInterface({ input: view.stdout }).on('line', line => lines.push(line))
  await expect.poll(() => lines, { timeout: 30_000 }).toEqual(['> Count.'])
  await manager.recordToolCall('s', 't', { callId: 'c', toolName: 'count', status: 'running' })
  await manager.recordToolCall('s', 't', { callId: 'c', toolName: 'count', result: 3 })
  await manager.updateTurn('s', 't', { responseContent: 'Three.', status: 'success' })
  await manager.recordTurn('s', { prompt: 'Thanks.', responseContent: 'Welcome.' })
  const all = ['> Count.', '  count: 3', '< Three.', '> Thanks.', '< Welcome.']
  await expect.poll(() => lines, { timeout: 30_000 }).toEqual(all)
  await manager.deleteSession('s')
  await once(view, 'close')
  expect([view.exitCode, lines]).toEqual([0, all])
  await manager.store.close()
})
