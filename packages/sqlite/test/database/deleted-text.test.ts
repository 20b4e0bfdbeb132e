import { existsSync, readFileSync } from 'node:fs'
import { SessionManager } from '@turnstore/core'
import { SqliteSessionStore } from '@turnstore/sqlite'
import { describe, expect, it } from 'vitest'
import { converse } from '../../../../scripts/testing/converse.ts'
import { thoroughness } from '../../../../scripts/testing/machine.ts'
import { Folder } from '../folder.ts'

const folder = new Folder()

/** How often the files of a database hold a text. */
function occurrences(path: string, text: string): number {
  return [path, `${path}-wal`, `${path}-shm`, `${path}-journal`]
    .filter(file => existsSync(file))
    .reduce((sum, file) => sum + readFileSync(file).toString('latin1').split(text).length - 1, 0)
}

describe('deleted text is in no byte of the database or its WAL', () => {
  it.each(Array.from({ length: 3 * thoroughness }, (_, index) => index))(
    'after the last close (seed %i)',
    async seed => {
      const path = folder.path(`deleted-${seed}.db`)
      const store = new SqliteSessionStore(path, { durability: 'process-crash' })
      await Promise.all(['kept-1', 'gone-1', 'kept-2', 'gone-2'].map(id => converse(store, id, `SECRET-${id}`, seed)))
      expect(occurrences(path, 'SECRET-gone')).toBeGreaterThan(100)
      const other = new SqliteSessionStore(path, { durability: 'process-crash' })
      await other.ready()
      await store.deleteSession('gone-1')
      await new SessionManager(store).rewindSession('gone-2', 2)
      await store.deleteSession('gone-2')
      await store.close()
      await other.close()
      expect(occurrences(path, 'SECRET-gone')).toBe(0)
      expect(occurrences(path, 'SECRET-kept')).toBeGreaterThan(100)
    },
  )

  it('after kill -9, the next open and close', async () => {
    const path = folder.path('killed.db')
    const store = new SqliteSessionStore(path, { durability: 'process-crash' })
    await converse(store, 'gone', 'SECRET-gone', 7)
    await converse(store, 'kept', 'SECRET-kept', 7)
    await store.close()
    const child = folder.run(
      `await store.deleteSession('gone')
       say('deleted')
       await sleep(60_000)`,
      { path },
    )
    expect(await child.line()).toBe('deleted')
    await child.kill()
    const next = new SqliteSessionStore(path)
    expect(await next.listSessions()).toEqual(['kept'])
    await next.close()
    expect(occurrences(path, 'SECRET-gone')).toBe(0)
    expect(occurrences(path, 'SECRET-kept')).toBeGreaterThan(100)
  })

  it('while others go on: a store that is closed rewrites the database beside one that writes', async () => {
    const path = folder.path('shared.db')
    const other = new SqliteSessionStore(path, { durability: 'process-crash' })
    await converse(other, 'kept', 'SECRET-kept', 7)
    let turns = 0
    for (let round = 0; round < 12; round++) {
      const store = new SqliteSessionStore(path, { durability: 'process-crash' })
      await converse(store, 'gone', 'SECRET-gone', round)
      await store.deleteSession('gone')
      const writes = Array.from({ length: 8 }, async () => {
        await new SessionManager(other).recordTurn('kept', { prompt: 'x'.repeat(3000) })
        turns++
      })
      await Promise.all([store.close(), ...writes])
      await new SessionManager(other).recordTurn('kept', { prompt: 'SECRET-kept' })
      turns++
    }
    expect((await other.loadSummary('kept'))?.turnCount).toBe(13 + turns)
    expect(await other.checkIntegrity()).toEqual({ ok: true, problems: [] })
    await other.close()
    expect(occurrences(path, 'SECRET-gone')).toBe(0)
  })
})
