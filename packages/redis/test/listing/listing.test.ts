import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { SessionQuery } from '@turnstore/core'
import { RedisSessionStore } from '@turnstore/redis'
import { Cluster, Redis } from 'ioredis'
import { afterEach, describe, expect, inject, it } from 'vitest'
import { until } from '../servers.js'

const { server, nodes } = inject('addresses')
const setups = { 'on one server': { url: server }, 'on a Cluster': { nodes } }

const opened: (() => unknown)[] = []
afterEach(async () => {
  for (const close of opened.splice(0).toReversed()) await close()
})

for (const [setup, connection] of Object.entries(setups)) {
  const open = (keyPrefix: string): RedisSessionStore => {
    const store = new RedisSessionStore({ ...connection, keyPrefix })
    opened.push(() => store.close())
    return store
  }
  const connect = (): Redis | Cluster => {
    const client = 'url' in connection ? new Redis(connection.url) : new Cluster(connection.nodes)
    opened.push(() => client.disconnect())
    return client
  }

  describe(`the indexes ${setup}`, () => {
    /** Ten sessions, and a child process that dies while it writes one of them, the victim. */
    async function withDeath(
      when: 'create' | 'append' | 'delete',
    ): Promise<{ store: RedisSessionStore; keyPrefix: string }> {
      const keyPrefix = `${randomUUID()}:`
      const store = open(keyPrefix)
      for (let index = 0; index < 10; index++) {
        const sessionId = index === 4 ? 'victim' : `s${index}`
        if (when === 'create' && sessionId === 'victim') continue
        const time = `2026-01-01T00:00:0${index}Z`
        await store.saveSession({ sessionId, workspaceId: 'w', createdAt: time, updatedAt: time })
      }
      const script = fileURLToPath(new URL('../dying-client.mjs', import.meta.url))
      const child = spawn(process.execPath, [script, JSON.stringify(connection), keyPrefix, when], { stdio: 'inherit' })
      await once(child, 'exit')
      expect(child.signalCode).toBe('SIGKILL')
      return { store, keyPrefix }
    }

    const orders = (['updatedAt', 'createdAt'] as const).flatMap(orderBy =>
      (['asc', 'desc'] as const).flatMap(order => [
        { orderBy, order },
        { orderBy, order, workspaceId: 'w' },
      ]),
    )
    const idsOf = async (store: RedisSessionStore, query: SessionQuery): Promise<string[]> => {
      const ids: string[] = []
      for await (const { sessionId } of store.sessions({ ...query, limit: 3 })) ids.push(sessionId)
      return ids
    }
    const others = ['s0', 's1', 's2', 's3', 's5', 's6', 's7', 's8', 's9']

    it('show no session whose client died before it was created', async () => {
      const { store } = await withDeath('create')
      for (const query of orders) expect((await idsOf(store, query)).toSorted()).toEqual(others)
      expect((await store.listSessions()).toSorted()).toEqual(others)
      expect(await store.saveSession({ sessionId: 'victim', workspaceId: 'w' }, { ifRevision: 0 })).toBe(1)
      for (const query of orders) expect((await idsOf(store, query)).toSorted()).toEqual([...others, 'victim'])
    })

    it('show a session once whose client died after the script, and then at its place', async () => {
      const { store } = await withDeath('append')
      expect(await store.loadSummary('victim')).toMatchObject({ turnCount: 1, updatedAt: '2026-06-01T00:00:00Z' })
      for (const query of orders) expect((await idsOf(store, query)).toSorted()).toEqual([...others, 'victim'])
      // The first listing of each index has repaired it.
      for (const query of orders.filter(({ orderBy, order }) => orderBy === 'updatedAt' && order === 'desc')) {
        expect(await idsOf(store, query)).toEqual(['victim', ...others.toReversed()])
      }
      expect(
        (await store.changeSession('victim', { setMetadata: { a: 1 }, updatedAt: '2026-06-02T00:00:00Z' })).revision,
      ).toBe(3)
      for (const query of orders) expect((await idsOf(store, query)).toSorted()).toEqual([...others, 'victim'])
    })

    it('show no session whose client died after deleting it', async () => {
      const { store } = await withDeath('delete')
      for (const query of orders) expect((await idsOf(store, query)).toSorted()).toEqual(others)
      expect((await store.listSessions({ workspaceId: 'w' })).toSorted()).toEqual(others)
    })

    it('lose an obsolete entry once its write can no longer happen, and not before', async () => {
      const keyPrefix = `${randomUUID()}:`
      const store = open(keyPrefix)
      const client = connect()
      const time = '2026-01-01T00:00:00Z'
      await store.saveSession({ sessionId: 'here', createdAt: time, updatedAt: time })
      const indexes = ['updated', 'created'].flatMap(order => [
        `${keyPrefix}{}${order}:0:all`,
        `${keyPrefix}{}${order}:0:none`,
      ])
      const stamp = (age: number): string => `${(Date.now() - age).toString(36)}0000000`
      const place = '2026-01-01T00:00:00.000000Z'
      const young = [`${place} gone\u001f${stamp(0)}`, `${place} here\u001f${stamp(0)}`]
      const old = [`${place} gone\u001f${stamp(3_600_000)}`, `${place} here\u001f${stamp(3_600_000)}`]
      for (const key of indexes) for (const member of [...young, ...old]) await client.call('zadd', key, '0', member)
      for (const orderBy of ['updatedAt', 'createdAt'] as const) {
        expect(await idsOf(store, { orderBy })).toEqual(['here'])
        expect(await idsOf(store, { orderBy, workspaceId: null })).toEqual(['here'])
      }
      for (const key of indexes) {
        await until(async () => (await client.zcard(key)) === 3)
        const members = await client.zrange(key, '0', '-1')
        expect(members).toEqual(expect.arrayContaining(young))
      }
    })

    it('lose the entry of a deleted session in the index of all sessions, even if only its workspace is listed', async () => {
      const keyPrefix = `${randomUUID()}:`
      const store = open(keyPrefix)
      const client = connect()
      const stamp = `${(Date.now() - 3_600_000).toString(36)}0000000`
      const place = '2026-01-01T00:00:00.000000Z'
      // Created again in another workspace. Its entry in the index of all sessions is old, and current.
      await store.saveSession({ sessionId: 'moved', workspaceId: 'v', createdAt: place, updatedAt: place })
      await client.hset(`${keyPrefix}{moved}s`, { us: stamp, cs: stamp })
      for (const order of ['updated', 'created']) {
        await client.del(`${keyPrefix}{}${order}:0:all`)
        for (const scope of ['all', 'in:w']) {
          for (const id of ['moved', 'gone']) {
            await client.call('zadd', `${keyPrefix}{}${order}:0:${scope}`, '0', `${place} ${id}\u001f${stamp}`)
          }
        }
      }
      expect(await store.listSessions({ workspaceId: 'w' })).toEqual([])
      expect(await idsOf(store, { workspaceId: 'w' })).toEqual([])
      for (const order of ['updated', 'created']) {
        const key = `${keyPrefix}{}${order}:0:all`
        await until(async () => (await client.zcard(key)) === 1)
        expect((await client.zrange(key, '0', '-1'))[0]).toContain(' moved')
      }
    })

    it('find a session that lacks its entry by an obsolete one', async () => {
      const keyPrefix = `${randomUUID()}:`
      const store = open(keyPrefix)
      const client = connect()
      await store.saveSession({ sessionId: 'a', updatedAt: '2026-01-01T00:00:01Z' })
      await store.saveSession({ sessionId: 'b', updatedAt: '2026-01-01T00:00:02Z' })
      const key = `${keyPrefix}{}updated:0:all`
      for (const [index, victim] of ['a', 'b'].entries()) {
        const [right = ''] = await client.zrange(key, `${index}`, `${index}`)
        // Before all others, between the two, after all others.
        for (const left of [
          '2025-01-01T00:00:00.000000Z',
          '2026-01-01T00:00:01.500000Z',
          '2027-01-01T00:00:00.000000Z',
        ]) {
          for (const order of ['asc', 'desc'] as const) {
            await client.zrem(key, right)
            await client.call('zadd', key, '0', `${left} ${victim}\u001f${Date.now().toString(36)}0000000`)
            const what = `${order}, ${victim} is left at ${left}`
            expect({ what, ids: (await idsOf(store, { order })).toSorted() }).toEqual({ what, ids: ['a', 'b'] })
            expect({ what, score: await client.zscore(key, right) }).toEqual({ what, score: '0' })
            const ids = order === 'asc' ? ['a', 'b'] : ['b', 'a']
            expect({ what, ids: await idsOf(store, { order }) }).toEqual({ what, ids })
            for (const member of await client.zrange(key, '0', '-1')) {
              if (member.startsWith(left)) await client.zrem(key, member)
            }
          }
        }
      }
    })
  })
}
