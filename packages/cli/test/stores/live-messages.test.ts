import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { SessionManager } from '@turnstore/core'
import { openStore } from 'turnstore'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { Child } from '../../../../scripts/testing/child.ts'
import { isThorough, momentsOf, thoroughness } from '../../../../scripts/testing/machine.ts'
import { type Server, startServer } from '../../../redis/test/servers.ts'
import { parseObject } from '../turnstore.ts'

/*
 * Conversations are recorded message by message. The process is killed at a random message, and the next one repeats
 * its last call.
 */

vi.setConfig({ testTimeout: 60_000 * thoroughness, hookTimeout: 60_000 })

const data = new URL('../../../../../shared/data/airline-support-chats.jsonl', import.meta.url)
const samples = existsSync(data) ? readFileSync(data, 'utf8').trim().split('\n') : []

/** With what real conversations lack: parallel calls, text beside calls, reasoning, images, odd ids and members. */
const hard = [
  { role: 'system', content: 'Be kind' },
  {
    role: 'user',
    content: [
      { type: 'text', text: 'Which \ud83d' },
      { type: 'image_url', image_url: { url: 'data:,' } },
    ],
  },
  {
    role: 'assistant',
    content: 'Let me look',
    reasoning_content: 'They want tea.',
    tool_calls: ['a', 'a', '', 'x'.repeat(300)].map(id => ({
      id,
      type: 'function',
      function: { name: 'my tool/é', arguments: '{"q":' },
    })),
  },
  { role: 'tool', tool_call_id: 'a', content: '2' },
  { role: 'tool', tool_call_id: '', content: '' },
  { role: 'tool', tool_call_id: 'a', content: '1', unknown: { __proto__: 1 } },
  { role: 'assistant', content: null, refusal: 'No' },
  { role: 'user', content: 'yes' },
  { role: 'user', content: 'yes' },
  { role: 'assistant', content: '' },
  { role: 'critic', content: 'unknown' },
]

const conversations: readonly unknown[][] = [
  hard,
  ...samples.slice(0, isThorough ? samples.length : 4).map(line => {
    const { messages } = parseObject(line)
    const list: unknown[] = Array.isArray(messages) ? messages : []
    return list
  }),
]

const folder = mkdtempSync(join(tmpdir(), 'turnstore-live-'))
let server: Server | undefined

beforeAll(async () => {
  server = await startServer()
})

afterAll(async () => {
  await server?.stop()
  rmSync(folder, { recursive: true, force: true })
})

const recorder = (url: string, sessionId: string): string => `
  import { SessionManager } from '@turnstore/core'
  import { openStore } from 'turnstore'
  const { from, list } = JSON.parse(fs.readFileSync(0, 'utf8'))
  const manager = new SessionManager(await openStore(${JSON.stringify(url)}))
  await manager.startSession({ sessionId: ${JSON.stringify(sessionId)}, ifExists: 'resume' })
  for (let at = from; at < list.length; at++) {
    const { count } = await manager.recordMessages(${JSON.stringify(sessionId)}, [list[at]], { at })
    if (count < at + 1) throw new Error('acknowledged, but not there')
    say(String(at))
  }
  say('end')`

/** Records until it has acknowledged `stopAt`, or to the end. Resolves to the position of the last acknowledgement. */
async function record(url: string, sessionId: string, list: readonly unknown[], from: number, stopAt: number) {
  const cwd = fileURLToPath(new URL('../..', import.meta.url))
  const child = Child.run(recorder(url, sessionId), { cwd })
  child.process.stdin?.end(JSON.stringify({ from, list }))
  let last = from
  for (let line = await child.line(); line !== null && line !== 'end'; line = await child.line()) {
    last = Number(line)
    if (last >= stopAt) break
  }
  await child.kill()
  expect(child.errors).toBe('')
  return last
}

describe('live messages survive kill -9', () => {
  it.each(['sqlite', 'file', 'redis'])('in %s', async kind => {
    mkdirSync(join(folder, kind))
    const url = kind === 'redis' ? (server?.url ?? '') : `${kind}:${join(folder, kind, 'sessions')}`
    const seed = Date.now() % 100_000
    const moments = momentsOf(seed)
    for (const [index, list] of conversations.entries()) {
      const sessionId = `chat-${index}`
      const stopAt = Math.floor(moments.next().value * (list.length - 1))
      const last = await record(url, sessionId, list, 0, stopAt)
      // What it did last is done again.
      await record(url, sessionId, list, last, Infinity)
      const store = await openStore(url)
      const exact = await new SessionManager(store).getMessages(sessionId, { exact: true })
      await store.close()
      expect({ seed, index, exact }).toEqual({ seed, index, exact: list })
    }
  })
})
