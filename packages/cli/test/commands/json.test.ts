import { join } from 'node:path'
import type { SessionInput } from '@turnstore/core'
import { openStore } from 'turnstore'
import { expect, it } from 'vitest'
import { lines, temporaryFolder, temporaryStore, turnstore } from '../turnstore.ts'

/* Before, `ls --json` was camelCase, and `export` and `show --json` were snake_case. */

const session: SessionInput = {
  sessionId: 's',
  workspaceId: 'acme',
  agentId: 'front',
  turns: [{ turnId: 't', prompt: 'Hello', toolCalls: [{ callId: 'c', toolName: 'f' }] }],
  agentTransitions: [{ toAgent: 'back' }],
  metadata: { lang: 'en' },
}

async function filled(): Promise<string> {
  const url = `sqlite:${join(temporaryFolder(), 'a.db')}`
  await using store = await openStore(url)
  await store.saveSession(session)
  return url
}

function keysIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return []
  const own = Array.isArray(value) ? [] : Object.keys(value)
  return [...own, ...Object.values(value).flatMap(keysIn)]
}

it.each([
  ['ls', ['ls', '--json'], 'last_turn'],
  ['ls --count', ['ls', '--count', '--json'], 'sessions'],
  ['show', ['show', 's', '--json'], 'session_id'],
  ['export', ['export'], 'session_id'],
  ['stats', ['stats', '--json'], 'workspace_id'],
  ['check', ['check', '--json'], 'problems'],
  ['backup', ['backup', 'NEW', '--json'], 'file'],
  ['set', ['set', 's', 'a=b', '--json'], 'session_id'],
  ['rename', ['rename', 's', 'title', '--json'], 'session_id'],
  ['rm', ['rm', 's', 'nope', '--json'], 'deleted'],
  ['rm --dry-run', ['rm', 's', '--json', '--dry-run'], 'would_delete'],
  ['prune', ['prune', '--ended', '--json'], 'deleted'],
  ['import', ['import', '-', '--json'], 'left_out'],
])('%s --json spells every key in snake_case', async (_name, args, key) => {
  const url = await filled()
  const target = join(temporaryFolder(), 'new.db')
  const { stdout } = await turnstore(
    args.map(arg => (arg === 'NEW' ? target : arg)),
    { url, input: lines({ id: 'x', messages: [] }, 'x') },
  )
  const keys = keysIn(JSON.parse(stdout))
  expect(keys).toContain(key)
  expect(keys.filter(each => /[A-Z]/.test(each))).toEqual([])
})

it('copy --json spells every key in snake_case, also of contradictions', async () => {
  const to = temporaryStore()
  await using store = await openStore(to)
  await store.saveSession({ ...session, metadata: { lang: 'fr' } })
  const { stdout } = await turnstore(['copy', '--to', to, '--json'], { url: await filled() })
  const keys = keysIn(JSON.parse(stdout))
  expect(keys).toContain('left_alone')
  expect(keys).toContain('session_id')
  expect(keys.filter(each => /[A-Z]/.test(each))).toEqual([])
})

it('all numbers of a summary have the same separators', async () => {
  const records = Array.from({ length: 1200 }, (_, index) => ({ id: `s${index}`, messages: [] }))
  const { stdout } = await turnstore(['import', '-'], { url: 'memory:', input: lines(...records) })
  expect(stdout).toBe('1,200 sessions: 1,200 added, 0 grown, 0 unchanged\n')
})

it('import counts a session that is in another workspace as left alone, not as left out', async () => {
  const url = await filled()
  const input = lines({ id: 's', messages: [] }, 'no record')
  const { code, stdout, stderr } = await turnstore(['import', '-', '--workspace', 'globex'], { url, input })
  expect([code, stdout]).toEqual([1, '2 sessions: 0 added, 0 grown, 0 unchanged, 1 left alone, 1 left out\n'])
  expect(stderr).toBe(
    'stdin:1: left alone: its id is in use in another workspace\nstdin:2: left out: not a JSON object\n',
  )
})
