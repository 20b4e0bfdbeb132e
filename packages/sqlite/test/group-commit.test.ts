import { describe, expect, it } from 'vitest'
import { append, at } from '../../../scripts/testing/sessions.ts'
import { Folder } from './folder.ts'

const folder = new Folder()

/** How often the rest of the process had its turn while one caller awaited so many appends. */
async function turnsDuring(appends: number, durability: 'power-loss' | 'process-crash'): Promise<number> {
  const store = folder.open({ durability })
  await store.saveSession({ sessionId: 's', createdAt: at })
  let turns = 0
  let isOver = false
  const turn = (): void => {
    turns++
    if (!isOver) setImmediate(turn)
  }
  setImmediate(turn)
  for (let i = 0; i < appends; i++) await store.changeSession('s', append(`t${i}`))
  isOver = true
  return turns
}

describe('writes that come alone', () => {
  it('are committed at once with process-crash, and the rest of the process has its turn all the same', async () => {
    const turns = await turnsDuring(320, 'process-crash')
    expect(turns).toBeGreaterThanOrEqual(320 / 16 - 1)
    expect(turns).toBeLessThan(320 / 4)
  })

  it('wait for others with power-loss, where company saves a sync', async () => {
    expect(await turnsDuring(50, 'power-loss')).toBeGreaterThanOrEqual(50)
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
      new Promise(resolve => setTimeout(resolve)).then(() => store.changeSession(sessionId, append(turnId)))
    for (let i = 0; i < 100; i++) await Promise.all([later('a', `t${i}`), later('b', `t${i}`)])
    expect(commits).toBeLessThan(150)
  })
})
