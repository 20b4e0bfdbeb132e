import { statSync } from 'node:fs'
import type { SessionQuery, SessionStore } from '@turnstore/core'
import { InMemorySessionStore } from '@turnstore/memory'
import { describe, expect, it } from 'vitest'
import { MOST_MOVED } from '../../src/tables/moved-sessions.ts'
import { Folder } from '../folder.ts'

const folder = new Folder()

const time = (second: number): string => new Date(Date.UTC(2026, 0, 1) + second * 1000).toISOString()

const saved = (store: SessionStore, number: number): Promise<number> =>
  store.saveSession({
    sessionId: `s${number}`,
    workspaceId: number % 3 === 0 ? 'acme' : null,
    parentSessionId: number % 5 === 1 ? 's0' : null,
    createdAt: time(number % 7),
    updatedAt: time(number % 10),
  })

const append = (store: SessionStore, number: number, second: number): Promise<unknown> =>
  store.changeSession(`s${number}`, { appendTurns: [{ turnId: `t${second}` }], updatedAt: time(second) })

/** The sessions of all pages of a query. */
async function listing(store: SessionStore, query: SessionQuery): Promise<string[]> {
  const found: string[] = []
  let cursor: string | null | undefined
  while (cursor !== null) {
    const page = await store.querySessions({ ...query, ...(cursor !== undefined && { cursor }) })
    found.push(...page.sessions.map(({ sessionId, updatedAt, turnCount }) => `${sessionId} ${updatedAt} ${turnCount}`))
    cursor = page.cursor
  }
  return found
}

const queries: SessionQuery[] = (['asc', 'desc'] as const).flatMap(order =>
  (['updatedAt', 'createdAt'] as const).flatMap(orderBy =>
    [
      {},
      { workspaceId: 'acme' },
      { workspaceId: null },
      { parentSessionId: 's0' },
      { parentSessionId: null },
      { updatedAfter: time(4), updatedBefore: time(160) },
      { workspaceId: 'acme', updatedAfter: time(100), limit: 2 },
    ].map(filter => ({ limit: 7, ...filter, orderBy, order })),
  ),
)

const countMoved = (): unknown =>
  folder.handle().prepare('SELECT count(*) FROM turnstore_sessions WHERE moved = 1').pluck().get()

describe('moved sessions', () => {
  it('are listed in the right place, however many there are', async () => {
    const store = folder.open({ durability: 'process-crash' })
    const model = new InMemorySessionStore()
    for (let number = 0; number < 60; number++) for (const each of [store, model]) await saved(each, number)
    let listed = 0
    // More than may be marked. Some change again and again, some are saved or deleted meanwhile.
    for (let second = 100; second < 220; second++) {
      const number = second % 4 === 0 ? second % 3 : (second * 37) % 60
      for (const each of [store, model]) {
        if (second % 29 === 0) await each.deleteSession(`s${number}`)
        if (second % 29 === 0 || second % 11 === 0) await saved(each, number)
        else await append(each, number, second)
      }
      if (second % 10 !== 0) continue
      for (const query of queries) {
        const found = await listing(store, query)
        expect({ query, found }).toStrictEqual({ query, found: await listing(model, query) })
        listed += found.length
      }
    }
    expect(listed).toBeGreaterThan(5000)
    expect(await store.checkIntegrity()).toStrictEqual({ ok: true, problems: [] })
  })

  it('are never more than MOST_MOVED', async () => {
    const store = folder.open({ durability: 'process-crash' })
    for (let number = 0; number < MOST_MOVED + 3; number++) await saved(store, number)
    expect(countMoved()).toBe(0)
    for (let number = 0; number < MOST_MOVED; number++) await append(store, number, 100 + number)
    await append(store, 0, 150)
    expect(countMoved()).toBe(MOST_MOVED)
    await append(store, MOST_MOVED, 200)
    expect(countMoved()).toBe(1)
    await store.deleteSession(`s${MOST_MOVED}`)
    expect(countMoved()).toBe(0)
  })

  it('are moved without writing the indexes: an append writes two pages', async () => {
    const store = folder.open({ durability: 'process-crash' })
    await saved(store, 0)
    await append(store, 0, 100)
    const wal = (): number => statSync(`${folder.database}-wal`).size
    const before = wal()
    // Fewer than a block of turn ids.
    for (let second = 101; second <= 110; second++) await append(store, 0, second)
    // A frame is a page of 8 KiB after a header of 24 bytes (https://www.sqlite.org/fileformat2.html#walformat).
    expect((wal() - before) / (8192 + 24)).toBe(20)
  })

  // A single flipped bit can turn a text into a blob.
  it.each([
    ['its time of change', 'places', 'is_head = 1 AND session = 1', 'updated_key', MOST_MOVED + 1],
    ['its agent', 'sessions', 'id = 1', 'agent_id', MOST_MOVED + 1],
    ['its id', 'sessions', 'id = 1', 'session_id', MOST_MOVED],
    ['its time of creation', 'sessions', 'id = 1', 'created_key', MOST_MOVED],
  ])('are listed and settled if one of them holds no text as %s', async (_name, table, row, column, listed) => {
    const store = folder.open({ durability: 'process-crash' })
    for (let number = 0; number <= MOST_MOVED; number++) await saved(store, number)
    for (let number = 0; number < MOST_MOVED; number++) await append(store, number, 100 + number)
    const database = folder.handle()
    database.unsafeMode(true)
    const declare = (from: string, to: string): unknown =>
      database.exec(`PRAGMA writable_schema = ON;
        UPDATE sqlite_schema SET sql = replace(sql, '${from}', '${to}') WHERE name = 'turnstore_${table}';
        PRAGMA writable_schema = RESET`)
    declare(') STRICT', ') /* STRICT */')
    expect(database.prepare(`UPDATE turnstore_${table} SET ${column} = x'00' WHERE ${row}`).run().changes).toBe(1)
    declare(') /* STRICT */', ') STRICT')
    for (let round = 0; round < 2; round++) {
      for (const orderBy of ['updatedAt', 'createdAt'] as const) {
        for (const order of ['asc', 'desc'] as const) {
          const { sessions, damaged = [] } = await store.querySessions({ orderBy, order, limit: 1000 })
          const found = sessions.length + damaged.length
          expect([orderBy, order, found]).toStrictEqual([
            orderBy,
            order,
            column === 'created_key' && orderBy === 'updatedAt' ? MOST_MOVED + 1 : listed,
          ])
          expect(await listing(store, { orderBy, order, limit: 1 })).toHaveLength(sessions.length)
        }
      }
      // One more than may be marked.
      await append(store, MOST_MOVED, 200 + round)
      expect(countMoved()).toBe(column === 'updated_key' ? 1 : 2)
    }
    expect((await store.checkIntegrity()).ok).toBe(false)
  })

  it('whose mark or position does not match the session are reported by checkIntegrity', async () => {
    const store = folder.open()
    await saved(store, 0)
    await append(store, 0, 100)
    folder.handle().exec("UPDATE turnstore_places SET updated_key = 'x' WHERE is_head = 1")
    expect((await store.checkIntegrity()).problems).toStrictEqual([
      { sessionId: 's0', message: 'It is listed at another time than it was updated' },
    ])
  })
})
