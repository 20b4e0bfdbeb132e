import { execFile } from 'node:child_process'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { SqliteSessionStore } from '@turnstore/sqlite'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { failureOf } from '../../../../scripts/testing/sessions.ts'
import { SCHEMA_VERSION, steps } from '../../src/tables/schema.ts'

/** Written by the first version. */
const firstVersion = fileURLToPath(new URL('../data/version-1.db', import.meta.url))
const at = '2026-11-22T12:00:00Z'

let folder = ''
let path = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'turnstore-sqlite-'))
  path = join(folder, 'sessions.db')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** Looks into the database with a handle that is closed again. */
function look<T>(work: (database: Database.Database) => T): T {
  const database = new Database(path)
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

async function contentOf(store: SqliteSessionStore): Promise<unknown> {
  const ids = (await store.listSessions()).toSorted()
  return Promise.all(ids.map(id => store.loadSession(id)))
}

/** A process that runs `code` with a `store` on the database. Resolves with what it printed. */
async function run(code: string): Promise<string> {
  const program = `
    import { SqliteSessionStore } from '@turnstore/sqlite'
    const store = new SqliteSessionStore(${JSON.stringify(path)})
    const append = turnId => ({ appendTurns: [{ turnId, prompt: 'of ' + turnId }], updatedAt: ${JSON.stringify(at)} })
    ${code}
    await store.close()`
  const here = dirname(fileURLToPath(import.meta.url))
  return (await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], { cwd: here })).stdout
}

describe('a database of the first version', () => {
  it('is brought up to date with all that it holds, and has the same tables as a new one', async () => {
    copyFileSync(firstVersion, path)
    expect(look(versionIn)).toBe(1)
    const store = new SqliteSessionStore(path)
    await expect(`${JSON.stringify(await contentOf(store), null, 2)}\n`).toMatchFileSnapshot('../data/version-1.json')
    expect(await store.checkIntegrity()).toStrictEqual({ ok: true, problems: [] })
    expect((await store.querySessions({ parentSessionId: 'parcel' })).sessions.map(({ sessionId }) => sessionId)).toStrictEqual(['parcel-2'])
    await store.close()
    expect(look(versionIn)).toBe(SCHEMA_VERSION)
    const upgraded = look(schemaIn)

    path = join(folder, 'new.db')
    await new SqliteSessionStore(path).listSessions()
    expect(upgraded).toStrictEqual(look(schemaIn))
  })

  it('is left as it was where a row is damaged, and what to do is said', async () => {
    copyFileSync(firstVersion, path)
    const declare = (from: string, to: string): void =>
      look(database => {
        database.unsafeMode(true)
        database.exec(`PRAGMA writable_schema = ON;
          UPDATE sqlite_schema SET sql = replace(sql, '${from}', '${to}') WHERE name = 'turnstore_sessions'`)
      })
    // What does not fit its column is not let in.
    declare(') STRICT', ')')
    look(database => database.exec("UPDATE turnstore_sessions SET agent_id = x'00' WHERE session_id = 'parcel'"))
    declare(')', ') STRICT')
    const store = new SqliteSessionStore(path)
    const failure = await failureOf(store.listSessions())
    await store.close()
    expect(failure.code).toBe('STORE_UNAVAILABLE')
    expect(failure.message).toMatch(/^This database of version 1 .* is as it was: a row in it is damaged/)
    expect(look(versionIn)).toBe(1)
  })

  it('is brought up to date once, by whichever of two processes under load comes first', async () => {
    copyFileSync(firstVersion, path)
    // So large that the upgrade takes a while, in which the other comes.
    look(database =>
      database.exec(`
        WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 50000)
        INSERT INTO turnstore_sessions (
          session_id, parent_session_id, created_at, updated_at, created_key, updated_key,
          ended, revision, turn_count, transition_count
        ) SELECT 'many-' || i, 'parcel', '', '', '', '', 0, 1, 0, 0 FROM n;
        INSERT INTO turnstore_details SELECT id, '{}', NULL FROM turnstore_sessions WHERE session_id LIKE 'many-%';
      `),
    )
    const work = (name: string): Promise<string> =>
      run(`
        const writes = Array.from({ length: 100 }, (_, i) => store.changeSession('parcel', append('${name}-' + i)))
        const reads = Array.from({ length: 20 }, () => store.loadSession('alone'))
        await Promise.all(writes)
        console.log((await Promise.all(reads)).every(session => session.turns.length === 2))`)
    expect(await Promise.all([work('a'), work('b')])).toStrictEqual(['true\n', 'true\n'])

    const store = new SqliteSessionStore(path)
    const turns = (await store.loadSession('parcel'))?.turns.map(({ turnId }) => turnId) ?? []
    expect(turns).toHaveLength(202)
    expect(new Set(turns).size).toBe(202)
    expect(await store.loadSummary('parcel')).toMatchObject({ turnCount: 202 })
    expect(await store.checkIntegrity()).toStrictEqual({ ok: true, problems: [] })
    await store.close()
    expect(look(versionIn)).toBe(SCHEMA_VERSION)
  })
})

/** As the first version wrote it and the third has left it, with a session that has moved. */
function leaveThirdVersion(): void {
  copyFileSync(firstVersion, path)
  look(database => {
    for (const step of steps.slice(1, 3)) database.exec(step)
    database.exec(`
      UPDATE turnstore_sessions
      SET updated_at = '2027-01-01T00:00:00Z', moved = 1, moved_key = '2027-01-01T00:00:00.000000Z'
      WHERE session_id = 'alone';
      UPDATE turnstore_settings SET value = 3`)
  })
}

describe('a database of the third version', () => {
  it('keeps for those that have moved where they belong', async () => {
    leaveThirdVersion()
    const store = new SqliteSessionStore(path)
    expect((await store.querySessions({ limit: 1 })).sessions).toMatchObject([
      { sessionId: 'alone', updatedAt: '2027-01-01T00:00:00Z' },
    ])
    expect(await store.checkIntegrity()).toStrictEqual({ ok: true, problems: [] })
    await store.close()
    expect(look(versionIn)).toBe(SCHEMA_VERSION)
  })

  it.each([
    ['a turn without a session', `INSERT INTO turnstore_turns VALUES (NULL, 99, 0, 't', '{}')`],
    [
      'a turn that is no text',
      `PRAGMA writable_schema = ON;
      UPDATE sqlite_schema SET sql = replace(sql, ') STRICT', ')') WHERE name = 'turnstore_turns';
      PRAGMA writable_schema = RESET;
      UPDATE turnstore_turns SET body = x'7b7d' WHERE id = 1;
      PRAGMA writable_schema = ON;
      UPDATE sqlite_schema SET sql = sql || ' STRICT' WHERE name = 'turnstore_turns'`,
    ],
  ])('is left as it was where a row of its turns is damaged, and what to do is said (%s)', async (_name, sql) => {
    leaveThirdVersion()
    look(database => {
      database.unsafeMode(true)
      database.pragma('foreign_keys = OFF')
      database.exec(sql)
    })
    const before = look(schemaIn)
    const store = new SqliteSessionStore(path)
    const failure = await failureOf(store.checkIntegrity())
    await store.close()
    expect(failure.code).toBe('STORE_UNAVAILABLE')
    expect(failure.message).toMatch(/is as it was: a row in it is damaged, .* of the version of @turnstore\/sqlite that wrote it$/)
    expect([look(versionIn), look(schemaIn)]).toStrictEqual([3, before])
  })

  it('is left as it was where a view of its owner’s names what is not there, until he drops it', async () => {
    leaveThirdVersion()
    look(database => database.exec('CREATE VIEW orders AS SELECT * FROM nowhere'))
    const before = look(schemaIn)
    const store = new SqliteSessionStore(path)
    const failure = await failureOf(store.listSessions())
    expect(failure.code).toBe('STORE_UNAVAILABLE')
    expect(failure.message).toContain("a view, a trigger or an index of its owner's names what is not there")
    expect(look(schemaIn)).toStrictEqual(before)
    look(database => database.exec('DROP VIEW orders'))
    expect(await store.listSessions()).toHaveLength(3)
    await store.close()
  })
})

describe('what its owner has put beside a database of the third version', () => {
  const onTurns: [name: string, sql: string, told: RegExp, away: string][] = [
    ['an index', 'CREATE INDEX long ON turnstore_turns (length(body))', /index "long" .* drop it/, 'DROP INDEX long'],
    [
      'a trigger',
      'CREATE TRIGGER counts AFTER INSERT ON Turnstore_Turns BEGIN INSERT INTO notes VALUES (9, NULL); END',
      /trigger "counts" .* drop it/,
      'DROP TRIGGER counts',
    ],
    ...['', ' ON DELETE CASCADE', ' ON DELETE SET NULL'].map((action): [string, string, RegExp, string] => [
      `a reference${action}`,
      `CREATE TABLE marks (turn INTEGER REFERENCES turnstore_turns (id)${action}); INSERT INTO marks VALUES (1), (2)`,
      /table "marks" .* take the reference away/,
      'CREATE TABLE kept AS SELECT * FROM marks; DROP TABLE marks; ALTER TABLE kept RENAME TO marks',
    ]),
  ]

  it.each(onTurns)('and hangs on the table of the turns is neither lost nor altered: it says so (%s)', async (_name, sql, told, away) => {
    leaveThirdVersion()
    look(database => database.exec(`CREATE TABLE notes (id, text); ${sql}`))
    const contentOfOwner = (): unknown =>
      look(database => [
        schemaIn(database),
        database.prepare(`SELECT name FROM sqlite_schema WHERE name = 'marks'`).all().length > 0 &&
          database.prepare('SELECT * FROM marks').all(),
      ])
    const before = contentOfOwner()
    const store = new SqliteSessionStore(path)
    const failure = await failureOf(store.listSessions())
    expect(failure.code).toBe('STORE_UNAVAILABLE')
    expect(failure.message).toMatch(told)
    expect(contentOfOwner()).toStrictEqual(before)
    expect(look(versionIn)).toBe(3)
    look(database => database.exec(away))
    expect(await store.listSessions()).toHaveLength(3)
    expect(await store.checkIntegrity()).toStrictEqual({ ok: true, problems: [] })
    await store.close()
  })

  it('and does not hang on what is made anew stays as it is', async () => {
    leaveThirdVersion()
    look(database => {
      database.exec(`
        CREATE INDEX agents ON turnstore_sessions (agent_id);
        CREATE VIEW ids AS SELECT session_id FROM turnstore_sessions;
        CREATE TABLE notes (session INTEGER REFERENCES turnstore_sessions (id) ON DELETE CASCADE);
        INSERT INTO notes VALUES (1)`)
    })
    const store = new SqliteSessionStore(path)
    expect(await store.listSessions()).toHaveLength(3)
    await store.close()
    expect(look(database => database.prepare('SELECT count(*) FROM notes, ids').pluck().get())).toBe(3)
    expect(look(database => database.prepare(`SELECT name FROM sqlite_schema WHERE name = 'agents'`).pluck().get())).toBe('agents')
  })
})

describe('a database of a newer version', () => {
  it('is refused, and not touched', async () => {
    copyFileSync(firstVersion, path)
    look(database => {
      // As a backup leaves it; opening it for work would put it back into WAL.
      database.pragma('journal_mode = DELETE')
      database.exec(`UPDATE turnstore_settings SET value = ${SCHEMA_VERSION + 1}`)
    })
    const before = { bytes: readFileSync(path), time: statSync(path).mtimeMs }
    const store = new SqliteSessionStore(path)
    await expect(store.loadSession('parcel')).rejects.toMatchObject({ code: 'SCHEMA_TOO_NEW' })
    await expect(store.saveSession({ sessionId: 'new' })).rejects.toMatchObject({ code: 'SCHEMA_TOO_NEW', outcome: 'not-stored' })
    await store.close()
    expect({ bytes: readFileSync(path), time: statSync(path).mtimeMs }).toStrictEqual(before)

    const database = new Database(path)
    const lent = new SqliteSessionStore(database)
    await expect(lent.listSessions()).rejects.toMatchObject({ code: 'SCHEMA_TOO_NEW' })
    database.close()
    expect(readFileSync(path)).toStrictEqual(before.bytes)
  })

  it('is neither read nor written any more by a process that opened it before', async () => {
    const store = new SqliteSessionStore(path)
    await store.saveSession({ sessionId: 's' })
    look(database => database.exec(`UPDATE turnstore_settings SET value = ${SCHEMA_VERSION + 1}`))
    const change = { appendTurns: [{ turnId: 't' }], updatedAt: at }
    await expect(store.changeSession('s', change)).rejects.toMatchObject({ code: 'SCHEMA_TOO_NEW', outcome: 'not-stored' })
    await expect(store.loadSession('s')).rejects.toMatchObject({ code: 'SCHEMA_TOO_NEW' })
    await expect(store.querySessions()).rejects.toMatchObject({ code: 'SCHEMA_TOO_NEW' })
    await store.close()
    expect(look(database => database.prepare('SELECT count(*) FROM turnstore_turns').pluck().get())).toBe(0)
  })
})

describe('a database that is somebody else’s', () => {
  it('keeps its tables, and gets ours beside them', async () => {
    look(database => database.exec('CREATE TABLE orders (id); INSERT INTO orders VALUES (7); PRAGMA user_version = 41'))
    const store = new SqliteSessionStore(path)
    await store.saveSession({ sessionId: 's' })
    await store.close()
    const found = look(database => [
      database.prepare('SELECT id FROM orders').pluck().all(),
      database.pragma('user_version', { simple: true }),
      database.prepare("SELECT DISTINCT substr(tbl_name, 1, 10) FROM sqlite_schema WHERE tbl_name <> 'orders'").pluck().all(),
    ])
    expect(found).toStrictEqual([[7], 41, ['turnstore_']])
  })

  it('is refused where its settings table has no version', async () => {
    look(database => database.exec('CREATE TABLE turnstore_settings (name TEXT, value TEXT)'))
    const store = new SqliteSessionStore(path)
    const failure = await failureOf(store.listSessions())
    expect(failure.code).toBe('STORE_UNAVAILABLE')
    expect(failure.message).toContain('it is not one of ours')
    await store.close()
    expect(look(schemaIn)).toHaveLength(1)
  })
})
