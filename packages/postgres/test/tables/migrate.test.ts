import { PostgresSessionStore } from '@turnstore/postgres'
import { Pool } from 'pg'
import { afterAll, describe, expect, inject, it } from 'vitest'
import { assertFails } from '../errors.js'

const { server, pgBouncer } = inject('addresses')
const admin = new Pool({ connectionString: server, max: 2 })
afterAll(() => admin.end())

const open = (schema: string, prefix?: string): PostgresSessionStore =>
  new PostgresSessionStore({ url: server, schema, ...(prefix !== undefined && { prefix }) })

describe('the tables', () => {
  it('are created once by eight stores that open at once, through PgBouncer too', async () => {
    const stores = Array.from(
      { length: 8 },
      (_, index) => new PostgresSessionStore({ url: index % 2 === 0 ? server : pgBouncer, schema: 'at once' }),
    )
    await Promise.all(stores.map((store, index) => store.saveSession({ sessionId: `s${index}` })))
    expect((await stores[0]?.listSessions())?.length).toBe(8)
    for (const store of stores) await store.close()
  })

  it.each(['t"; DROP TABLE x; --', "it's \\ $function$ {sessions} $1 :name", 'Ü{{x}}%s', ''])(
    'take any prefix and schema: %s',
    async name => {
      const stores = [open(`schema ${name}`, name.slice(0, 20)), open(`schema ${name}`, 'other')]
      for (const store of stores) {
        await store.saveSession({ sessionId: 's', turns: [{ turnId: 'open', status: 'running' }] })
        await store.changeSession('s', { appendTurns: [{ turnId: 'a' }] })
        expect(await store.querySessions()).toMatchObject({ sessions: [{ sessionId: 's', turnCount: 2 }] })
      }
      for (const store of stores) await store.close()
    },
  )

  it('of a newer version are refused, and stay as they are', async () => {
    const store = open('newer')
    await store.saveSession({ sessionId: 's' })
    await admin.query("UPDATE newer.turnstore_settings SET value = 2 WHERE name = 'schema_version'")
    const older = open('newer')
    await assertFails(() => older.listSessions(), { code: 'SCHEMA_TOO_NEW', message: /version 2.*install a newer one/ })
    // A process that still runs cannot write once the functions have another version.
    await admin.query('DROP FUNCTION newer.turnstore_write_1')
    await assertFails(() => store.changeSession('s', { appendTurns: [{ turnId: 'a' }] }), {
      outcome: 'not-stored',
      message: /tables or functions of the store are missing \(42883\)/,
    })
    expect((await admin.query('SELECT count(*)::int AS n FROM newer.turnstore_turns')).rows).toEqual([{ n: 0 }])
    await store.close()
    await older.close()
  })

  it('that are not from Turnstore are refused', async () => {
    await admin.query('CREATE SCHEMA foreigners; CREATE TABLE foreigners.turnstore_settings (name text, value text)')
    const store = open('foreigners')
    await assertFails(() => store.ready(), { message: /Turnstore did not make it/ })
    await store.close()
  })

  it('are used by one who may create nothing', async () => {
    await using owner = open('granted')
    await owner.ready()
    await admin.query(`
      CREATE ROLE application LOGIN;
      GRANT USAGE ON SCHEMA granted TO application;
      GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA granted TO application`)
    await using store = new PostgresSessionStore({
      url: server.replace('postgres@', 'application@'),
      schema: 'granted',
      migrate: false,
    })
    await store.saveSession({ sessionId: 's', turns: [{ turnId: 'a' }] })
    await store.changeSession('s', { appendTurns: [{ turnId: 'b' }] })
    expect(await store.deleteSession('s')).toBe(true)
  })

  it('order ids by their bytes, whatever the locale', async () => {
    const { rows } = await admin.query<{ collation: string }>(
      `SELECT DISTINCT collname AS collation FROM pg_attribute JOIN pg_collation ON pg_collation.oid = attcollation
       WHERE attrelid = 'granted.turnstore_sessions'::regclass AND attname IN ('session_id', 'updated_key', 'workspace_id')`,
    )
    expect(rows).toEqual([{ collation: 'C' }])
  })
})
