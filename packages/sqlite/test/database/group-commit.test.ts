import type { SqliteSessionStore } from '@turnstore/sqlite'
import { describe, expect, it } from 'vitest'
import { append, at, failureOf } from '../../../../scripts/testing/sessions.ts'
import { Folder } from '../folder.ts'

const folder = new Folder()

/** How many ticks the event loop ran while one caller awaited so many calls. */
async function turnsDuring(calls: number, call: (number: number) => Promise<unknown>): Promise<number> {
  let turns = 0
  let isOver = false
  const turn = (): void => {
    turns++
    if (!isOver) setImmediate(turn)
  }
  setImmediate(turn)
  for (let i = 0; i < calls; i++) await call(i)
  isOver = true
  return turns
}

async function storeWithSession(durability: 'power-loss' | 'process-crash'): Promise<SqliteSessionStore> {
  const store = folder.open({ durability })
  await store.saveSession({ sessionId: 's', createdAt: at })
  return store
}

describe('single writes', () => {
  it('are committed at once with process-crash, and still yield to the event loop', async () => {
    const store = await storeWithSession('process-crash')
    const turns = await turnsDuring(320, i => store.changeSession('s', append(`t${i}`)))
    expect(turns).toBeGreaterThanOrEqual(320 / 17 - 1)
    expect(turns).toBeLessThan(320 / 4)
  })

  it.each([
    ['each of them', `UPDATE turnstore_places SET revision = NULL WHERE is_head = 1`],
    ['their commit', `UPDATE turnstore_settings SET value = 99`],
  ])('that fail yield to the event loop as well (%s)', async (_what, damage) => {
    const store = await storeWithSession('process-crash')
    folder.handle().exec(damage)
    const turns = await turnsDuring(320, i => failureOf(store.changeSession('s', append(`t${i}`))))
    expect(turns).toBeGreaterThanOrEqual(320 / 17 - 1)
  })

  it('that are large yield to the event loop every few writes', async () => {
    const store = await storeWithSession('process-crash')
    const prompt = 'x'.repeat(4_000_000)
    const turns = await turnsDuring(16, i =>
      store.changeSession('s', { appendTurns: [{ turnId: `t${i}`, prompt }], updatedAt: at }),
    )
    expect(turns).toBeGreaterThanOrEqual(16 / 3)
  })

  it('wait for others with power-loss, where sharing saves a sync', async () => {
    const store = await storeWithSession('power-loss')
    expect(await turnsDuring(50, i => store.changeSession('s', append(`t${i}`)))).toBeGreaterThanOrEqual(50)
  })

  it('wait for others after writes that shared a commit', async () => {
    let commits = 0
    const database = folder.handle(folder.database, {
      verbose: statement => (commits += Number(statement === 'COMMIT')),
    })
    database.pragma('journal_mode = WAL')
    const store = folder.open({ durability: 'process-crash' }, database)
    for (const sessionId of ['a', 'b']) await store.saveSession({ sessionId, createdAt: at })
    commits = 0
    // As from two sockets: each calls by itself, in the same tick.
    const later = (sessionId: string, turnId: string): Promise<unknown> =>
      new Promise(resolve => setImmediate(resolve)).then(() => store.changeSession(sessionId, append(turnId)))
    for (let i = 0; i < 100; i++) await Promise.all([later('a', `t${i}`), later('b', `t${i}`)])
    expect(commits).toBeLessThan(150)
  })
})
