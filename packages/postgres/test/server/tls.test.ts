import { copyFileSync, chmodSync, chownSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { PostgresSessionStore } from '@turnstore/postgres'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { assertFails } from '../errors.js'
import { type Server, startServer } from '../servers.js'

// Those of the tests of Redis, made for tests only.
const certificate = fileURLToPath(new URL('../data/localhost-cert.pem', import.meta.url))
const key = fileURLToPath(new URL('../data/localhost-key.pem', import.meta.url))

describe('a server with TLS', () => {
  let server: Server
  beforeAll(async () => {
    server = await startServer({}, folder => {
      const [cert, privateKey] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
      copyFileSync(certificate, cert)
      copyFileSync(key, privateKey)
      chmodSync(privateKey, 0o600)
      if (process.getuid?.() === 0) chownSync(privateKey, 65_534, 65_534)
      return { ssl: 'on', ssl_cert_file: cert, ssl_key_file: privateKey }
    })
  })
  afterAll(() => server.stop())

  it('is reached by sslmode=verify-full, with a certificate authority of your own', async () => {
    const url = `${server.url}?sslmode=verify-full&sslrootcert=${encodeURIComponent(certificate)}`
    await using store = new PostgresSessionStore({ url, timeoutMs: 10_000 })
    await store.saveSession({ sessionId: 's' })
    expect(await store.listSessions()).toEqual(['s'])
    const used = await server.admin.query(
      "SELECT count(*)::int AS used FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE ssl AND application_name = 'turnstore'",
    )
    expect(used.rows).toEqual([{ used: 1 }])
  })

  it('is refused without it', async () => {
    await using store = new PostgresSessionStore({ url: `${server.url}?sslmode=verify-full`, timeoutMs: 500 })
    await assertFails(() => store.ready(), { message: /cannot be reached/ })
  })
})
