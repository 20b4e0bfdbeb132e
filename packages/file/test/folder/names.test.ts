import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { describe, expect, it } from 'vitest'
import { append, at } from '../../../../scripts/testing/sessions.ts'
import type { FileSessionStore } from '../../src/index.ts'
import { Folder } from '../folder.ts'

const folder = new Folder()

it('searching thousands of workspaces does not block the event loop', async () => {
  const store = folder.open()
  await store.saveSession({ sessionId: 's', createdAt: at })
  for (let workspace = 0; workspace < 5000; workspace++) mkdirSync(folder.path(`w${workspace}`))
  for (const call of [() => store.loadSession('none'), () => store.saveSession({ sessionId: 'new' })]) {
    let ticks = 0
    const ticking = setInterval(() => ticks++, 1)
    await call()
    clearInterval(ticking)
    expect(ticks).toBeGreaterThan(1)
  }
})

describe('names', () => {
  const ids = [
    '../x',
    '..',
    '.',
    '/etc/passwd',
    'a/../../b',
    '..\\x',
    'C:x',
    '\\\\?\\C:\\x',
    'CON',
    'NUL.json',
    'COM1 ',
    'COM¹',
    'a.',
    'a ',
    'a:stream',
    '%2e%2e%2f',
    '%252e',
    '%2E',
    '%',
    'ß',
    'ss',
    'A',
    'a',
    'ﬁ',
    'fi',
    'İ',
    'i̇',
    '\u00e9',
    'e\u0301',
    'x'.repeat(200),
    '😀'.repeat(50),
    '\u202e',
    '\u200b',
    'x.json',
    'x',
    '.hidden',
    '-rf',
    '~',
    '__proto__',
    'constructor',
    'toString',
    '{a}b',
    '*',
    '?',
    '[a-z]',
    '"',
    '<>|',
    ' a',
    "x') OR '1'='1",
    'x.journal',
    'x.rotated',
    '.turnstore',
    'a.json',
    `%h${'0'.repeat(64)}`,
    ':'.repeat(200),
    '%'.repeat(200),
    '/'.repeat(199),
    'ü'.repeat(100),
  ]

  it('every id works for a session and for a workspace, is listed unchanged, and none leads out of the folder', async () => {
    const base = folder.path('base')
    const store = folder.open({}, base)
    for (const [i, id] of ids.entries()) {
      await store.saveSession({ sessionId: id, metadata: { i } }, { ifRevision: 0 })
      await store.saveSession({ sessionId: `in ${i}`, workspaceId: id }, { ifRevision: 0 })
      await store.changeSession(id, append('t'))
      await store.changeSession(`in ${i}`, append('t'))
    }
    for (const handle of [store, folder.open({}, base)]) {
      expect((await handle.listSessions({ workspaceId: null })).toSorted()).toEqual(ids.toSorted())
      for (const [i, id] of ids.entries()) {
        expect(await handle.loadSession(id)).toMatchObject({ sessionId: id, metadata: { i }, turns: [{ turnId: 't' }] })
        expect(await handle.listSessions({ workspaceId: id })).toEqual([`in ${i}`])
        expect((await handle.querySessions({ workspaceId: id })).sessions.map(session => session.sessionId)).toEqual([
          `in ${i}`,
        ])
      }
      await handle.close()
    }
    expect(readdirSync(folder.base)).toEqual(['base'])
    for (const name of readdirSync(base, { recursive: true, encoding: 'utf8' }))
      expect(name.split('/').length).toBeLessThan(4)
    // The reference reads every *.json as a session.
    const documents = readdirSync(base, { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.json'))
    expect(documents.length).toBe(2 * ids.length)
    for (const id of ids) expect(await folder.open({}, base).deleteSession(id)).toBe(true)
  })

  it('files with the names of the reference are found, listed and compacted in place', async () => {
    const found: [string, string | null][] = [
      ['a:b', null],
      ['A', null],
      ['a', null],
      ['a%2fb', null],
      ['a%2Fb', null],
      ['%2E', null],
      ['CON', null],
      ['.hidden', null],
      ['a?', null],
      ['one', 'a:b'],
      ['two', 'A%2F'],
      ['three', '.hidden'],
      ['four', '%2E'],
    ]
    for (const [sessionId, workspaceId] of found) {
      const path = folder.path(workspaceId ?? '.', `${sessionId}.json`)
      mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, JSON.stringify({ session_id: sessionId, workspace_id: workspaceId, created_at: at }, null, 2))
    }
    const store = folder.open()
    const check = async (handle: FileSessionStore, turns: number): Promise<void> => {
      expect((await handle.listSessions()).toSorted()).toEqual(found.map(([id]) => id).toSorted())
      for (const [sessionId, workspaceId] of found) {
        expect((await handle.loadSession(sessionId, { workspaceId }))?.turns.length).toBe(turns)
        expect(await handle.listSessions({ workspaceId })).toContain(sessionId)
      }
      for (const workspaceId of ['a:b', 'A%2F', '.hidden', '%2E'])
        expect(await handle.listSessions({ workspaceId })).toHaveLength(1)
      expect((await handle.querySessions()).damaged).toBeUndefined()
    }
    await check(store, 0)
    for (const [sessionId] of found) await store.changeSession(sessionId, append('t'))
    await check(store, 1)
    await store.close()
    await check(folder.open(), 1)
    for (const [sessionId, workspaceId] of found)
      expect(existsSync(folder.path(workspaceId ?? '.', `${sessionId}.json`))).toBe(true)
    expect(await folder.open().loadSession('a/b')).toBeNull()
    expect(await folder.open().loadSession('.')).toBeNull()
  })

  it('a session whose name the reference gave to another gets a different one, and neither is lost', async () => {
    for (const id of ['%2E', 'a%2Fb'])
      writeFileSync(folder.path(`${id}.json`), JSON.stringify({ session_id: id, created_at: at }, null, 2))
    const store = folder.open()
    for (const id of ['.', 'a/b']) {
      expect(await store.saveSession({ sessionId: id }, { ifRevision: 0 })).toBe(1)
      await store.changeSession(id, append('t'))
    }
    const ids = ['.', 'a/b', '%2E', 'a%2Fb'].toSorted()
    for (const handle of [store, folder.open()]) {
      expect((await handle.listSessions()).toSorted()).toEqual(ids)
      expect((await handle.querySessions()).sessions.map(each => each.sessionId).toSorted()).toEqual(ids)
      for (const id of ids) expect((await handle.loadSession(id))?.turns.length).toBe(id.includes('%') ? 0 : 1)
    }
    await store.close()
    for (const id of ids) expect(await folder.open().deleteSession(id)).toBe(true)
    expect(await folder.open().listSessions()).toEqual([])
  })
})
