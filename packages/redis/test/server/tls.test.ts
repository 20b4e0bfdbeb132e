import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { RedisSessionStore } from '@turnstore/redis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { assertFails, SECRET } from '../errors.js'
import { freePort, type Server, startServer } from '../servers.js'

// Made for these tests only:
// openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout localhost-key.pem
//   -out localhost-cert.pem -days 36500 -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1
const certificate = fileURLToPath(new URL('../data/localhost-cert.pem', import.meta.url))
const key = fileURLToPath(new URL('../data/localhost-key.pem', import.meta.url))

describe('a server with TLS', () => {
  let server: Server
  let port: number
  beforeAll(async () => {
    port = await freePort()
    server = await startServer({
      'tls-port': `${port}`,
      'tls-cert-file': certificate,
      'tls-key-file': key,
      'tls-ca-cert-file': certificate,
      'tls-auth-clients': 'no',
      requirepass: SECRET,
    })
  })
  afterAll(() => server.stop())

  const open = (ca?: Buffer): RedisSessionStore =>
    new RedisSessionStore({
      url: `rediss://:${SECRET}@127.0.0.1:${port}`,
      timeoutMs: 5000,
      ...(ca && { redis: { tls: { ca } } }),
    })

  it('is reached by rediss:, with a certificate authority of your own', async () => {
    await using store = open(readFileSync(certificate))
    await store.saveSession({ sessionId: 's' })
    expect(await store.listSessions()).toEqual(['s'])
    expect(await server.admin.exists('turnstore:{s}s')).toBe(1)
  })

  it('is not trusted without a known authority, which the error says', async () => {
    await using store = open()
    await assertFails(() => store.saveSession({ sessionId: 'untrusted' }), {
      outcome: 'not-stored',
      message: /SELF_SIGNED_CERT/,
    })
    expect(await server.admin.exists('turnstore:{untrusted}s')).toBe(0)
  })
})
