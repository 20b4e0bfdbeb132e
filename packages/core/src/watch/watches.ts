import { type Repeating, repeatEvery } from '../basics/runtime.js'
import type { Scope } from '../basics/scope.js'
import { type CheckedWatch, type Glimpse, stateOf, type WatchedSession } from './watch-options.js'

/** What watches look at. */
export interface WatchedStore {
  /** Whether other handles can change the sessions. */
  readonly isShared: () => boolean
  /** One cheap look at all of these sessions: what changes when one does. Null if nothing has changed since the last. */
  glance(sessionIds: readonly string[]): Promise<ReadonlyMap<string, string> | null>
  load(sessionId: string, scope: Scope): Promise<Glimpse | null>
}

/** Between two looks. */
const INTERVAL_MS = 1000

/**
 * The watches of a store. What this handle changes, they hear at once; for all others there is one look a second, however
 * many they are. Without a watch there is no timer.
 */
export class Watches {
  readonly #store: WatchedStore
  readonly #watches = new Map<string, Set<Watch>>()
  /** What the last look saw, by session. */
  #seen: ReadonlyMap<string, string> = new Map()
  #timer: Repeating | null = null
  #isLooking = false

  constructor(store: WatchedStore) {
    this.#store = store
  }

  watch(sessionId: string, checked: CheckedWatch): AsyncIterableIterator<WatchedSession> {
    const { scope, since, signal } = checked
    const watch: Watch = new Watch({
      since,
      load: async () => {
        const glimpse = await this.#store.load(sessionId, scope)
        // Not before: only a store that is open knows who shares it.
        this.#keepLooking()
        return glimpse
      },
      begin: () => {
        this.#add(sessionId, watch)
        signal?.addEventListener('abort', watch.wake)
      },
      end: () => {
        signal?.removeEventListener('abort', watch.wake)
        this.#remove(sessionId, watch)
      },
      check: () => {
        if (signal?.aborted === true) throw signal.reason
      },
    })
    return watch
  }

  get isEmpty(): boolean {
    return this.#watches.size === 0
  }

  /** This handle may have changed a session. */
  notify(sessionId: string): void {
    for (const watch of this.#watches.get(sessionId) ?? []) watch.wake()
  }

  /** Wakes all, when the store closes: each finds that out by itself. */
  wakeAll(): void {
    for (const sessionId of this.#watches.keys()) this.notify(sessionId)
  }

  #add(sessionId: string, watch: Watch): void {
    const others = this.#watches.get(sessionId)
    if (others === undefined) this.#watches.set(sessionId, new Set([watch]))
    else others.add(watch)
  }

  #keepLooking(): void {
    if (this.isEmpty || !this.#store.isShared()) return
    this.#timer ??= repeatEvery(INTERVAL_MS, () => void this.#look())
  }

  #remove(sessionId: string, watch: Watch): void {
    const others = this.#watches.get(sessionId)
    others?.delete(watch)
    if (others?.size === 0) this.#watches.delete(sessionId)
    if (this.#watches.size > 0) return
    this.#timer?.stop()
    this.#timer = null
    this.#seen = new Map()
  }

  async #look(): Promise<void> {
    // A look that takes longer than a second is not joined by another.
    if (this.#isLooking) return
    this.#isLooking = true
    try {
      const ids = [...this.#watches.keys()]
      const seen = await this.#store.glance(ids)
      if (seen === null) return
      const before = this.#seen
      this.#seen = seen
      for (const id of ids) if (!before.has(id) || before.get(id) !== seen.get(id)) this.notify(id)
    } catch {
      // A backend that cannot be reached has no news. The next look is in a second.
    } finally {
      this.#isLooking = false
    }
  }
}

interface Watching {
  readonly since: string | undefined
  load(): Promise<Glimpse | null>
  begin(): void
  end(): void
  /** Throws if the watch was aborted. */
  check(): void
}

/** One watch. It gives the latest state each time that it is asked, and waits if that is the one it gave last. */
class Watch implements AsyncIterableIterator<WatchedSession> {
  readonly #watching: Watching
  #token: string | undefined
  #state: 'new' | 'watching' | 'ended' = 'new'
  /** Something may have changed since the last load. */
  #isStale = true
  #wake = (): void => {}
  /** The last call of `next`, if calls overlap. */
  #turn: Promise<unknown> | null = null

  constructor(watching: Watching) {
    this.#watching = watching
    this.#token = watching.since
  }

  /** Looks again. */
  readonly wake = (): void => {
    this.#isStale = true
    this.#wake()
  };

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<IteratorResult<WatchedSession>> {
    const result = this.#turn === null ? this.#next() : this.#turn.then(() => this.#next())
    const turn = result
      .catch(() => undefined)
      .then(() => {
        if (this.#turn === turn) this.#turn = null
      })
    this.#turn = turn
    return result
  }

  async return(): Promise<IteratorResult<WatchedSession>> {
    this.#end()
    return { done: true, value: undefined }
  }

  async #next(): Promise<IteratorResult<WatchedSession>> {
    try {
      if (this.#state === 'new') this.#begin()
      while (this.#state === 'watching') {
        this.#watching.check()
        if (!this.#isStale) {
          await this.#woken()
          continue
        }
        this.#isStale = false
        const glimpse = await this.#watching.load()
        if (this.#state !== 'watching') break
        if (glimpse === null) {
          this.#end()
          return { done: false, value: { deleted: true } }
        }
        const state = stateOf(glimpse)
        if (state.token === this.#token) continue
        this.#token = state.token
        return { done: false, value: state }
      }
      return { done: true, value: undefined }
    } catch (error) {
      this.#end()
      throw error
    }
  }

  #begin(): void {
    this.#state = 'watching'
    this.#watching.begin()
  }

  #woken(): Promise<void> {
    return new Promise(resolve => {
      this.#wake = resolve
    })
  }

  #end(): void {
    if (this.#state === 'watching') this.#watching.end()
    this.#state = 'ended'
    this.#wake()
  }
}
