import { SessionManager } from '@turnstore/core'
import { formatByName, formats } from '@turnstore/formats'
import { describe, expect, it } from 'vitest'
import { expectValid } from '../../formats/test/checkers.ts'
import { type SessionStoreEntry, TurnstoreSessionStore } from '../src/index.ts'
import { asks, calls, gives, key, says } from './entries.ts'
import { memory } from './stores.ts'

const chat = [
  { role: 'user', content: 'Is there tea?' },
  {
    role: 'assistant',
    content: 'I look.',
    tool_calls: [{ id: 'c1', type: 'function', function: { name: 'search', arguments: '{}' } }],
  },
  { role: 'tool', tool_call_id: 'c1', content: 'Green and black.' },
  { role: 'assistant', content: 'Two kinds.' },
]

/** Each entry names the one before it. */
function expectChained(entries: readonly SessionStoreEntry[]): void {
  let before: unknown = null
  for (const { uuid, parentUuid } of entries) {
    expect(parentUuid).toBe(before)
    before = uuid
  }
}

describe('A session that another SDK recorded', () => {
  it('is copied, comes as entries that name each other, and goes on', async () => {
    const backend = memory()
    const manager = new SessionManager(backend)
    await manager.startSession({ sessionId: 'chat-1', metadata: { title: 'Tea' } })
    await manager.recordMessages('chat-1', chat)
    await manager.endSession('chat-1')
    const store = new TurnstoreSessionStore({ store: backend })
    const copied = await store.copySession('chat-1', { projectKey: key.projectKey })
    const rendered = (await store.load(copied)) ?? []
    expectChained(rendered)
    expect(new Set(rendered.map(({ sessionId }) => sessionId))).toEqual(new Set([copied.sessionId]))
    expect(rendered.map(({ message }) => message)).toMatchObject([
      { role: 'user', content: [{ type: 'text', text: 'Is there tea?' }] },
      {
        role: 'assistant',
        content: [
          { type: 'text', text: 'I look.' },
          { type: 'tool_use', id: 'c1', name: 'search' },
        ],
      },
      { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'c1', content: 'Green and black.' }] },
      { role: 'assistant', content: [{ type: 'text', text: 'Two kinds.' }] },
    ])
    const next = { ...asks('u1', 'Which?'), parentUuid: rendered.at(-1)?.uuid }
    await store.append(copied, [next])
    expect(await new TurnstoreSessionStore({ store: backend }).load(copied)).toEqual([...rendered, next])
    const { sessions } = await backend.querySessions({ parentSessionId: 'chat-1' })
    expect(sessions).toMatchObject([
      { workspaceId: key.projectKey, metadata: { title: 'Tea', claudeSession: copied.sessionId } },
    ])
    expect(await manager.getMessages('chat-1', { exact: true })).toEqual(chat)
    await expect(store.copySession('chat-1', copied)).rejects.toMatchObject({ code: 'SESSION_EXISTS' })
    expect(await store.listSessions(key.projectKey)).toMatchObject([{ sessionId: copied.sessionId }])
  })

  it('may go on between turns of this one', async () => {
    const backend = memory()
    const store = new TurnstoreSessionStore({ store: backend })
    await store.append(key, [asks('u1', 'Hi'), says('u2', 'Ho')])
    const [id = ''] = await backend.listSessions()
    const manager = new SessionManager(backend)
    await manager.recordMessages(id, chat)
    const before = (await store.load(key)) ?? []
    expect(before.slice(0, 2)).toMatchObject([{ uuid: 'u1' }, { uuid: 'u2' }])
    expect(before[2]?.parentUuid).toBe('u2')
    expectChained([{ ...before[1], type: 'assistant', parentUuid: null }, ...before.slice(2)])
    await store.append(key, [asks('u3', 'And now?')])
    await manager.recordMessages(id, chat)
    const after = (await store.load(key)) ?? []
    expect(after.slice(0, before.length)).toEqual(before)
    expect(new Set(after.map(({ uuid }) => uuid)).size).toBe(after.length)
  })
})

describe('A session of this SDK', () => {
  const others = formats.filter(each => 'fromTurns' in each && each.name !== 'claude-code')

  it.each(others.map(({ name }) => name))('comes in the format %s, as its SDK takes it', async format => {
    const backend = memory()
    const store = new TurnstoreSessionStore({ store: backend })
    await store.append(key, [asks('u1', 'Is there tea?'), says('u2', 'I look.'), calls('u3', 'c1'), calls('u4', 'c2')])
    await store.append(key, [gives('u5', 'u3', 'c1'), gives('u6', 'u4', 'c2', true), says('u7', 'Two kinds.')])
    const [id = ''] = await backend.listSessions()
    const turns = (await backend.loadSession(id))?.turns ?? []
    const written = formatByName(format)?.fromTurns?.(turns)
    await expectValid(format, written?.messages ?? [])
    for (const text of ['Is there tea?', 'I look.', 'output of c1', 'output of c2', 'Two kinds.']) {
      expect(JSON.stringify(written?.messages)).toContain(text)
    }
  })
})
