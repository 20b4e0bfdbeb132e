import { readFileSync } from 'node:fs'
import { type SqliteDatabase, SqliteSessionStore } from '@turnstore/sqlite'
import Encrypted from 'better-sqlite3-multiple-ciphers'
import Database from 'better-sqlite3'
import { describe, expect, it } from 'vitest'
import { append, at, failureOf, turnIdsOf } from '../../../../scripts/testing/sessions.ts'
import { Folder } from '../folder.ts'

const folder = new Folder()

const withKey =
  (key: string) =>
  (path: string): SqliteDatabase => {
    const database = new Encrypted(path)
    database.pragma(`key = '${key}'`)
    return database
  }

describe('a store with the option open', () => {
  it('works on an encrypted database, which another key does not read', async () => {
    const store = folder.open({ open: withKey('one') })
    await store.saveSession({ sessionId: 's', createdAt: at, turns: [{ turnId: 'a', prompt: 'a secret prompt' }] })
    // More than a thousand pages, so that SQLite checkpoints in between.
    for (let i = 0; i < 30; i++) {
      await store.changeSession('s', { appendTurns: [{ turnId: `t${i}`, prompt: 'x'.repeat(300_000) }], updatedAt: at })
    }
    const second = folder.open({ open: withKey('one') })
    await second.changeSession('s', append('b'))
    expect(turnIdsOf(await store.loadSession('s'))).toHaveLength(32)
    expect(await store.checkIntegrity()).toEqual({ ok: true, problems: [] })
    expect(store.capabilities).toEqual({
      durability: 'power-loss',
      sharing: 'host',
      constantAppend: true,
      constantStep: true,
      search: 'scan',
    })
    await store.close()
    await second.close()
    expect(readFileSync(folder.database).includes('secret')).toBe(false)

    for (const open of [withKey('two'), undefined]) {
      const other = folder.open({ ...(open && { open }), timeoutMs: 200 })
      expect(await failureOf(other.loadSession('s'))).toMatchObject({ code: 'STORE_UNAVAILABLE' })
      await other.close()
    }
    expect(await folder.open({ open: withKey('one') }).listSessions()).toEqual(['s'])
  })

  it('makes encrypted backups', async () => {
    const store = folder.open({ open: withKey('one') })
    await store.saveSession({ sessionId: 's', createdAt: at, turns: [{ turnId: 'a', prompt: 'a secret prompt' }] })
    await store.backup(folder.path('copy.db'))
    expect(readFileSync(folder.path('copy.db')).includes('secret')).toBe(false)
    const copy = folder.open({ open: withKey('one') }, folder.path('copy.db'))
    expect(turnIdsOf(await copy.loadSession('s'))).toEqual(['a'])
  })

  it('sets up the handle, never waits inside SQLite, and closes it', async () => {
    const opened: Database.Database[] = []
    const open = (path: string): Database.Database => {
      opened.push(new Database(path, { timeout: 60_000 }))
      return opened[0] ?? new Database(path)
    }
    const store = folder.open({ open, timeoutMs: 200 })
    await store.saveSession({ sessionId: 's', createdAt: at })
    const [database] = opened
    expect(
      ['busy_timeout', 'journal_mode', 'synchronous'].map(name => database?.pragma(name, { simple: true })),
    ).toEqual([0, 'wal', 2])
    const holder = await folder.holder()
    expect((await failureOf(store.changeSession('s', append('a')))).code).toBe('STORE_BUSY')
    holder.tell('end')
    await holder.rest()
    await store.close()
    expect(opened.map(handle => handle.open)).toEqual([false])
  })

  it('says so if that opens nothing', async () => {
    // As from JavaScript, without types.
    const construct = (): unknown => Reflect.construct(SqliteSessionStore, [folder.database, { open: () => undefined }])
    const store = construct()
    if (!(store instanceof SqliteSessionStore)) throw new TypeError('no store')
    expect(await failureOf(store.listSessions())).toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: 'options.open must return a new Database of better-sqlite3',
    })
  })
})
