import { readFileSync, statSync } from 'node:fs'
import type { SqliteSessionStore } from '@turnstore/sqlite'
import Database from 'better-sqlite3'
import { describe, expect, it } from 'vitest'
import { append, at, failureOf } from '../../../../scripts/testing/sessions.ts'
import { Connection } from '../../src/database/connection.ts'
import type { SqliteDatabase } from '../../src/database/driver.ts'
import { SCHEMA_VERSION, steps, upgrade } from '../../src/tables/schema-version.ts'
import { Folder } from '../folder.ts'
import { Meddling } from '../meddling.ts'

const folder = new Folder()

/** Runs `work` with a handle that is closed again. */
function look<T>(work: (database: Database.Database) => T): T {
  const database = new Database(folder.database)
  try {
    return work(database)
  } finally {
    database.close()
  }
}

const versionIn = (database: Database.Database): unknown =>
  database.prepare("SELECT value FROM turnstore_settings WHERE name = 'schema_version'").pluck().get()

/** Tables and indexes, as they were declared. */
const schemaIn = (database: Database.Database): unknown[] =>
  database.prepare("SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY name").all()

const setVersion = (version: number): unknown =>
  look(database => database.exec(`UPDATE turnstore_settings SET value = ${version}`))

const saveSession = (): Promise<number> =>
  folder.once(store => store.saveSession({ sessionId: 's', createdAt: at, turns: [{ turnId: 'a' }] }))

const connectionOn = (database: SqliteDatabase): Connection => new Connection(database, false)

describe('a new database', () => {
  it('has version 1', async () => {
    await saveSession()
    expect([SCHEMA_VERSION, look(versionIn)]).toStrictEqual([1, 1])
  })

  it('is made once by two processes that open it at the same time', async () => {
    const children = ['a', 'b'].map(id =>
      folder.run(`say('ready')
        for await (const _line of createInterface(process.stdin)) break
        await store.saveSession({ sessionId: '${id}', createdAt: at })
        await store.close()
        process.exit()`),
    )
    for (const child of children) expect(await child.line()).toBe('ready')
    for (const child of children) child.tell('go')
    for (const child of children) expect([await child.rest(), child.errors]).toEqual([[], ''])
    const store = folder.open()
    expect((await store.listSessions()).toSorted()).toEqual(['a', 'b'])
    expect(await store.checkIntegrity()).toEqual({ ok: true, problems: [] })
  })
})

describe('a database of an older version', () => {
  /** What a later version may add. */
  const newer = [
    ...steps,
    'ALTER TABLE turnstore_sessions ADD COLUMN colour TEXT; CREATE TABLE turnstore_colours (name TEXT)',
  ]
  const upgradeWith = (list: readonly string[]): void => look(database => upgrade(connectionOn(database), list))

  it('is upgraded with all that it holds, and has the same tables as a new one', async () => {
    await saveSession()
    upgradeWith(newer)
    expect(look(versionIn)).toBe(2)
    expect(look(database => database.prepare('SELECT session_id, colour FROM turnstore_sessions').all())).toEqual([
      { session_id: 's', colour: null },
    ])
    const upgraded = look(schemaIn)
    const fresh = folder.handle(':memory:')
    upgrade(connectionOn(fresh), newer)
    expect(upgraded).toStrictEqual(schemaIn(fresh))
    expect(versionIn(fresh)).toBe(2)
  })

  it('is upgraded once if two processes find the older version', async () => {
    await saveSession()
    const meddling = new Meddling(folder.handle())
    meddling.before = sql => {
      if (sql !== 'BEGIN IMMEDIATE') return
      meddling.before = () => {}
      upgradeWith(newer)
    }
    upgrade(connectionOn(meddling), newer)
    expect(look(versionIn)).toBe(2)
  })

  it('stays as it was if a step fails', async () => {
    await saveSession()
    const before = look(schemaIn)
    expect(() => upgradeWith([...newer, 'CREATE TABLE orders (id); INSERT INTO nowhere VALUES (1)'])).toThrow(
      expect.objectContaining({ code: 'SQLITE_ERROR' }),
    )
    expect([look(versionIn), look(schemaIn)]).toStrictEqual([1, before])
  })

  it('is only read if it is current', async () => {
    await saveSession()
    const bytes = readFileSync(folder.database)
    upgradeWith(steps)
    expect(readFileSync(folder.database)).toStrictEqual(bytes)
  })

  it('is not touched any more by an older process that opened it before', async () => {
    const store = folder.open()
    await store.saveSession({ sessionId: 's', createdAt: at })
    upgradeWith(newer)
    await expectTooNew(store)
    await store.close()
    expect(look(database => database.prepare('SELECT count(*) FROM turnstore_turns').pluck().get())).toBe(0)
  })
})

async function expectTooNew(store: SqliteSessionStore): Promise<void> {
  expect(await failureOf(store.changeSession('s', append('t')))).toMatchObject({
    code: 'SCHEMA_TOO_NEW',
    outcome: 'not-stored',
  })
  expect(await failureOf(store.saveSession({ sessionId: 'new' }))).toMatchObject({
    code: 'SCHEMA_TOO_NEW',
    outcome: 'not-stored',
  })
  for (const call of [store.loadSession('s'), store.querySessions()])
    expect((await failureOf(call)).code).toBe('SCHEMA_TOO_NEW')
}

describe('a database of a newer version', () => {
  it('is refused, and not touched', async () => {
    await saveSession()
    setVersion(SCHEMA_VERSION + 1)
    // As a backup leaves it. Setting up a handle would change it to WAL.
    look(database => database.pragma('journal_mode = DELETE'))
    const before = { bytes: readFileSync(folder.database), time: statSync(folder.database).mtimeMs }
    const store = folder.open()
    await expectTooNew(store)
    await store.close()
    expect({ bytes: readFileSync(folder.database), time: statSync(folder.database).mtimeMs }).toStrictEqual(before)

    await expectTooNew(folder.open({}, folder.shared()))
    expect(readFileSync(folder.database)).toStrictEqual(before.bytes)
  })
})

describe('a database of another program', () => {
  it('keeps its tables, and gets ours beside them', async () => {
    look(database => database.exec('CREATE TABLE orders (id); INSERT INTO orders VALUES (7); PRAGMA user_version = 41'))
    await saveSession()
    const found = look(database => [
      database.prepare('SELECT id FROM orders').pluck().all(),
      database.pragma('user_version', { simple: true }),
      database
        .prepare(
          "SELECT DISTINCT substr(tbl_name, 1, 10) FROM sqlite_schema WHERE tbl_name <> 'orders' AND tbl_name NOT LIKE 'sqlite_%'",
        )
        .pluck()
        .all(),
    ])
    expect(found).toStrictEqual([[7], 41, ['turnstore_']])
  })

  it('is refused if its settings table has no version', async () => {
    look(database => database.exec('CREATE TABLE turnstore_settings (name TEXT, value TEXT)'))
    const failure = await failureOf(folder.open().listSessions())
    expect(failure.code).toBe('STORE_UNAVAILABLE')
    expect(failure.message).toContain('Turnstore did not make it')
    expect(look(schemaIn)).toHaveLength(1)
  })
})
