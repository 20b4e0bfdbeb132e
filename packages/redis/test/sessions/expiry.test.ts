import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { RedisSessionStore } from '@turnstore/redis'
import { Cluster, Redis } from 'ioredis'
import { afterEach, describe, expect, inject, it } from 'vitest'
import { keysOf } from '../keys.js'
import { newStoreOn } from '../new-store.js'
import { until } from '../servers.js'

const { server, nodes } = inject('addresses')

const opened: (() => unknown)[] = []
afterEach(async () => {
  for (const close of opened.splice(0).toReversed()) await close()
})

function open(options: object = {}): RedisSessionStore {
  const store = newStoreOn(server, options)
  opened.push(() => store.close())
  return store
}

describe('ttlMs', () => {
  for (const [setup, connection] of Object.entries({ 'on one server': { url: server }, 'on a Cluster': { nodes } })) {
    it(`expires all of a session at once, ${setup}`, async () => {
      const store = open({ ...connection, keyPrefix: `${randomUUID()}:`, ttlMs: 1500 })
      const turns = [{ turnId: 'a' }]
      await store.saveSession({ sessionId: 'brief', turns, agentTransitions: [{ toAgent: 'x', transitionId: 'h' }] })
      const seen = new Set<number | undefined>()
      await until(async () => {
        const brief = await store.loadSession('brief')
        seen.add(brief?.turns.length)
        return brief === null
      })
      expect(seen.has(0)).toBe(false)
      expect(await store.listSessions()).toEqual([])
      expect((await store.querySessions()).sessions).toEqual([])
      expect(await store.deleteSession('brief')).toBe(false)
      expect(await store.saveSession({ sessionId: 'brief' }, { ifRevision: 0 })).toBe(1)
    })

    it(`starts again at each change, for all keys of the session, ${setup}`, async () => {
      const keyPrefix = `${randomUUID()}:`
      const store = open({ ...connection, keyPrefix, ttlMs: 3_600_000 })
      await store.saveSession({ sessionId: 'kept', turns: [{ turnId: 'a' }] })
      const client = 'nodes' in connection ? new Cluster(nodes) : new Redis(server)
      opened.push(() => client.disconnect())
      const endOf = (kind: string): Promise<number> => client.pexpiretime(`${keyPrefix}{kept}${kind}`)
      for (let count = 0; count < 20; count++) {
        const before = await endOf('s')
        await sleep(2)
        await store.changeSession('kept', { appendTurns: [{ turnId: `t${count}` }], updatedAt: '' })
        const after = await endOf('s')
        expect(after).toBeGreaterThan(before)
        expect(await Promise.all(['t', 'i'].map(endOf))).toEqual([after, after])
      }
    })
  }

  it('covers long sessions, and keys that a change adds', async () => {
    const keyPrefix = `${randomUUID()}:`
    const store = open({ keyPrefix, ttlMs: 60_000 })
    const turns = Array.from({ length: 2500 }, (_, index) => ({ turnId: `t${index}` }))
    await store.saveSession({ sessionId: 'long', turns })
    await store.saveSession({ sessionId: 'short' })
    await store.changeSession('short', { appendAgentTransitions: [{ toAgent: 'x' }], updatedAt: '' })
    await store.changeSession('short', { setMetadata: { a: 1 }, updatedAt: '' })
    // A store without ttlMs keeps the expiry, also for keys that it adds.
    const other = open({ keyPrefix })
    await other.changeSession('short', { appendTurns: [{ turnId: 'a' }], updatedAt: '' })
    const client = new Redis(server)
    for (const id of ['long', 'short']) {
      const keys = (await keysOf({ url: server }, keyPrefix)).filter(
        key => key.includes(`{${id}}`) && !key.endsWith('o'),
      )
      expect(keys.length).toBeGreaterThan(1)
      const instants = new Set(await Promise.all(keys.map(key => client.pexpiretime(key))))
      expect(instants.size, `instants at which ${keys.join(', ')} expire`).toBe(1)
      expect([...instants][0]).toBeGreaterThan(Date.now())
    }
    client.disconnect()
  })
})
