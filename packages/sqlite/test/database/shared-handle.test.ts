import { cpSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, relative } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type Database from 'better-sqlite3'
import { describe, expect, it } from 'vitest'
import { containing } from '../../../../scripts/testing/matchers.ts'
import { append, at, failureOf, turnIdsOf } from '../../../../scripts/testing/sessions.ts'
import { Folder } from '../folder.ts'
import { ownersDatabase } from '../owners-database.ts'

const folder = new Folder()

/** All pragmas of a handle, except those that depend on the content or have an effect. */
function settingsOf(database: Database.Database): object {
  const content = /_list$|_check$|_x?info$|options$|^(data_version|page_count|freelist_count|schema_version)$/
  const deeds = /^(case_sensitive_like|incremental_vacuum|optimize|shrink_memory|wal_checkpoint)$/
  const names = database.prepare('SELECT name FROM pragma_pragma_list ORDER BY name').pluck().all().map(String)
  return Object.fromEntries(
    names.filter(name => !content.test(name) && !deeds.test(name)).map(name => [name, database.pragma(name)]),
  )
}

const notesIn = (database: Database.Database): unknown[] =>
  database.prepare('SELECT text FROM notes ORDER BY rowid').pluck().all()

/** For a child process: `Other`, the class of a second copy of better-sqlite3. */
function importOtherDriver(): string {
  const copied = folder.path('node_modules', 'better-sqlite3')
  const driver = dirname(createRequire(import.meta.url).resolve('better-sqlite3/package.json'))
  cpSync(driver, copied, { recursive: true, filter: path => !['deps', 'src'].includes(relative(driver, path)) })
  return `const { createRequire } = await import('node:module')
    const Other = createRequire(import.meta.url)(${JSON.stringify(copied)})`
}

const occupations: [string, (database: Database.Database) => () => void][] = [
  ['a transaction', database => (database.exec('BEGIN IMMEDIATE'), () => database.exec('COMMIT'))],
  ['a savepoint', database => (database.exec('SAVEPOINT mine'), () => database.exec('RELEASE mine'))],
  [
    'an iterator',
    database => {
      const rows = database.prepare('SELECT * FROM notes').iterate()
      rows.next()
      return () => rows.return?.()
    },
  ],
]

describe('a shared database', () => {
  it('is not closed, and every call leaves its settings, tables and versions as they were', async () => {
    const database = ownersDatabase(folder)
    const before = settingsOf(database)
    expect(before).toMatchObject({
      busy_timeout: [{ timeout: 12 }],
      synchronous: [{ synchronous: 3 }],
      user_version: [{ user_version: 7 }],
    })
    const store = folder.open({ timeoutMs: 100 }, database)
    const failing = async (call: Promise<unknown>, code: string): Promise<void> => {
      expect((await failureOf(call)).code).toBe(code)
    }
    const calls: (() => Promise<unknown>)[] = [
      () => store.ready(),
      () => store.saveSession({ sessionId: 's', createdAt: at, turns: [{ turnId: 'a' }], metadata: { k: 1 } }),
      () => store.changeSession('s', append('b')),
      () => failing(store.changeSession('s', append('c'), { ifRevision: 9 }), 'REVISION_CONFLICT'),
      () =>
        failing(
          store.changeSession('s', { appendTurns: [{ turnId: 'b', prompt: 'other' }], updatedAt: at }),
          'TURN_ID_CONFLICT',
        ),
      () => failing(store.changeSession('none', append('c')), 'SESSION_NOT_FOUND'),
      () => store.loadSession('s'),
      () => store.loadSummary('s'),
      () => store.readTurns('s', { last: 1 }),
      () => store.listSessions(),
      () => store.querySessions({ metadata: { k: 1 } }),
      () => store.checkIntegrity(),
      () => store.backup(folder.path('copy.db')),
      async () => {
        const holder = await folder.holder()
        await failing(store.changeSession('s', append('c')), 'STORE_BUSY')
        holder.tell('end')
        await holder.rest()
      },
      async () => {
        database.exec('BEGIN')
        await failing(store.changeSession('s', append('c')), 'STORE_BUSY')
        database.exec('ROLLBACK')
      },
      async () => {
        database.exec(`PRAGMA max_page_count = ${String(database.pragma('page_count', { simple: true }))}`)
        await failing(
          store.saveSession({ sessionId: 'large', metadata: { text: 'x'.repeat(200_000) } }),
          'STORE_UNAVAILABLE',
        )
        database.exec('PRAGMA max_page_count = 4294967294')
      },
      async () => {
        database.exec(`UPDATE turnstore_turns SET body = 'x' WHERE seq = 0`)
        await failing(store.loadSession('s'), 'CORRUPT_SESSION')
      },
      () => store.deleteSession('s', { evenIfDamaged: true }),
      () => store.close(),
    ]
    for (const call of calls) {
      await call()
      expect([String(call), settingsOf(database)]).toEqual([String(call), before])
    }
    expect(database.open).toBe(true)
    expect(notesIn(database)).toEqual(['first', 'second'])
    const tables = database.prepare(`SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name`).pluck().all()
    expect(tables).toEqual([
      'notes',
      // SQLite's own, for ids that are never used again.
      'sqlite_sequence',
      ...['details', 'keys', 'parts', 'places', 'sessions', 'settings', 'transitions', 'turn_ids', 'turns'].map(
        name => `turnstore_${name}`,
      ),
    ])
    const others = database
      .prepare(`SELECT name FROM sqlite_schema WHERE tbl_name NOT LIKE 'turnstore\\_%' ESCAPE '\\'`)
      .pluck()
      .all()
    expect(new Set(others)).toEqual(new Set(['notes', 'sqlite_sequence']))
  })

  it('may return bigints to its owner (defaultSafeIntegers, unsafeMode)', async () => {
    const database = ownersDatabase(folder)
    database.defaultSafeIntegers(true)
    database.unsafeMode(true)
    const store = folder.open({}, database)
    await store.saveSession({
      sessionId: 's',
      createdAt: at,
      turns: [{ turnId: 'a' }],
      agentTransitions: [{ toAgent: 'x', transitionId: 't' }],
    })
    await store.changeSession('s', append('b'))
    expect(await store.changeSession('s', { keepTurns: 1, updatedAt: at })).toEqual({
      revision: 3,
      turnCount: 1,
      deduplicated: [],
    })
    expect(await store.loadSession('s')).toMatchObject({ revision: 3, agentTransitions: [{ toAgent: 'x' }] })
    expect((await store.querySessions()).sessions).toMatchObject([{ sessionId: 's', turnCount: 1 }])
    expect(await store.checkIntegrity()).toEqual({ ok: true, problems: [] })
    expect(database.prepare('SELECT count(*) FROM notes').pluck().get()).toBe(2n)
    // In unsafe mode the driver allows our calls while an iterator is open.
    const rows = database.prepare('SELECT text FROM notes ORDER BY rowid').pluck().iterate()
    expect(rows.next().value).toBe('first')
    await store.changeSession('s', append('c'))
    expect(turnIdsOf(await store.loadSession('s'))).toEqual(['a', 'c'])
    expect([rows.next().value, rows.next().done]).toEqual(['second', true])
  })

  it('is waited for while its owner has a transaction open, whose rollback undoes none of our writes', async () => {
    const database = ownersDatabase(folder)
    const store = folder.open({}, database)
    await store.saveSession({ sessionId: 's', createdAt: at })
    database.exec(`BEGIN; INSERT INTO notes VALUES ('third')`)
    let isDone = false
    const writing = store.changeSession('s', append('a')).then(() => (isDone = true))
    const reading = store.loadSummary('s')
    await sleep(100)
    expect(isDone).toBe(false)
    expect(database.prepare('SELECT count(*) FROM turnstore_turns').pluck().get()).toBe(0)
    database.exec('ROLLBACK')
    await writing
    await reading
    database.exec(`BEGIN; INSERT INTO notes VALUES ('fourth'); ROLLBACK`)
    expect(notesIn(database)).toEqual(['first', 'second'])
    expect(turnIdsOf(await store.loadSession('s'))).toEqual(['a'])
    const [begun] = [database.prepare('BEGIN').run(), database.prepare(`INSERT INTO notes VALUES ('fifth')`).run()]
    expect(begun.changes).toBe(0)
    const next = store.changeSession('s', append('b'))
    await sleep(20)
    database.exec('COMMIT')
    await next
    expect(turnIdsOf(await folder.open({}, folder.shared()).loadSession('s'))).toEqual(['a', 'b'])
    expect(notesIn(database)).toEqual(['first', 'second', 'fifth'])
  })

  it.each(occupations)('fails with STORE_BUSY after timeoutMs if its owner has %s open', async (_what, occupy) => {
    for (const handle of [ownersDatabase(folder), folder.shared()]) {
      const store = folder.open({ timeoutMs: 150 }, handle)
      await store.saveSession({ sessionId: 's', createdAt: at })
      const end = occupy(handle)
      const fresh = folder.open({ timeoutMs: 150 }, handle)
      const calls = [
        () => store.loadSession('s'),
        () => store.querySessions(),
        () => store.changeSession('s', append('a')),
        () => store.deleteSession('s'),
        () => fresh.saveSession({ sessionId: 'new' }),
      ]
      const failures = await Promise.all(calls.map(call => failureOf(call())))
      for (const [index, error] of failures.entries()) {
        expect(error.code).toBe('STORE_BUSY')
        expect(error.message).toMatch(
          /owner of the shared handle has had a transaction or an iterator open for 150 ms; end it/,
        )
        expect(error.outcome).toBe(index < 2 ? undefined : 'not-stored')
      }
      end()
      expect((await store.changeSession('s', append('b'))).turnCount).toBe(1)
      await store.deleteSession('s')
    }
  })

  it('fails with a clear error if its owner closes it, and nothing crashes', async () => {
    const database = ownersDatabase(folder)
    const store = folder.open({}, database)
    await store.saveSession({ sessionId: 's', createdAt: at })
    const waiting = store.changeSession('s', append('a'))
    database.close()
    const calls = [
      () => waiting,
      () => store.changeSession('s', append('a')),
      () => store.saveSession({ sessionId: 'new' }),
      () => store.deleteSession('s'),
      () => store.loadSession('s'),
      () => store.querySessions(),
      () => store.listSessions(),
    ]
    for (const [index, call] of calls.entries()) {
      const error = await failureOf(call())
      expect([index, error.code, error.outcome]).toEqual([
        index,
        'STORE_UNAVAILABLE',
        index < 4 ? 'not-stored' : undefined,
      ])
      expect(error.message).toContain('The database was closed by its owner; open a new one')
    }
    expect(await failureOf(folder.open({}, database).saveSession({ sessionId: 'new' }))).toMatchObject({
      code: 'STORE_UNAVAILABLE',
      outcome: 'not-stored',
      message: containing('closed by its owner'),
    })
    await store.close()
    expect(turnIdsOf(await folder.open().loadSession('s'))).toEqual([])
  })

  it('in memory does the same, in a backup and a check too', async () => {
    const database = folder.shared(':memory:')
    const store = folder.open({}, database)
    await store.saveSession({ sessionId: 's', createdAt: at })
    database.close()
    for (const call of [
      () => store.checkIntegrity(),
      () => store.backup(folder.path('copy.db')),
      () => store.loadSession('s'),
    ]) {
      expect(await failureOf(call())).toMatchObject({
        code: 'STORE_UNAVAILABLE',
        message: containing('closed by its owner'),
      })
    }
  })

  it('in memory is copied and checked once its owner has ended the transaction or iterator', async () => {
    const database = folder.shared(':memory:')
    database.exec(`CREATE TABLE notes (text TEXT); INSERT INTO notes VALUES ('first'), ('second')`)
    const store = folder.open({ timeoutMs: 150 }, database)
    await store.saveSession({ sessionId: 's', createdAt: at })
    for (const [, occupy] of occupations) {
      const end = occupy(database)
      for (const call of [() => store.backup(folder.path('copy.db')), () => store.checkIntegrity()]) {
        expect(await failureOf(call())).toMatchObject({
          code: 'STORE_BUSY',
          message: containing('transaction or an iterator'),
        })
      }
      end()
    }
    const copying = store.backup(folder.path('copy.db'))
    expect(await store.checkIntegrity()).toEqual({ ok: true, problems: [] })
    await copying
    expect(await folder.open({}, folder.path('copy.db')).listSessions()).toEqual(['s'])
  })

  it('of a relative path or a descriptor is copied and checked in any working directory', async () => {
    const child = folder.run(`process.chdir(${JSON.stringify(folder.base)})
      const synced = handle => (handle.exec('PRAGMA synchronous = EXTRA'), handle)
      const shared = new SqliteSessionStore(synced(new Database('relative.db')))
      await shared.saveSession({ sessionId: 's' })
      process.chdir('/')
      await shared.backup(${JSON.stringify(folder.path('copy.db'))})
      say((await shared.checkIntegrity()).ok)
      const base = ${JSON.stringify(folder.base)}
      const [file, journal] = ['/file', '/journal'].map(name => fs.openSync(base + name, 'w+'))
      const byDescriptor = new SqliteSessionStore(synced(new Database(file, { journalFd: journal })))
      await byDescriptor.saveSession({ sessionId: 'd' })
      await byDescriptor.backup(${JSON.stringify(folder.path('second.db'))})
      say((await byDescriptor.checkIntegrity()).ok)`)
    expect([await child.rest(), child.errors]).toEqual([['true', 'true'], ''])
    expect(await folder.open({}, folder.path('copy.db')).listSessions()).toEqual(['s'])
    expect(await folder.open({}, folder.path('second.db')).listSessions()).toEqual(['d'])
  })

  it('of another copy of the driver keeps its locks during a backup and a check', async () => {
    // Two copies of SQLite in one process: when one closes the file, the locks of the other are gone.
    const child = folder.run(`${importOtherDriver()}
      const database = new Other(path)
      database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL')
      const shared = new SqliteSessionStore(database)
      await shared.saveSession({ sessionId: 's' })
      await shared.backup(${JSON.stringify(folder.path('copy.db'))})
      say((await shared.checkIntegrity()).ok)
      for await (const _line of createInterface(process.stdin)) break
      await shared.changeSession('s', append('a'))
      say('stored')
      process.kill(process.pid, 'SIGKILL')`)
    expect([await child.line(), child.errors]).toEqual(['true', ''])
    // Without the lock, this process would seem the last one and remove the WAL.
    const other = folder.run(`await store.loadSession('s'); await store.close()`)
    expect([await other.rest(), other.errors]).toEqual([[], ''])
    child.tell('go on')
    expect(await child.line()).toBe('stored')
    await child.rest()
    expect(turnIdsOf(await folder.open().loadSession('s'))).toEqual(['a'])
    expect(await folder.open({}, folder.path('copy.db')).listSessions()).toEqual(['s'])
  })

  it('of another copy of the driver does not block this process, in a backup either', async () => {
    const holder = folder.handle()
    holder.pragma('journal_mode = DELETE')
    const child = folder.run(`${importOtherDriver()}
      const database = new Other(path)
      database.exec('PRAGMA busy_timeout = 20; PRAGMA synchronous = EXTRA')
      const shared = new SqliteSessionStore(database, { timeoutMs: 200 })
      await shared.saveSession({ sessionId: 's' })
      say('ready')
      for await (const _line of createInterface(process.stdin)) break
      say(await shared.backup(${JSON.stringify(folder.path('copy.db'))}).catch(codeOf))
      say(database.pragma('busy_timeout', { simple: true }))
      process.exit()`)
    expect([await child.line(), child.errors]).toEqual(['ready', ''])
    holder.exec('BEGIN EXCLUSIVE')
    child.tell('go on')
    expect([await child.rest(), child.errors]).toEqual([['STORE_BUSY ', '20'], ''])
  })

  it('with an index that uses a function of its owner is copied and checked', async () => {
    const database = ownersDatabase(folder)
    database.function('folded', { deterministic: true }, value => String(value).toLowerCase())
    database.exec('CREATE INDEX notes_folded ON notes (folded(text))')
    const store = folder.open({}, database)
    await store.saveSession({ sessionId: 's', createdAt: at })
    expect(await store.checkIntegrity()).toEqual({ ok: true, problems: [] })
    await store.backup(folder.path('copy.db'))
    expect(await folder.open({}, folder.path('copy.db')).listSessions()).toEqual(['s'])
    database.exec('UPDATE turnstore_places SET turn_count = 1')
    expect((await store.checkIntegrity()).problems).toMatchObject([{ sessionId: 's' }])
  })

  it('that is read-only can be read, and writes fail', async () => {
    await folder.once(store => store.saveSession({ sessionId: 's', createdAt: at }))
    // Another handle keeps it open, so the WAL and `-shm` exist.
    await folder.open().loadSession('s')
    const store = folder.open({}, folder.shared(folder.database, { readonly: true }))
    expect((await store.loadSession('s'))?.turns).toEqual([])
    expect(await store.checkIntegrity()).toEqual({ ok: true, problems: [] })
    for (const call of [
      () => store.changeSession('s', append('a')),
      () => store.saveSession({ sessionId: 'new' }),
      () => store.deleteSession('s'),
    ]) {
      expect(await failureOf(call())).toMatchObject({
        code: 'STORE_UNAVAILABLE',
        outcome: 'not-stored',
        message: containing('read-only'),
      })
    }
    const queryOnly = folder.shared()
    queryOnly.pragma('query_only = ON')
    expect(await failureOf(folder.open({}, queryOnly).deleteSession('s'))).toMatchObject({
      code: 'STORE_UNAVAILABLE',
      outcome: 'not-stored',
    })
    expect(await folder.open().listSessions()).toEqual(['s'])
  })
})
