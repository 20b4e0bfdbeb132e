import { describe, expect, it } from 'vitest'
import { SessionManager } from '../../src/index.ts'
import { MapStore } from '../map-store.ts'

async function prepared(): Promise<{ store: MapStore; manager: SessionManager }> {
  const store = new MapStore()
  for (const sessionId of ['a', 'b', 'c']) await store.saveSession({ sessionId, turns: [{ turnId: 't' }] })
  return { store, manager: new SessionManager(store) }
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const item of items) list.push(item)
  return list
}

const reads: Record<
  string,
  (prepared: { store: MapStore; manager: SessionManager }, signal: AbortSignal) => Promise<unknown>
> = {
  'store.loadSession': ({ store }, signal) => store.loadSession('a', { signal }),
  'store.loadSummary': ({ store }, signal) => store.loadSummary('a', { signal }),
  'store.readTurns': ({ store }, signal) => store.readTurns('a', {}, { signal }),
  'store.readParts': ({ store }, signal) => store.readParts('a', 't', { list: 'items' }, { signal }),
  'store.listSessions': ({ store }, signal) => store.listSessions({ signal }),
  'store.querySessions': ({ store }, signal) => store.querySessions({ signal }),
  'store.sessions': ({ store }, signal) => all(store.sessions({ signal })),
  'manager.getSession': ({ manager }, signal) => manager.getSession('a', { signal }),
  'manager.getSummary': ({ manager }, signal) => manager.getSummary('a', { signal }),
  'manager.getTurns': ({ manager }, signal) => manager.getTurns('a', {}, { signal }),
  'manager.getMessages': ({ manager }, signal) => manager.getMessages('a', { signal }),
  'manager.listSessions': ({ manager }, signal) => manager.listSessions({ signal }),
  'manager.querySessions': ({ manager }, signal) => manager.querySessions({ signal }),
  'manager.sessions': ({ manager }, signal) => all(manager.sessions({ signal })),
}

describe.each(Object.entries(reads))('%s with a signal', (_name, read) => {
  it('resolves while nothing aborts, and rejects with the reason itself', async () => {
    const both = await prepared()
    await expect(read(both, new AbortController().signal)).resolves.not.toBe(null)
    const reason = new Error('enough')
    await expect(read(both, AbortSignal.abort(reason))).rejects.toBe(reason)
    const controller = new AbortController()
    both.store.beforeRead = () => new Promise(() => {})
    const result = read(both, controller.signal)
    controller.abort(reason)
    await expect(result).rejects.toBe(reason)
  })
})

it('an iteration stops between sessions', async () => {
  const { store } = await prepared()
  const controller = new AbortController()
  const seen: string[] = []
  await expect(async () => {
    for await (const { sessionId } of store.sessions({ signal: controller.signal })) {
      seen.push(sessionId)
      controller.abort(new Error('enough'))
    }
  }).rejects.toThrow('enough')
  expect(seen).toHaveLength(1)
})

it('refuses what is no signal', async () => {
  const { store } = await prepared()
  // @ts-expect-error -- JavaScript callers can pass anything
  await expect(store.loadSession('a', { signal: true })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
})

it('close waits for a read that was given up', async () => {
  const { store } = await prepared()
  const order: string[] = []
  let release = (): void => {}
  store.beforeRead = () => new Promise<void>(resolve => (release = resolve)).then(() => order.push('read'))
  const controller = new AbortController()
  const read = store.loadSession('a', { signal: controller.signal })
  await Promise.resolve()
  controller.abort(new Error('enough'))
  await expect(read).rejects.toThrow('enough')
  const closing = store.close().then(() => order.push('closed'))
  setTimeout(release, 20)
  await closing
  expect(order).toEqual(['read', 'closed'])
})
