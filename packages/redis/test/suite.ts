import { randomUUID } from 'node:crypto'
import { type GroupName, sessionStoreSuite } from '@turnstore/conformance'
import { RedisSessionStore } from '@turnstore/redis'
import { Cluster, Redis } from 'ioredis'
import { afterAll, describe, it } from 'vitest'
import { damages } from './damages.js'

type Connection = { readonly url: string } | { readonly nodes: { host: string; port: number }[] }

/** Runs the conformance suite. Each case has its own key prefix. */
export async function runConformanceSuite(
  name: string,
  connection: Connection,
  how: { readonly groups?: readonly GroupName[]; readonly thorough?: boolean },
): Promise<void> {
  const prefixes = new WeakMap<RedisSessionStore, string>()
  const open = (keyPrefix: string): RedisSessionStore => {
    const store = new RedisSessionStore({ ...connection, keyPrefix })
    prefixes.set(store, keyPrefix)
    return store
  }
  const client = 'nodes' in connection ? new Cluster(connection.nodes) : new Redis(connection.url)
  afterAll(() => client.disconnect())
  const damaged = async (store: RedisSessionStore, sessionId: string, kind: string): Promise<void> => {
    await damages.get(kind)?.(client, suffix => `${prefixOf(store)}{${sessionId}}${suffix}`)
  }
  const prefixOf = (store: RedisSessionStore): string => prefixes.get(store) ?? ''

  await sessionStoreSuite({
    describe,
    it,
    name,
    ...how,
    open: () => open(`${randomUUID()}:`),
    reopen: store => open(prefixOf(store)),
    damages: Object.fromEntries(
      [...damages.keys()].map(kind => [
        kind,
        (store: RedisSessionStore, sessionId: string) => damaged(store, sessionId, kind),
      ]),
    ),
    child: store => ({
      module: new URL('open-store.mjs', import.meta.url),
      args: { ...connection, keyPrefix: prefixOf(store) },
    }),
  })
}
