import { describe, expect, it } from 'vitest'
import { bindStore, SessionManager, type SessionStore } from '../../src/index.ts'
import { MapStore } from '../map-store.ts'

async function tenants(): Promise<SessionStore> {
  const store = new MapStore()
  await store.saveSession({ sessionId: 'a', workspaceId: 'acme', turns: [{ turnId: 't' }] })
  await store.saveSession({ sessionId: 'b', workspaceId: 'globex', turns: [{ turnId: 't' }] })
  await store.saveSession({ sessionId: 'none', turns: [{ turnId: 't' }] })
  return store
}

async function idsOf(sessions: AsyncIterable<{ sessionId: string }>): Promise<string[]> {
  const ids: string[] = []
  for await (const { sessionId } of sessions) ids.push(sessionId)
  return ids.toSorted()
}

const update = { setMetadata: { a: 1 } }

describe.each(['acme', null])('a store bound to %s', workspaceId => {
  const own = workspaceId === null ? 'none' : 'a'
  const foreign = ['a', 'b', 'none'].filter(id => id !== own)

  it('sees and changes the sessions of its workspace alone', async () => {
    const bound = bindStore(await tenants(), workspaceId)
    expect(await bound.listSessions()).toEqual([own])
    expect((await bound.querySessions({ limit: 5 })).sessions).toMatchObject([{ sessionId: own }])
    expect(await idsOf(bound.sessions())).toEqual([own])
    await expect(bound.changeSession(own, update)).resolves.toMatchObject({ revision: 2 })
    expect(await bound.loadSession(own)).toMatchObject({ metadata: { a: 1 } })
    for (const id of foreign) {
      expect(await bound.loadSession(id)).toBe(null)
      expect(await bound.loadSummary(id)).toBe(null)
      expect(await bound.readTurns(id, {})).toBe(null)
      expect(await bound.readTurns(id, {}, { parts: 'none' })).toBe(null)
      expect(await bound.readParts(id, 't', { list: 'items' })).toBe(null)
      expect(await bound.deleteSession(id)).toBe(false)
      await expect(bound.changeSession(id, update)).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' })
      await expect(bound.changeSession(id, update, { createIfMissing: {} })).rejects.toMatchObject({
        code: 'SESSION_EXISTS',
      })
      await expect(bound.saveSession({ sessionId: id })).rejects.toMatchObject({ code: 'SESSION_EXISTS' })
    }
    expect(await bound.deleteSession(own)).toBe(true)
  })

  it('creates in its workspace, and refuses another one in every call', async () => {
    const store = await tenants()
    const bound = bindStore(store, workspaceId)
    await bound.saveSession({ sessionId: 'saved', workspaceId: null })
    await bound.changeSession('changed', update, { createIfMissing: { workspaceId: null } })
    for (const id of ['saved', 'changed']) expect(await store.loadSession(id)).toMatchObject({ workspaceId })
    const scope = { workspaceId: 'globex' }
    const calls = [
      () => bound.loadSession('b', scope),
      () => bound.listSessions(scope),
      () => bound.querySessions(scope),
      () => idsOf(bound.sessions(scope)),
      () => bound.readTurns('b', {}, scope),
      () => bound.readParts('b', 't', { list: 'items' }, scope),
      () => bound.loadSummary('b', scope),
      () => bound.deleteSession('b', scope),
      () => bound.changeSession('b', update, scope),
      () => bound.changeSession('b', update, { createIfMissing: scope }),
      () => bound.saveSession({ sessionId: 'b', ...scope }),
      () => bound.saveSession({ sessionId: 'b' }, scope),
    ]
    for (const call of calls) await expect(call()).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    expect(await store.loadSession('b')).toMatchObject({ revision: 1 })
  })

  it('closes nothing', async () => {
    const store = await tenants()
    await bindStore(store, workspaceId).close()
    await new SessionManager(store, { workspaceId }).close()
    expect(await store.listSessions()).toHaveLength(3)
    await new SessionManager(store).close()
    await expect(store.listSessions()).rejects.toMatchObject({ code: 'STORE_CLOSED' })
  })
})

it('the store of a bound manager is bound (it altered the session of another tenant)', async () => {
  const manager = new SessionManager(await tenants(), { workspaceId: 'globex' })
  await expect(manager.store.changeSession('a', update)).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' })
})

it('a manager over a bound store is bound to its workspace (it returned sessions without one)', async () => {
  const store = await tenants()
  const manager = new SessionManager(bindStore(store, 'acme'))
  expect(await manager.startSession({ sessionId: 's' })).toEqual(await store.loadSession('s'))
  expect(await manager.startSession({ sessionId: 's', ifExists: 'replace' })).toMatchObject({ workspaceId: 'acme' })
  expect(await manager.forkSession('s', { sessionId: 'fork' })).toEqual(await store.loadSession('fork'))
  expect(() => new SessionManager(bindStore(store, 'acme'), { workspaceId: 'globex' })).toThrow(
    'options.workspaceId is not the workspace that the store is bound to',
  )
})

it.each([null, [], 'text', new Date(0)])('a bound store refuses %j in place of a session', async value => {
  const store = await tenants()
  for (const each of [store, bindStore(store, 'acme')]) {
    const save: unknown = Reflect.get(each, 'saveSession')
    const saving: unknown = typeof save === 'function' ? Reflect.apply(save, each, [value]) : null
    await expect(saving).rejects.toMatchObject({ code: 'INVALID_RECORD', outcome: 'not-stored' })
  }
})
