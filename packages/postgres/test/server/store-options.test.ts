import { PostgresSessionStore } from '@turnstore/postgres'
import { Pool } from 'pg'
import { describe, expect, inject, it } from 'vitest'
import { assertFails, SECRET } from '../errors.js'

/** Takes any options, also those that the compiler refuses. */
function newStore(options: unknown): PostgresSessionStore {
  const store: unknown = Reflect.construct(PostgresSessionStore, [options])
  if (!(store instanceof PostgresSessionStore)) throw new TypeError('no store')
  return store
}

describe('the options', () => {
  it.each([
    [undefined, /takes options/],
    [{}, /takes one of \{ url \}/],
    [{ url: 'postgres://h', pool: new Pool() }, /takes one of/],
    [new Pool(), /takes a pool as \{ pool \}/],
    [{ pool: {} }, /must be a Pool of pg/],
    [{ url: `mysql://u:${SECRET}@h/d` }, /must have the form postgres:/],
    [{ url: `postgres://u:${SECRET}@h:port/d` }, /must have the form/],
    [{ url: `postgres://u:${SECRET}#x@h/d` }, /must have the form|has a #/],
    [{ url: `postgres://u:${SECRET}@h/d?options=-c` }, /unknown parameter/],
    [{ url: 'postgres://h/d', postgres: { host: 'i' } }, /postgres\.host is also in options\.url/],
    [{ url: 'postgres://h/d?sslmode=require', postgres: { ssl: true } }, /postgres\.ssl is also in/],
    [{ postgres: { hots: 'h' } }, /hots/],
    [{ url: 'postgres://h', ttlMs: 1 }, /ttlMs/],
    [{ url: 'postgres://h', schema: '' }, /options\.schema/],
    [{ url: 'postgres://h', schema: 'a\0b' }, /options\.schema/],
    [{ url: 'postgres://h', prefix: 'p'.repeat(38) }, /options\.prefix/],
    [{ url: 'postgres://h', migrate: 1 }, /options\.migrate/],
  ])('%o are refused', async (options, message) => {
    await assertFails(() => newStore(options), { code: 'INVALID_ARGUMENT', message })
  })

  it('take a connection by its parts, and report each call', async () => {
    const { hostname, port, username } = new URL(inject('addresses').server)
    const seen: string[] = []
    await using store = new PostgresSessionStore({
      postgres: { host: hostname, port: Number(port), user: username, database: 'postgres', max: 2 },
      schema: 'by parts',
      onOperation: ({ method }) => seen.push(method),
    })
    await store.saveSession({ sessionId: 's' })
    expect(seen).toEqual(['saveSession'])
  })

  it('take a pool, which stays open, with its own errors', async () => {
    const pool = new Pool({ connectionString: inject('addresses').server, max: 2 })
    const store = new PostgresSessionStore({ pool, schema: 'by pool' })
    await store.saveSession({ sessionId: 's' })
    expect(pool.listenerCount('error')).toBe(1)
    await store.close()
    expect(pool.listenerCount('error')).toBe(0)
    expect((await pool.query('SELECT 1 AS alive')).rows).toEqual([{ alive: 1 }])
    await pool.end()
  })
})
