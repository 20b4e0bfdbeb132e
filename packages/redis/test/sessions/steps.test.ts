import { fork } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { SessionManager, type SessionRecord, type ToolCallInput } from '@turnstore/core'
import { RedisSessionStore } from '@turnstore/redis'
import { Redis } from 'ioredis'
import { afterEach, describe, expect, inject, it } from 'vitest'
import { thoroughness } from '../../../../scripts/testing/machine.ts'
import { startProxy } from '../../../../scripts/testing/proxy.ts'
import { until } from '../servers.js'

const { server } = inject('addresses')

const opened: (() => unknown)[] = []
afterEach(async () => {
  for (const close of opened.splice(0).toReversed()) await close()
})

function open(options: { readonly url?: string; readonly keyPrefix?: string } = {}): RedisSessionStore {
  const store = new RedisSessionStore({ url: server, keyPrefix: `${randomUUID()}:`, ...options })
  opened.push(() => store.close())
  return store
}

const put = (store: RedisSessionStore, ...putToolCalls: ToolCallInput[]) =>
  store.changeSession('s', { updateTurns: [{ turnId: 't', putToolCalls }] })

const callsOf = (from: number, count: number, result: unknown = 'x'.repeat(200)): ToolCallInput[] =>
  Array.from({ length: count }, (_, index) => ({
    callId: `c${from + index}`,
    toolName: 'search',
    arguments: { query: index },
    result: String(result),
  }))

/** A store whose bytes pass a proxy, which counts the round trips: a chunk from the client, then one from the server. */
async function openCounting() {
  const proxy = await startProxy(Number(new URL(server).port))
  opened.push(() => proxy.stop())
  let trips = 0
  proxy.choose = () => {
    trips++
    return null
  }
  const store = open({ url: `redis://127.0.0.1:${proxy.port}` })
  const count = async (work: () => Promise<unknown>): Promise<number> => {
    const before = trips
    await work()
    return trips - before
  }
  return { store, count }
}

describe('a step', () => {
  it('takes one round trip, as an append does, also when it replaces the call that was put before', async () => {
    const { store, count } = await openCounting()
    await store.saveSession({ sessionId: 's' })
    const turn = { turnId: 't', status: 'running', prompt: 'p' }
    // The first of each kind loads its script.
    const all = async (n: number): Promise<number[]> => {
      const call = { callId: `c${n}`, toolName: 'search', arguments: { n } }
      const item = { itemId: `i${n}`, format: 'f', value: n }
      const steps: (() => Promise<unknown>)[] = [
        () => store.changeSession('s', { appendTurns: [n === 0 ? turn : { turnId: `t${n}` }] }),
        () => put(store, { ...call, status: 'running' }),
        () => put(store, { ...call, status: 'success', result: 1 }),
        () => store.changeSession('s', { updateTurns: [{ turnId: 't', putItems: [item] }] }),
        () => store.changeSession('s', { updateTurns: [{ turnId: 't', removeItems: [item.itemId] }] }),
        () =>
          store.changeSession('s', { updateTurns: [{ turnId: 't', putItems: [item] }] }, { idempotencyKey: `k${n}` }),
        () =>
          store.changeSession('s', { updateTurns: [{ turnId: 't', putItems: [item] }] }, { idempotencyKey: `k${n}` }),
      ]
      const counts = []
      for (const step of steps) counts.push(await count(step))
      return counts
    }
    await all(0)
    expect(await all(1)).toEqual([1, 1, 1, 1, 1, 1, 1])
    expect(await count(() => store.readParts('s', 't', { list: 'toolCalls', last: 2 }))).toBeGreaterThan(0)
    expect(await count(() => store.readParts('s', 't', { list: 'items' }))).toBe(1)
    await store.readTurns('s', { from: 0 })
    // The first time, the client learns that there are open turns.
    const tail = (): Promise<unknown> => store.readTurns('s', { last: 2 })
    expect([await count(tail), await count(tail)]).toEqual([2, 1])
    expect((await store.loadSession('s'))?.turns[0]?.toolCalls).toMatchObject([{ status: 'success' }, { result: 1 }])
  })

  it('recordTurn takes one round trip too, and more only where it opens an ended session again', async () => {
    const { store, count } = await openCounting()
    const manager = new SessionManager(store)
    await manager.startSession({ sessionId: 's', metadata: { deep: { ended: false } } })
    await manager.recordTurn('s')
    expect(await count(() => manager.recordTurn('s'))).toBe(1)
    await manager.endSession('s')
    expect(await count(() => manager.recordTurn('s'))).toBeGreaterThan(1)
    expect((await manager.getSummary('s'))?.metadata).toEqual({ deep: { ended: false } })
    expect(await count(() => manager.recordTurn('s'))).toBe(1)
  })

  it('takes two or three round trips where the client must decide, or create the session', async () => {
    const { store, count } = await openCounting()
    const all = async (n: number): Promise<number[]> => {
      const id = `s${n}`
      const update = (members: object) => () => store.changeSession(id, { updateTurns: [{ turnId: 't', ...members }] })
      const steps: (() => Promise<unknown>)[] = [
        () => store.changeSession(id, { appendTurns: [{ turnId: 't' }] }, { createIfMissing: {} }),
        // The first part opens the turn.
        update({ putItems: [{ format: 'f', value: 1 }] }),
        update({ putItems: [{ format: 'f', value: 2 }] }),
        update({ set: { status: 'error' } }),
        update({ removeItems: ['none'], putItems: [{ format: 'f', value: 3 }] }),
        () => store.changeSession(id, { setMetadata: { a: 1 } }),
      ]
      const counts = []
      for (const step of steps) counts.push(await count(step))
      return counts
    }
    await all(0)
    expect(await all(1)).toEqual([3, 3, 1, 2, 2, 2])
  })

  it('leaves to the client what a script cannot decide, and both agree', async () => {
    const store = open()
    const turns = [{ turnId: 't', status: 'success', prompt: 'p' }]
    await store.saveSession({ sessionId: 's', turns })
    // A whole turn is opened by its first part.
    expect((await put(store, { callId: 'a', toolName: 'f', arguments: { x: 1 } })).revision).toBe(2)
    expect((await put(store, { callId: 'a', toolName: 'f', arguments: { x: 1 }, result: 2 })).revision).toBe(3)
    await expect(put(store, { callId: 'a', toolName: 'f', arguments: { x: 2 } })).rejects.toMatchObject({
      code: 'CALL_ID_CONFLICT',
    })
    const limited = new RedisSessionStore({ url: server, keyPrefix: `${randomUUID()}:`, limits: { turnBytes: 2000 } })
    opened.push(() => limited.close())
    await limited.saveSession({ sessionId: 's', turns: [{ turnId: 't', status: 'running' }] })
    await put(limited, ...callsOf(0, 3))
    await expect(put(limited, ...callsOf(3, 5))).rejects.toMatchObject({ code: 'INVALID_RECORD' })
    expect((await limited.loadSession('s'))?.turns[0]?.toolCalls).toHaveLength(3)
  })

  it('finds the parts of a list in which many were removed', async () => {
    const store = open()
    await store.saveSession({ sessionId: 's', turns: [{ turnId: 't', status: 'running' }] })
    const count = 700
    await put(store, ...callsOf(0, count))
    const removed = Array.from({ length: count }, (_, index) => index).filter(index => index % 3 !== 1 && index > 5)
    for (let from = 0; from < removed.length; from += 100) {
      const removeToolCalls = removed.slice(from, from + 100).map(index => `c${index}`)
      await store.changeSession('s', { updateTurns: [{ turnId: 't', removeToolCalls }] })
    }
    await put(store, ...callsOf(count, 3))
    const left = Array.from({ length: count + 3 }, (_, index) => index).filter(index => !removed.includes(index))
    const idsOf = async (range: object): Promise<string[]> => {
      const page = await store.readParts('s', 't', { list: 'toolCalls', ...range })
      expect(page?.count).toBe(left.length)
      return page?.parts.map(({ callId }) => callId) ?? []
    }
    const ids = left.map(index => `c${index}`)
    for (const from of [0, 5, 6, 7, 100, left.length - 4, left.length]) {
      expect(await idsOf({ from, limit: 5 })).toEqual(ids.slice(from, from + 5))
    }
    for (const last of [1, 3, 4, 50, 1000]) expect(await idsOf({ last })).toEqual(ids.slice(-last))
    expect((await store.loadSession('s'))?.turns[0]?.toolCalls.map(({ callId }) => callId)).toEqual(ids)
  })

  it('works in a turn of very many parts, also one that is appended with them', async () => {
    const store = open()
    const count = 40_000
    await store.saveSession({ sessionId: 's' })
    await store.changeSession('s', { appendTurns: [{ turnId: 't', toolCalls: callsOf(0, count, 1) }] })
    expect((await put(store, ...callsOf(count, 1))).revision).toBe(3)
    expect((await store.readParts('s', 't', { list: 'toolCalls', last: 1 }))?.count).toBe(count + 1)
    const session = await store.loadSession('s')
    expect(session?.turns[0]?.toolCalls).toHaveLength(count + 1)
    const copy = { sessionId: 'copy', turns: session?.turns ?? [] }
    await store.saveSession(copy)
    expect((await store.loadSession('copy'))?.turns).toEqual(copy.turns)
  })

  it('leaves nothing of a turn that a rewind drops', async () => {
    const keyPrefix = `${randomUUID()}:`
    const store = open({ keyPrefix })
    await store.saveSession({ sessionId: 's', turns: [{ turnId: 'first' }, { turnId: 't', status: 'running' }] })
    await put(store, ...callsOf(0, 1500))
    await store.changeSession('s', { updateTurns: [{ turnId: 't', removeToolCalls: ['c3'] }] })
    await store.changeSession('s', { keepTurns: 1 })
    const client = new Redis(server)
    opened.push(() => client.disconnect())
    const fields = await client.hkeys(`${keyPrefix}{s}p`)
    // The log of changes stays.
    expect(fields.filter(field => !field.startsWith('~'))).toEqual([])
    await store.changeSession('s', { appendTurns: [{ turnId: 't', status: 'running' }] })
    expect((await put(store, ...callsOf(0, 1))).turnCount).toBe(2)
    expect((await store.loadSession('s'))?.turns[1]?.toolCalls).toHaveLength(1)
  })
})

describe('a reader in a loop', () => {
  it('sees whole states while four writers step, and does not starve', async () => {
    const keyPrefix = `${randomUUID()}:`
    const store = open({ keyPrefix })
    const WRITERS = 4
    // Large enough that a load takes several scripts.
    const turns = Array.from({ length: 40 }, (_, index) => ({ turnId: `t${index}`, prompt: 'x'.repeat(10_000) }))
    await store.saveSession({ sessionId: 's', turns: [{ turnId: 't', status: 'running' }, ...turns] })
    await put(store, ...callsOf(0, 2000, 'x'.repeat(500)))
    const reading = { isOver: false }
    /** Each step puts an item and then a call with the same number: a whole state never has more calls than items. */
    const write = async (writer: number): Promise<number> => {
      const own = open({ keyPrefix })
      let step = 0
      for (; !reading.isOver; step++) {
        const item = { itemId: `w${writer}`, format: 'f', value: step }
        const call = { callId: `w${writer}`, toolName: 'f', status: 'running', result: step }
        await own.changeSession('s', { updateTurns: [{ turnId: 't', putItems: [item] }] })
        await own.changeSession('s', { updateTurns: [{ turnId: 't', putToolCalls: [call] }] })
        if (step % 10 === 0) await own.changeSession('s', { appendTurns: [{ turnId: `w${writer}-${step}` }] })
      }
      return step
    }
    const writers = Array.from({ length: WRITERS }, (_, writer) => write(writer))
    const loads = 20 * thoroughness
    let [previous, changed] = [0, 0]
    for (let load = 0; load < loads; load++) {
      const session = await store.loadSession('s')
      expectWhole(session, WRITERS)
      const revision = session?.revision ?? 0
      expect(revision).toBeGreaterThanOrEqual(previous)
      if (revision > previous) changed++
      previous = revision
      const page = await store.readParts('s', 't', { list: 'toolCalls', from: 10 })
      expect(page?.parts).toHaveLength((page?.count ?? 0) - 10)
      const heads = await store.readTurns('s', {}, { parts: 'none' })
      expect(heads?.turns.length).toBe(heads?.turnCount)
    }
    reading.isOver = true
    const steps = await Promise.all(writers)
    expect(Math.min(...steps)).toBeGreaterThan(1)
    expect(changed).toBeGreaterThan(loads / 2)
  })
})

function expectWhole(session: SessionRecord | null, writers: number): void {
  const turn = session?.turns[0]
  expect(turn?.toolCalls.slice(0, 2000)).toHaveLength(2000)
  let changes = 0
  for (let writer = 0; writer < writers; writer++) {
    const item = turn?.items.find(({ itemId }) => itemId === `w${writer}`)?.value ?? -1
    const call = turn?.toolCalls.find(({ callId }) => callId === `w${writer}`)?.result ?? -1
    const appended = session?.turns.filter(({ turnId }) => turnId.startsWith(`w${writer}-`)).length ?? 0
    expect([item, Number(item) - 1], `the call of writer ${writer}`).toContain(call)
    // An append comes after the call of every tenth step.
    const done = Math.floor(Number(call) / 10) + 1
    expect([done, Number(call) % 10 === 0 ? done - 1 : done]).toContain(call === -1 ? done : appended)
    changes += Number(item) + 1 + Number(call) + 1 + appended
  }
  // The save, the put of the first calls, and each change once.
  expect(session?.revision).toBe(2 + changes)
}

describe('four processes', () => {
  it('put parts into one turn, some of them killed: each acknowledged part is there once, in one order', async () => {
    const keyPrefix = `${randomUUID()}:`
    const store = open({ keyPrefix })
    await store.saveSession({ sessionId: 's', turns: [{ turnId: 't', status: 'running' }] })
    const script = fileURLToPath(new URL('../stepping-child.mjs', import.meta.url))
    const acknowledged = new Set<string>()
    const children = Array.from({ length: 4 }, (_, number) => {
      const child = fork(script, [server, keyPrefix, `p${number}`])
      child.on('message', id => acknowledged.add(JSON.stringify(id)))
      return child
    })
    opened.push(() => {
      for (const child of children) child.kill('SIGKILL')
    })
    // 64 callers: 16 in each process.
    await until(() => acknowledged.size > 300 * thoroughness)
    for (const child of children.slice(0, 2)) child.kill('SIGKILL')
    const before = acknowledged.size
    await until(() => acknowledged.size > before + 200)
    for (const child of children.slice(2)) child.send('end')
    await until(() => children.every(({ exitCode, signalCode }) => exitCode !== null || signalCode !== null))
    const turn = (await store.loadSession('s'))?.turns[0]
    const ids = turn?.toolCalls.map(({ callId }) => callId) ?? []
    expect(new Set(ids).size).toBe(ids.length)
    expect([...acknowledged].filter(id => !ids.includes(id.slice(1, -1)))).toEqual([])
    const other = open({ keyPrefix })
    expect((await other.readParts('s', 't', { list: 'toolCalls' }))?.parts.map(({ callId }) => callId)).toEqual(ids)
  })
})
