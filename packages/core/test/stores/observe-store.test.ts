import { expect, it } from 'vitest'
import { SessionManager, type StoreOperation } from '../../src/index.ts'
import { MapStore } from '../map-store.ts'

class OwnStore extends MapStore {
  vacuum(): Promise<number> {
    return this._perform('write', () => ({ run: async () => 7 }))
  }

  size(): number {
    return this.ids.length
  }
}

function observed(onOperation: (operation: StoreOperation) => void): OwnStore {
  return new OwnStore({ onOperation })
}

it('reports each call: what it was, what it took, how it ended, and how much it moved', async () => {
  const operations: StoreOperation[] = []
  const store = observed(operation => operations.push(operation))
  const manager = new SessionManager(store)
  await manager.startSession({ sessionId: 's' })
  await manager.recordTurn('s', { turnId: 't', toolCalls: [{ toolName: 'f' }] })
  await manager.recordToolCall('s', 't', { toolName: 'g' })
  await manager.getSession('s')
  for await (const _session of manager.sessions());
  await manager.recordTurn('none').catch(() => undefined)
  await store.loadSession('').catch(() => undefined)
  expect(await store.vacuum()).toBe(7)
  expect(store.size()).toBe(1)
  await manager.deleteSession('s')
  const ended = operations.map(({ durationMs, ...operation }) => {
    expect(durationMs).toBeGreaterThanOrEqual(0)
    return operation
  })
  const well = { code: null, outcome: null }
  expect(ended).toEqual([
    { method: 'saveSession', ...well, counts: {} },
    { method: 'changeSession', ...well, counts: { turns: 1 } },
    { method: 'changeSession', ...well, counts: { parts: 1 } },
    { method: 'loadSession', ...well, counts: { turns: 1 } },
    { method: 'querySessions', ...well, counts: { sessions: 1 } },
    { method: 'changeSession', code: 'SESSION_NOT_FOUND', outcome: 'not-stored', counts: { turns: 1 } },
    { method: 'loadSession', code: 'INVALID_ID', outcome: null, counts: {} },
    { method: 'vacuum', ...well, counts: {} },
    { method: 'deleteSession', ...well, counts: {} },
  ])
})

it('never gets ids or what is stored', async () => {
  const told: string[] = []
  const manager = new SessionManager(observed(operation => told.push(JSON.stringify(operation))))
  const secret = 'SECRET'
  await manager.startSession({
    sessionId: secret,
    workspaceId: secret,
    agentId: secret,
    metadata: { [secret]: secret },
  })
  await manager.recordTurn(secret, { turnId: secret, prompt: secret, toolCalls: [{ toolName: secret }] })
  await manager.recordTurn(secret, { turnId: secret, prompt: 'other' }).catch(() => undefined)
  await manager.getSession(secret)
  expect(told.length).toBeGreaterThan(3)
  expect(told.join('\n')).not.toContain(secret)
})

it('a listener that throws fails no call, and one that is no function is refused', async () => {
  const store = observed(() => {
    throw new Error('listener')
  })
  expect(await store.saveSession({ sessionId: 's' })).toBe(1)
  await expect(store.loadSession('')).rejects.toMatchObject({ code: 'INVALID_ID' })
  const options: object = { onOperation: 'log' }
  expect(() => new MapStore(options)).toThrow('options.onOperation must be a function')
})
