import { copyFileSync, utimesSync, writeFileSync } from 'node:fs'
import type { SqliteSessionStore } from '@turnstore/sqlite'
import { expect, it } from 'vitest'
import { append, at } from '../../../../scripts/testing/sessions.ts'
import { Folder } from '../folder.ts'

const folder = new Folder()
const copy = (): string => folder.path('copy.db')

it.each([
  ['a backup', (store: SqliteSessionStore) => store.backup(copy())],
  ['an older copy', async () => copyFileSync(folder.path('older.db'), copy())],
  ['an empty file', async () => writeFileSync(copy(), '')],
  ['a text', async () => writeFileSync(copy(), 'x'.repeat(20_000))],
])('a database that is overwritten in place is noticed: %s', async (_name, make) => {
  // In a process that is killed: a process that ends would write its WAL into the file.
  await folder.once(store => store.saveSession({ sessionId: 's', createdAt: at }))
  copyFileSync(folder.database, folder.path('older.db'))
  const text = 'x'.repeat(50_000)
  await folder.once(store =>
    store.saveSession({ sessionId: 'more', createdAt: at, turns: [{ turnId: 'a', prompt: text }] }),
  )
  await folder.once(make)
  // Programs that copy files keep the time of the source, which may be the same.
  const time = new Date('2026-01-01T00:00:00Z')
  utimesSync(folder.database, time, time)
  const child = folder.run(`await store.changeSession('s', append('a'))
    say('ready')
    for await (const _line of createInterface(process.stdin)) break
    say(await store.changeSession('s', append('b')).then(() => 'stored', codeOf))
    say(await store.loadSession('s').then(() => 'read', codeOf))
    setInterval(() => {}, 1000)`)
  expect([await child.line(), child.errors]).toEqual(['ready', ''])
  copyFileSync(copy(), folder.database)
  utimesSync(folder.database, time, time)
  child.tell('go')
  expect([await child.line(), await child.line()]).toEqual(['STORE_UNAVAILABLE not-stored', 'STORE_UNAVAILABLE '])
  await child.kill()
})

it('a database that other processes write, grow and shrink does not count as overwritten', async () => {
  const [one, two] = [folder.open({ durability: 'process-crash' }), folder.open({ durability: 'process-crash' })]
  await one.saveSession({ sessionId: 's', createdAt: at })
  for (let round = 0; round < 30; round++) {
    const turns = Array.from({ length: 20 }, (_, index) => ({ turnId: `t${index}`, prompt: 'x'.repeat(5000) }))
    await two.saveSession({ sessionId: `${round}`, turns })
    await one.changeSession('s', append(`${round}`))
    if (round % 3 === 0) folder.handle().pragma('wal_checkpoint(TRUNCATE)')
    if (round % 5 === 0) await two.deleteSession(`${round}`)
    if (round % 7 === 0) folder.handle().exec('VACUUM')
    await one.loadSummary('s')
  }
  expect((await one.loadSession('s'))?.turns).toHaveLength(30)
})
