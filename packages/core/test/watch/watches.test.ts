import { getEventListeners } from 'node:events'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { MapStore } from '../map-store.ts'
import type { WatchedSession } from '../../src/index.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
})

afterEach(() => {
  vi.useRealTimers()
})

/** A store that others share, and the looks that it has taken. */
class Shared extends MapStore {
  override readonly capabilities = { ...new MapStore().capabilities, sharing: 'host' as const }
  readonly glances: number[] = []

  /** As another process does it. */
  async sneak(sessionId: string): Promise<void> {
    const loaded = await this._get(sessionId)
    if (loaded !== null) await this._put({ ...loaded.session, revision: loaded.session.revision + 1 }, loaded.token)
  }

  protected override _glance(sessionIds: readonly string[]): Promise<ReadonlyMap<string, string> | null> {
    this.glances.push(sessionIds.length)
    return super._glance(sessionIds)
  }
}

it('10,000 watches that are opened and left or aborted leave no timer and no listener', async () => {
  const store = new Shared()
  for (let at = 0; at < 100; at++) await store.saveSession({ sessionId: `s${at}` })
  const aborting = new AbortController()
  const watches = Array.from({ length: 10_000 }, (_, at) =>
    store.watchSession(`s${at % 100}`, { signal: aborting.signal })[Symbol.asyncIterator](),
  )
  for (const watch of watches) expect((await watch.next()).done).toBe(false)
  expect(vi.getTimerCount()).toBe(1)
  const pending = watches.map(async watch => watch.next().catch((error: unknown) => error))
  await vi.advanceTimersByTimeAsync(5000)
  // One look a second, at each session once.
  expect(store.glances).toEqual([100, 100, 100, 100, 100])
  for (const watch of watches.slice(0, 5000)) await watch.return?.()
  aborting.abort('enough')
  const ends = await Promise.all(pending)
  expect(ends.slice(0, 5000)).toEqual(Array.from({ length: 5000 }, () => ({ done: true, value: undefined })))
  expect(ends.slice(5000)).toEqual(Array.from({ length: 5000 }, () => 'enough'))
  expect(vi.getTimerCount()).toBe(0)
  expect(getEventListeners(aborting.signal, 'abort')).toEqual([])
  await store.close()
})

it('a store that nobody shares has no timer', async () => {
  const store = new MapStore()
  await store.saveSession({ sessionId: 's' })
  const watch = store.watchSession('s')[Symbol.asyncIterator]()
  await watch.next()
  expect(vi.getTimerCount()).toBe(0)
  await watch.return?.()
})

it('a look that fails is taken again, and a change in between is seen', async () => {
  let isDown = false
  class Flaky extends Shared {
    protected override _glance(sessionIds: readonly string[]): Promise<ReadonlyMap<string, string> | null> {
      if (isDown) throw new Error('the network is down')
      return super._glance(sessionIds)
    }
  }
  const store = new Flaky()
  await store.saveSession({ sessionId: 's' })
  const watch = store.watchSession('s')[Symbol.asyncIterator]()
  await watch.next()
  await vi.advanceTimersByTimeAsync(1000)
  const next: Promise<IteratorResult<WatchedSession, unknown>> = watch.next()
  isDown = true
  await store.sneak('s')
  await vi.advanceTimersByTimeAsync(3000)
  isDown = false
  await vi.advanceTimersByTimeAsync(1000)
  expect((await next).value).toMatchObject({ revision: 2 })
  await watch.return?.()
})
