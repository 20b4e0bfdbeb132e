import { cpSync, existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { append, at, turnIdsOf } from '../../../scripts/testing/sessions.ts'
import { Folder } from './folder.ts'

/*
 * A folder may go while a store has it open: it is cleared, moved, restored from a copy without its dotfiles.
 */

const folder = new Folder()
const base = (): string => folder.path('base')

it('a folder that was removed is created again by the next write', async () => {
  const store = folder.open({}, base())
  await store.saveSession({ sessionId: 'old', createdAt: at })
  rmSync(base(), { recursive: true })
  expect(await store.listSessions()).toEqual([])
  expect(await store.deleteSession('old')).toBe(false)
  await Promise.all(['a', 'b'].map(sessionId => store.saveSession({ sessionId, workspaceId: 'w', createdAt: at })))
  await store.changeSession('a', append('t'))
  await store.close()
  const other = folder.open({}, base())
  expect((await other.listSessions()).toSorted()).toEqual(['a', 'b'])
  expect(turnIdsOf(await other.loadSession('a'))).toEqual(['t'])
  expect(statSync(folder.path('base', '.turnstore')).mode & 0o777).toBe(0o700)
})

it('what deletes nothing creates nothing', async () => {
  const store = folder.open({}, base())
  expect(await store.deleteSession('s')).toBe(false)
  expect(existsSync(base())).toBe(false)
  mkdirSync(base())
  expect(await store.deleteSession('s', { workspaceId: 'w' })).toBe(false)
  expect(readdirSync(base())).toEqual([])
  writeFileSync(folder.path('base', 's.json'), JSON.stringify({ session_id: 's', turns: [] }))
  expect(await store.deleteSession('s')).toBe(true)
  expect(readdirSync(base())).toEqual(['.turnstore'])
})

it('a session that was put back without what is ours beside it goes on', async () => {
  const store = folder.open({}, base())
  await store.saveSession({ sessionId: 's', createdAt: at })
  await store.changeSession('s', append('a'))
  mkdirSync(folder.path('copy'))
  for (const name of ['s.json', 's.journal']) cpSync(folder.path('base', name), folder.path('copy', name))
  rmSync(base(), { recursive: true })
  cpSync(folder.path('copy'), base(), { recursive: true })
  await Promise.all(['b', 'c'].map(turnId => store.changeSession('s', append(turnId))))
  await store.close()
  expect(turnIdsOf(await folder.open({}, base()).loadSession('s'))).toEqual(['a', 'b', 'c'])
})
