import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { PostgresSessionStore } from '@turnstore/postgres'
import type { PoolClient } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { mayMount } from '../../../../scripts/testing/machine.ts'
import { assertFails, SECRET } from '../errors.js'
import { freePort, type Server, startServer } from '../servers.js'

const appendSecret = { appendTurns: [{ turnId: 't', prompt: SECRET }] }

describe('what the server refuses', () => {
  let server: Server
  beforeAll(async () => {
    server = await startServer()
    const owner = new PostgresSessionStore({ url: server.url })
    await owner.saveSession({ sessionId: 's', turns: [{ turnId: 'open', status: 'running' }] })
    await owner.close()
  })
  afterAll(() => server.stop())

  /** A store of a new user with settings of its own, and the right to use the tables. */
  async function openAs(
    user: string,
    settings: readonly string[],
    options: { timeoutMs?: number; prefix?: string; schema?: string } = {},
  ): Promise<PostgresSessionStore> {
    await server.admin.query(`CREATE ROLE ${user} LOGIN`)
    await server.admin.query(`GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ${user}`)
    for (const setting of settings) await server.admin.query(`ALTER ROLE ${user} SET ${setting}`)
    const url = server.url.replace('postgres@', `${user}:${SECRET}@`)
    return new PostgresSessionStore({ url, timeoutMs: 5000, ...options })
  }

  /** Runs work while another transaction holds the session. */
  async function whileLocked(work: () => Promise<void>): Promise<void> {
    const client: PoolClient = await server.admin.connect()
    try {
      await client.query('BEGIN')
      await client.query("SELECT 1 FROM turnstore_sessions WHERE session_id = 's' FOR UPDATE")
      await work()
    } finally {
      await client.query('ROLLBACK')
      client.release()
    }
  }

  it('is told in a sentence: a replica, or read-only transactions', async () => {
    await using store = await openAs('reader', ['default_transaction_read_only = on'], { timeoutMs: 2000 })
    await assertFails(() => store.changeSession('s', appendSecret), {
      outcome: 'not-stored',
      message: /read-only replica \(25006\).*; connect to the primary/,
    })
    expect(await store.loadSummary('s')).toMatchObject({ turnCount: 1 })
  })

  it('is told in a sentence: a statement timeout', async () => {
    await using store = await openAs('hurried', ["statement_timeout = '200ms'"])
    await whileLocked(() =>
      assertFails(() => store.changeSession('s', appendSecret), {
        outcome: 'not-stored',
        message: /canceled the statement \(57014\): statement_timeout is too short/,
      }),
    )
  })

  it('is told in a sentence: another transaction that keeps the session locked', async () => {
    await using store = await openAs('patient', [], { timeoutMs: 3000 })
    await whileLocked(() =>
      assertFails(() => store.changeSession('s', appendSecret), {
        code: 'STORE_BUSY',
        outcome: 'not-stored',
        message: /kept the session locked \(55P03\)/,
      }),
    )
    expect(await store.changeSession('s', { appendTurns: [{ turnId: 'then' }] })).toMatchObject({ deduplicated: [] })
  })

  it('is told in a sentence: a missing right', async () => {
    await using store = await openAs('poor', [])
    await server.admin.query('REVOKE UPDATE ON turnstore_sessions FROM poor')
    await assertFails(() => store.changeSession('s', appendSecret), {
      outcome: 'not-stored',
      message: /lacks a right \(42501\)/,
    })
  })

  it('is told in a sentence: tables that are missing, and may not be created', async () => {
    await using store = await openAs('guest', [], { prefix: 'guest_' })
    await assertFails(() => store.ready(), {
      message: /do not exist, and the user may not create them \(42501\); run `turnstore migrate/,
    })
    await using strict = new PostgresSessionStore({ url: server.url, prefix: 'strict_', migrate: false })
    await assertFails(() => strict.ready(), { message: /do not exist, and options.migrate is false/ })
  })

  it('is told in a sentence: an unknown database, a user, an encoding', async () => {
    const open = (url: string): PostgresSessionStore => new PostgresSessionStore({ url, timeoutMs: 3000 })
    await using unknown = open(server.url.replace(/postgres$/, 'unknown').replace('postgres@', `postgres:${SECRET}@`))
    await assertFails(() => unknown.ready(), { message: /database does not exist \(3D000\)/ })
    await using nobody = open(server.url.replace('postgres@', `nobody:${SECRET}@`))
    await assertFails(() => nobody.ready(), { message: /refuses the user \(28000\)/ })
    await server.admin.query("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0")
    await using latin = open(server.url.replace(/postgres$/, 'latin'))
    await assertFails(() => latin.ready(), { message: /encoding LATIN1, which cannot hold all text/ })
  })

  it('is told in a sentence: a server that is not there', async () => {
    await using store = new PostgresSessionStore({
      url: `postgres://user:${SECRET}@127.0.0.1:${await freePort()}/x`,
      timeoutMs: 300,
    })
    await assertFails(() => store.saveSession({ sessionId: SECRET.slice(0, 3) }), {
      outcome: 'not-stored',
      message: /cannot be reached \(ECONNREFUSED\)/,
    })
  })

  it.skipIf(!mayMount)('is told in a sentence: a full disk', async () => {
    const folder = join(server.folder, 'small')
    mkdirSync(folder)
    spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4m,mode=0700,uid=65534,gid=65534', 'tmpfs', folder])
    try {
      if (process.getuid?.() !== 0) chmodSync(folder, 0o700)
      await server.admin.query(`CREATE TABLESPACE small LOCATION '${folder}'`)
      await server.admin.query('GRANT CREATE ON TABLESPACE small TO public')
      await server.admin.query('CREATE SCHEMA full_disk')
      await server.admin.query('GRANT ALL ON SCHEMA full_disk TO public')
      await using store = await openAs('collector', ['default_tablespace = small'], { schema: 'full_disk' })
      await store.saveSession({ sessionId: 's' })
      const prompt = Array.from({ length: 50_000 }, () => Math.random().toString(36)).join('')
      await assertFails(
        async () => {
          for (let n = 0; n < 20; n++) await store.changeSession('s', { appendTurns: [{ turnId: `${n}`, prompt }] })
        },
        { outcome: 'not-stored', message: /disk of the server is full \(53100\)/ },
      )
      const session = await store.loadSession('s')
      expect(session?.revision).toBe(1 + (session?.turns.length ?? NaN))
    } finally {
      await server.admin.query('DROP SCHEMA full_disk CASCADE; ')
      await server.admin.query('DROP TABLESPACE small')
      spawnSync('umount', [folder])
    }
  })

  it('is tried again: serialization failures', async () => {
    const first = await openAs('strict_one', ["default_transaction_isolation = 'serializable'"], { timeoutMs: 30_000 })
    const url = server.url.replace('postgres@', 'strict_one@')
    const stores = [first, new PostgresSessionStore({ url, timeoutMs: 30_000 })]
    await first.saveSession({ sessionId: 'serial' })
    const append = async (index: number): Promise<void> => {
      await stores[index % 2]?.changeSession('serial', {
        appendTurns: [{ turnId: `t${index}` }],
        setMetadata: { index },
      })
    }
    await Promise.all(Array.from({ length: 40 }, (_, index) => append(index)))
    expect(await first.loadSummary('serial')).toMatchObject({ turnCount: 40, revision: 41 })
    for (const store of stores) await store.close()
  })
})

describe('durability', () => {
  it.each([
    [{}, 'power-loss'],
    [{ synchronous_commit: 'off' }, 'none'],
  ])('follows from the settings %o of the server', async (settings, durability) => {
    const server = await startServer({ fsync: 'on', ...settings })
    await using store = new PostgresSessionStore({ url: server.url })
    await store.ready()
    expect(store.capabilities).toMatchObject({ durability, sharing: 'network', failover: 'may-lose-acknowledged' })
    await store.close()
    await server.stop()
  })
})
