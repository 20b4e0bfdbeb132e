import assert from 'node:assert/strict'
import { isTurnstoreError, type SessionStore, type TurnPage } from '../../packages/core/dist/index.js'

const T0 = '2026-01-01T00:00:00Z'

/** What is known about a write. */
type Fate = 'acknowledged' | 'unknown' | 'not-stored'

/**
 * Mixed writes through several stores at once. Afterwards it checks that each acknowledged write is there once: turns,
 * tool calls and items by id, metadata by key, agent transitions by agent, and all of them by the revision.
 */
export class MixedLoad {
  /** The number of writes with each fate. */
  readonly outcomes: Record<Fate, number> = { acknowledged: 0, unknown: 0, 'not-stored': 0 }
  readonly errors = new Map<string, number>()
  readonly #stores: readonly SessionStore[]
  readonly #prefix: string
  readonly #sessions: number
  readonly #fates = new Map<string, Map<string, Fate>>()
  #count = 0

  constructor(stores: readonly SessionStore[], prefix: string, sessions: number) {
    this.#stores = stores
    this.#prefix = prefix
    this.#sessions = sessions
  }

  get settled(): number {
    return this.outcomes.acknowledged + this.outcomes.unknown + this.outcomes['not-stored']
  }

  async prepare(): Promise<void> {
    for (let index = 0; index < this.#sessions; index++) {
      const turns = [{ turnId: 'first', status: 'running' }]
      await this.#stores[0]?.saveSession({ sessionId: this.#id(index), createdAt: T0, updatedAt: T0, turns })
    }
  }

  /** Runs this many callers at once, until this many writes are settled or `isOver` returns true. */
  async run(callers: number, writes: number, isOver: () => boolean = () => false): Promise<void> {
    const caller = async (number: number): Promise<void> => {
      while (this.#count < writes && !isOver()) await this.#write(this.#count++, number)
    }
    await Promise.all(Array.from({ length: callers }, (_, number) => caller(number)))
  }

  async #write(number: number, caller: number): Promise<void> {
    const store = this.#stores[number % this.#stores.length]
    assert.ok(store)
    if (number % 20 === 19) return this.#cycle(store, `${this.#prefix}-cycle-${caller}-${number}`)
    const id = this.#id(number % this.#sessions)
    const updatedAt = new Date(Date.UTC(2026, 0, 1) + number).toISOString()
    if (number % 7 === 0) await this.#look(store, id)
    const kind = number % 10
    if (kind < 3) {
      const turn = { turnId: `t${number}`, prompt: `prompt ${number}` }
      await this.#attempt(id, `turn t${number}`, () => store.changeSession(id, { appendTurns: [turn], updatedAt }))
    } else if (kind < 6) {
      await this.#step(store, id, number, updatedAt)
    } else if (kind === 6) {
      await this.#keyed(store, id, number, updatedAt)
    } else if (kind < 9) {
      await this.#attempt(id, `key k${number}`, () =>
        store.changeSession(id, { setMetadata: { [`k${number}`]: number }, updatedAt }),
      )
    } else {
      const transition = { toAgent: `a${number}` }
      await this.#attempt(id, `transition a${number}`, () =>
        store.changeSession(id, { appendAgentTransitions: [transition], updatedAt }),
      )
    }
  }

  /** A tool call that is put, and put again with its result; and an item beside it. */
  async #step(store: SessionStore, id: string, number: number, updatedAt: string): Promise<void> {
    const callId = `c${number}`
    const put = (status: string) => ({ turnId: 'first', putToolCalls: [{ callId, toolName: 'look', status }] })
    const first = await this.#attempt(id, `call ${callId}`, () =>
      store.changeSession(id, { updateTurns: [put('running')], updatedAt }),
    )
    if (first !== 'acknowledged') return
    await this.#attempt(id, `result ${callId}`, () =>
      store.changeSession(id, { updateTurns: [put('success')], updatedAt }),
    )
    const item = { itemId: `i${number}`, format: 'f', value: number }
    await this.#attempt(id, `item i${number}`, () =>
      store.changeSession(id, { updateTurns: [{ turnId: 'first', putItems: [item] }], updatedAt }),
    )
  }

  /** A change without ids of its own, twice with one key. */
  async #keyed(store: SessionStore, id: string, number: number, updatedAt: string): Promise<void> {
    const change = { appendAgentTransitions: [{ toAgent: `k${number}` }], updatedAt }
    const options = { idempotencyKey: `k${number}` }
    let first: unknown
    await this.#attempt(id, `transition k${number}`, async () => {
      first = await store.changeSession(id, change, options)
    })
    if (first === undefined) return
    const again = await this.#settle(() => store.changeSession(id, change, options))
    if (again.fate === 'acknowledged') assert.deepEqual(again.value, { ...Object(first), replayed: true })
  }

  /** Reads among the writes see one moment. */
  async #look(store: SessionStore, id: string): Promise<void> {
    const seen = await this.#settle(() => store.readTurns(id, { last: 5 }))
    if (seen.fate !== 'acknowledged') return
    const page = readPage(seen.value)
    assert.equal(page.turns.length, Math.min(5, page.turnCount))
    assert.equal(page.firstIndex, page.turnCount - page.turns.length)
  }

  /** Creates a session, saves over it, deletes it, and creates it by a change. Each step has one right result, also if it is repeated. */
  async #cycle(store: SessionStore, id: string): Promise<void> {
    const creation = { createIfMissing: {}, idempotencyKey: 'creation' }
    const steps: [expected: unknown, () => Promise<unknown>][] = [
      [1, () => store.saveSession({ sessionId: id, createdAt: T0, updatedAt: T0 }, { ifRevision: 0 })],
      [
        2,
        () => store.saveSession({ sessionId: id, createdAt: T0, updatedAt: T0, metadata: { a: 1 } }, { ifRevision: 1 }),
      ],
      [true, () => store.deleteSession(id)],
      [
        { revision: 1, turnCount: 1, deduplicated: [], created: true },
        () => store.changeSession(id, { appendTurns: [{ turnId: 'a' }] }, creation),
      ],
      [
        { revision: 2, turnCount: 2, deduplicated: [] },
        () => store.changeSession(id, { appendTurns: [{ turnId: 'b' }] }, { createIfMissing: {} }),
      ],
      [
        { revision: 1, turnCount: 1, deduplicated: [], created: true, replayed: true },
        () => store.changeSession(id, { appendTurns: [{ turnId: 'a' }] }, creation),
      ],
      [true, () => store.deleteSession(id)],
    ]
    for (const [expected, step] of steps) {
      const result = await this.#settle(step)
      if (result.fate !== 'acknowledged') return
      assert.deepEqual(result.value, expected, `a step of ${id}`)
    }
    const found = await this.#settle(() => store.loadSummary(id))
    if (found.fate === 'acknowledged') assert.equal(found.value, null, `${id} after it was deleted`)
  }

  async #attempt(sessionId: string, what: string, write: () => Promise<unknown>): Promise<Fate> {
    const { fate } = await this.#settle(write)
    const fates = this.#fates.get(sessionId) ?? new Map<string, Fate>()
    this.#fates.set(sessionId, fates.set(what, fate))
    return fate
  }

  async #settle(write: () => Promise<unknown>): Promise<{ fate: Fate; value?: unknown }> {
    try {
      const value = await write()
      this.outcomes.acknowledged++
      return { fate: 'acknowledged', value }
    } catch (error) {
      assert.ok(isTurnstoreError(error), `a TurnstoreError and not ${String(error)}`)
      assert.ok(['STORE_UNAVAILABLE', 'STORE_BUSY'].includes(error.code), `${error.code}: ${error.message}`)
      this.errors.set(error.message, (this.errors.get(error.message) ?? 0) + 1)
      const fate = error.outcome === 'not-stored' ? 'not-stored' : 'unknown'
      this.outcomes[fate]++
      return { fate }
    }
  }

  /** Returns the writes that are lost, and those that are there twice or should not be there. */
  async check(store: SessionStore): Promise<{ lost: string[]; twice: string[] }> {
    const lost: string[] = []
    const twice: string[] = []
    for (const [sessionId, fates] of this.#fates) {
      const session = await store.loadSession(sessionId)
      assert.ok(session, sessionId)
      const found = [
        ...session.turns.slice(1).map(({ turnId }) => `turn ${turnId}`),
        ...(session.turns[0]?.toolCalls.map(({ callId }) => `call ${callId}`) ?? []),
        ...(session.turns[0]?.toolCalls.flatMap(({ callId, status }) =>
          status === 'success' ? [`result ${callId}`] : [],
        ) ?? []),
        ...(session.turns[0]?.items.map(({ itemId }) => `item ${itemId}`) ?? []),
        ...Object.keys(session.metadata).map(key => `key ${key}`),
        ...session.agentTransitions.map(({ toAgent }) => `transition ${toAgent}`),
      ]
      const times = new Map<string, number>()
      for (const what of found) times.set(what, (times.get(what) ?? 0) + 1)
      for (const [what, fate] of fates) {
        const count = times.get(what) ?? 0
        if (fate === 'acknowledged' && count === 0) lost.push(`${sessionId} ${what}`)
        if (count > (fate === 'not-stored' ? 0 : 1)) twice.push(`${sessionId} ${what} (${fate})`)
      }
      assert.equal(session.revision, 1 + found.length, `the revision of ${sessionId}, in which each write counts once`)
    }
    return { lost, twice }
  }

  #id(index: number): string {
    return `${this.#prefix}-${index}`
  }
}

function readPage(value: unknown): TurnPage {
  assert.ok(typeof value === 'object' && value !== null && 'turns' in value && isPage(value), 'a page of turns')
  return value
}

function isPage(value: object): value is TurnPage {
  return 'firstIndex' in value && 'turnCount' in value && 'revision' in value
}
