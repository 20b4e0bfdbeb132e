import type { SqliteSessionStore } from '@turnstore/sqlite'
import { describe, expect, it } from 'vitest'
import { append, at, failureOf } from '../../../../scripts/testing/sessions.ts'
import { Folder } from '../folder.ts'

const folder = new Folder()

/** How often the rest of the process had its turn while one caller awaited so many calls. */
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

describe('writes that come alone', () => {
  it('are committed at once with process-crash, and the rest of the process has its turn all the same', async () => {
    const store = await storeWithSession('process-crash')
    const turns = await turnsDuring(320, i => store.changeSession('s', append(`t${i}`)))
    expect(turns).toBeGreaterThanOrEqual(320 / 17 - 1)
    expect(turns).toBeLessThan(320 / 4)
  })

  it.each([
    ['each of them', `UPDATE turnstore_places SET revision = NULL WHERE is_head = 1`],
    ['their commit', `UPDATE turnstore_settings SET value = 99`],
  ])('and fail leave the rest of the process its turn as well (%s)', async (_what, damage) => {
    const store = await storeWithSession('process-crash')
    folder.handle().exec(damage)
    const turns = await turnsDuring(320, i => failureOf(store.changeSession('s', append(`t${i}`))))
    expect(turns).toBeGreaterThanOrEqual(320 / 17 - 1)
  })

  it('and are large leave the rest of the process its turn between few of them', async () => {
    const store = await storeWithSession('process-crash')
    const prompt = 'x'.repeat(4_000_000)
    const turns = await turnsDuring(16, i => store.changeSession('s', { appendTurns: [{ turnId: `t${i}`, prompt }], updatedAt: at }))
    expect(turns).toBeGreaterThanOrEqual(16 / 3)
  })

  it('wait for others with power-loss, where company saves a sync', async () => {
    const store = await storeWithSession('power-loss')
    expect(await turnsDuring(50, i => store.changeSession('s', append(`t${i}`)))).toBeGreaterThanOrEqual(50)
  })

  it('wait for others once some came together', async () => {
    let commits = 0
    const database = folder.handle(folder.database, { verbose: statement => (commits += Number(statement === 'COMMIT')) })
    database.pragma('journal_mode = WAL')
    const store = folder.open({ durability: 'process-crash' }, database)
    for (const sessionId of ['a', 'b']) await store.saveSession({ sessionId, createdAt: at })
    commits = 0
    // As two sockets would: each calls by itself, in the same turn of the event loop.
    const later = (sessionId: string, turnId: string): Promise<unknown> =>
      new Promise(resolve => setImmediate(resolve)).then(() => store.changeSession(sessionId, append(turnId)))
    for (let i = 0; i < 100; i++) await Promise.all([later('a', `t${i}`), later('b', `t${i}`)])
    expect(commits).toBeLessThan(150)
  })
})
