import { SqliteSessionStore, type SqliteSessionStoreOptions } from '@turnstore/sqlite'
import Database from 'better-sqlite3'
import { describe, expect, it } from 'vitest'
import { containing } from '../../../../scripts/testing/matchers.ts'
import { append, at, failureOf, turnIdsOf } from '../../../../scripts/testing/sessions.ts'
import { Folder } from '../folder.ts'
import { ownersDatabase } from '../owners-database.ts'

const folder = new Folder()

describe('a shared handle is refused, with what to do about it', () => {
  it.each([
    'TABLE turnstore_turns AS SELECT * FROM turnstore_turns',
    'VIEW Turnstore_Sessions AS SELECT * FROM main.turnstore_sessions',
  ])('while it has a temporary table or view that hides ours: %s', async temporary => {
    await folder.once(store => store.saveSession({ sessionId: 's', createdAt: at, turns: [{ turnId: 'a' }] }))
    const database = ownersDatabase(folder)
    database.exec(`CREATE TEMP TABLE others (x); CREATE TEMP ${temporary}`)
    const [, kind = '', name = ''] = /^(\w+) (\w+)/.exec(temporary) ?? []
    const store = folder.open({}, database)
    for (const call of [() => store.changeSession('s', append('b')), () => store.saveSession({ sessionId: 'new' })]) {
      expect(await failureOf(call())).toMatchObject({
        code: 'STORE_UNAVAILABLE',
        outcome: 'not-stored',
        message: containing(`temporary ${kind.toLowerCase()} "${name}"`),
      })
    }
    database.exec(`DROP ${kind} temp.${name}`)
    await store.changeSession('s', append('c'))
    expect(turnIdsOf(await store.loadSession('s'))).toEqual(['a', 'c'])
    expect(await store.listSessions()).toEqual(['s'])
  })

  const settings: [set: string, ours: string, message: string, options?: SqliteSessionStoreOptions][] = [
    ['full_column_names = ON', 'full_column_names = OFF', 'another full_column_names'],
    ['short_column_names = OFF', 'short_column_names = ON', 'set PRAGMA short_column_names = 1'],
    ['synchronous = NORMAL', 'synchronous = FULL', 'set PRAGMA synchronous = FULL, or the option durability'],
    ['synchronous = OFF', 'synchronous = NORMAL', 'set PRAGMA synchronous = NORMAL', { durability: 'process-crash' }],
    ['busy_timeout = 101', 'busy_timeout = 100', 'busy_timeout 101, and a call may wait 100 ms', { timeoutMs: 100 }],
  ]
  it.each(settings)('if it is set to %s, and not with %s', async (set, ours, message, options) => {
    const database = ownersDatabase(folder)
    database.exec(`PRAGMA ${set}`)
    const store = folder.open(options, database)
    expect(await failureOf(store.saveSession({ sessionId: 's' }))).toMatchObject({
      code: 'STORE_UNAVAILABLE',
      outcome: 'not-stored',
      message: containing(message),
    })
    expect(database.prepare(`SELECT name FROM sqlite_schema WHERE name LIKE 'turnstore%'`).all()).toEqual([])
    database.exec(`PRAGMA ${ours}`)
    expect(await store.saveSession({ sessionId: 's' })).toBe(1)
  })

  it.each([
    ['FULL', {}],
    ['NORMAL', { durability: 'process-crash' }],
  ] as const)('with a rollback journal and synchronous %s, which would do with a WAL', async (synchronous, options) => {
    const database = ownersDatabase(folder)
    database.exec(`PRAGMA journal_mode = DELETE; PRAGMA synchronous = ${synchronous}`)
    const store = folder.open(options, database)
    expect((await failureOf(store.saveSession({ sessionId: 's' }))).message).toContain('set PRAGMA journal_mode = WAL')
    database.exec('PRAGMA journal_mode = WAL')
    expect(await store.saveSession({ sessionId: 's' })).toBe(1)
  })

  it.each(['UTF-16le', 'UTF-16be'])('with encoding %s', async encoding => {
    const database = folder.handle()
    database.exec(`PRAGMA encoding = '${encoding}'; CREATE TABLE notes (text TEXT)`)
    const error = await failureOf(folder.open({}, database).saveSession({ sessionId: 's' }))
    expect(error).toMatchObject({ code: 'STORE_UNAVAILABLE', outcome: 'not-stored' })
    expect(error.message).toContain(`encoding ${encoding}`)
    expect(error.message).toContain(`PRAGMA encoding = 'UTF-8'`)
    expect(database.prepare('SELECT name FROM sqlite_schema').pluck().all()).toEqual(['notes'])
  })

  it.each(['off', 'memory'])('with journal_mode %s', async mode => {
    const database = folder.handle()
    // The driver allows `off` only in unsafe mode.
    database.unsafeMode(true)
    database.pragma(`journal_mode = ${mode}`)
    const error = await failureOf(folder.open({}, database).saveSession({ sessionId: 's' }))
    expect(error).toMatchObject({ code: 'STORE_UNAVAILABLE', outcome: 'not-stored' })
    expect(error.message).toContain(`journal_mode ${mode}`)
    expect(error.message).toContain('set PRAGMA journal_mode = WAL')
    expect(database.prepare('SELECT name FROM sqlite_schema').pluck().all()).toEqual([])
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL')
    await folder.open({}, database).saveSession({ sessionId: 's' })
  })

  it.each(['3.51.2', '3.50.9', '2.9.9'])('with SQLite %s', async version => {
    const database = folder.shared()
    database.function('sqlite_version', () => version)
    const error = await failureOf(folder.open({}, database).saveSession({ sessionId: 's' }))
    expect(error).toMatchObject({ code: 'STORE_UNAVAILABLE', outcome: 'not-stored' })
    expect(error.message).toContain(`SQLite ${version}`)
    expect(error.message).toContain('update better-sqlite3')
    expect(database.prepare('SELECT name FROM sqlite_schema').pluck().all()).toEqual([])
  })

  it.each(['3.51.3', '3.51.10', '3.100.0', '4.0.0'])('but not with SQLite %s', async version => {
    const database = folder.shared()
    database.function('sqlite_version', () => version)
    expect(await folder.open({}, database).saveSession({ sessionId: 's' })).toBe(1)
  })

  const others: [string, unknown][] = [
    ['nothing', undefined],
    ['null', null],
    ['a number', 7],
    ['an object', {}],
    ['the class', Database],
    ['a store', { open: true, prepare() {}, close() {} }],
    ['a handle without exec', { name: 'x', open: true, inTransaction: false, memory: true, prepare() {}, close() {} }],
  ]
  it.each(others)('if it is not a Database: %s', (_name, source) => {
    // As from JavaScript, without types.
    const construct = (): unknown => Reflect.construct(SqliteSessionStore, [source])
    expect(construct).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
    expect(construct).toThrow('SqliteSessionStore takes the path of a database, or a Database of better-sqlite3')
  })
})

describe('other ways to lock', () => {
  it.each(['DELETE', 'TRUNCATE', 'PERSIST'])('two processes lose nothing with a rollback journal (%s)', async mode => {
    const database = folder.shared()
    database.pragma(`journal_mode = ${mode}`)
    const store = folder.open({}, database)
    await store.saveSession({ sessionId: 's', createdAt: at })
    const child = folder.run(`const database = new Database(path)
      database.exec('PRAGMA journal_mode = ${mode}; PRAGMA synchronous = EXTRA')
      const shared = new SqliteSessionStore(database)
      await shared.loadSession('s')
      say('ready')
      for (let i = 0; i < 20; i++) await shared.changeSession('s', append('theirs' + i))
      say(database.pragma('journal_mode', { simple: true }))`)
    expect(await child.line()).toBe('ready')
    const ours = Array.from({ length: 20 }, (_, i) => `ours${i}`)
    for (const id of ours) await store.changeSession('s', append(id))
    expect([await child.rest(), child.errors]).toEqual([[mode.toLowerCase()], ''])
    const turns = turnIdsOf(await store.loadSession('s')) ?? []
    expect(turns.filter(id => id.startsWith('ours'))).toEqual(ours)
    expect(turns.filter(id => id.startsWith('theirs'))).toEqual(Array.from({ length: 20 }, (_, i) => `theirs${i}`))
    expect(database.pragma('journal_mode', { simple: true })).toBe(mode.toLowerCase())
    expect(store.capabilities).toEqual({
      durability: 'power-loss',
      sharing: 'host',
      constantAppend: true,
      constantStep: true,
      search: 'scan',
    })
    expect(await store.checkIntegrity()).toEqual({ ok: true, problems: [] })
  })

  it('locking_mode EXCLUSIVE is declared as sharing within the process', async () => {
    const database = ownersDatabase(folder)
    database.pragma('locking_mode = EXCLUSIVE')
    const store = folder.open({ timeoutMs: 300 }, database)
    await store.saveSession({ sessionId: 's', createdAt: at })
    expect(store.capabilities.sharing).toBe('process')
    const other = await failureOf(folder.open({ timeoutMs: 100 }).loadSession('s'))
    expect(other.code).toBe('STORE_BUSY')
    // No other handle can read it, so both run on this one.
    expect(await store.checkIntegrity()).toEqual({ ok: true, problems: [] })
    await store.backup(folder.path('copy.db'))
    expect(await folder.open({}, folder.path('copy.db')).listSessions()).toEqual(['s'])
    expect(database.pragma('locking_mode', { simple: true })).toBe('exclusive')
  })
})
