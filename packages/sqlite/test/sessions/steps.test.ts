import { statSync } from 'node:fs'
import type { SqliteSessionStore } from '@turnstore/sqlite'
import { describe, expect, it } from 'vitest'
import { append, at } from '../../../../scripts/testing/sessions.ts'
import { Folder } from '../folder.ts'

const folder = new Folder()

const call = (callId: string, bytes = 500): { callId: string; toolName: string; result: string } => ({
  callId,
  toolName: 'search',
  result: 'x'.repeat(bytes),
})

const put = (store: SqliteSessionStore, turnId: string, ...putToolCalls: ReturnType<typeof call>[]): Promise<unknown> =>
  store.changeSession('s', { updateTurns: [{ turnId, putToolCalls }], updatedAt: at })

/** Whether each turn is opened, in the order of their places. */
const opened = (): unknown[] =>
  folder.handle().prepare('SELECT opened FROM turnstore_turns ORDER BY session, seq').pluck().all()

const rowsOf = (table: string): unknown => folder.handle().prepare(`SELECT count(*) FROM ${table}`).pluck().get()

describe('a turn', () => {
  it('is opened when it is running or large, and stays opened', async () => {
    const store = folder.open({ durability: 'process-crash' })
    const large = Array.from({ length: 20 }, (_, index) => call(`c${index}`, 1000))
    await store.saveSession({
      sessionId: 's',
      turns: [
        { turnId: 'small' },
        { turnId: 'running', status: 'running' },
        { turnId: 'large', toolCalls: large },
        { turnId: 'medium', toolCalls: large.slice(0, 12) },
      ],
    })
    expect(opened()).toEqual([0, 1, 1, 0])
    for (const turnId of ['small', 'running', 'large', 'medium']) await put(store, turnId, call('new'))
    expect(opened()).toEqual([0, 1, 1, 1])
    await store.changeSession('s', { updateTurns: [{ turnId: 'running', set: { status: 'success' } }], updatedAt: at })
    await put(store, 'small', call('long', 9000))
    expect(opened()).toEqual([1, 1, 1, 1])
    const { turns } = (await store.loadSession('s')) ?? { turns: [] }
    expect(turns.map(({ toolCalls }) => toolCalls.length)).toEqual([2, 1, 21, 13])
    expect(await store.checkIntegrity()).toEqual({ ok: true, problems: [] })
  })

  it('that is opened loses its parts with a rewind, a save and a delete, and no other turn does', async () => {
    const store = folder.open({ durability: 'process-crash' })
    const running = ['a', 'b', 'c'].map(turnId => ({ turnId, status: 'running', toolCalls: [call('1'), call('2')] }))
    for (const sessionId of ['s', 'other']) await store.saveSession({ sessionId, turns: running })
    expect(rowsOf('turnstore_parts')).toBe(12)
    await store.changeSession('s', { keepTurns: 1, updatedAt: at })
    expect(rowsOf('turnstore_parts')).toBe(8)
    await store.saveSession({ sessionId: 's', turns: [{ turnId: 'd', status: 'running', toolCalls: [call('1')] }] })
    expect(rowsOf('turnstore_parts')).toBe(7)
    await store.deleteSession('s')
    expect(rowsOf('turnstore_parts')).toBe(6)
    expect((await store.loadSession('other'))?.turns.map(turn => turn.toolCalls.length)).toEqual([2, 2, 2])
    expect(await store.checkIntegrity()).toEqual({ ok: true, problems: [] })
  })

  it('is written by a step in as many pages, whatever it holds', async () => {
    const store = folder.open({ durability: 'process-crash' })
    const many = Array.from({ length: 2000 }, (_, index) => call(`many${index}`))
    const turns = [{ turnId: 'full', status: 'running', prompt: 'x'.repeat(1_000_000), toolCalls: many }]
    await store.saveSession({ sessionId: 's', turns })
    await store.saveSession({ sessionId: 'empty', turns: [{ turnId: 'full', status: 'running' }] })
    const handle = folder.handle()
    const bytesOf = async (sessionId: string): Promise<number> => {
      handle.pragma('wal_checkpoint(TRUNCATE)')
      for (let step = 0; step < 50; step++) {
        const putToolCalls = [call(`${step}`)]
        await store.changeSession(sessionId, { updateTurns: [{ turnId: 'full', putToolCalls }], updatedAt: at })
      }
      return statSync(`${folder.database}-wal`).size / 50 / 8192
    }
    const [empty, full] = [await bytesOf('empty'), await bytesOf('s')]
    expect(empty).toBeLessThan(5)
    expect(full).toBeLessThan(5.5)
  })

  it('that was read by its parts after removals gives the right ones, from either end', async () => {
    const store = folder.open({ durability: 'process-crash' })
    const ids = Array.from({ length: 30 }, (_, index) => `c${index}`)
    await store.saveSession({ sessionId: 's', turns: [{ turnId: 't', status: 'running' }] })
    await put(store, 't', ...ids.map(id => call(id)))
    const removeToolCalls = ['c0', 'c7', 'c8', 'c29']
    await store.changeSession('s', { updateTurns: [{ turnId: 't', removeToolCalls }], updatedAt: at })
    const left = ids.filter(id => !removeToolCalls.includes(id))
    for (let from = 0; from <= left.length; from++) {
      for (const limit of [1, 5, 40]) {
        const page = await store.readParts('s', 't', { list: 'toolCalls', from, limit })
        expect(page?.parts.map(({ callId }) => callId)).toEqual(left.slice(from, from + limit))
      }
    }
  })
})

describe('what a session remembers by keys', () => {
  it('is in at most 256 rows, which saves keep and a delete drops', async () => {
    const store = folder.open({ durability: 'process-crash' })
    for (const sessionId of ['s', 'other']) {
      await store.saveSession({ sessionId })
      const changes = Array.from({ length: 260 }, (_, index) =>
        store.changeSession(sessionId, append(`t${index}`), { idempotencyKey: `key ${index}` }),
      )
      await Promise.all(changes)
    }
    expect(rowsOf('turnstore_keys')).toBe(512)
    await store.saveSession({ sessionId: 's' })
    await store.changeSession('s', { keepTurns: 0, updatedAt: at })
    const again = await store.changeSession('s', append('t259'), { idempotencyKey: 'key 259' })
    expect(again).toMatchObject({ replayed: true, turnCount: 260 })
    expect(await store.changeSession('s', append('t3'), { idempotencyKey: 'key 3' })).not.toHaveProperty('replayed')
    expect(rowsOf('turnstore_keys')).toBe(512)
    await store.deleteSession('s')
    expect(rowsOf('turnstore_keys')).toBe(256)
    expect(await store.checkIntegrity()).toEqual({ ok: true, problems: [] })
  })
})
