import { randomUUID } from 'node:crypto'
import { sessionStoreSuite } from '@turnstore/conformance'
import { RedisSessionStore, type RedisConnection } from '@turnstore/redis'
import { describe, inject, it } from 'vitest'
import { removeKeys } from './keys.js'

const { server, appendOnly, nodes } = inject('addresses')

const setups = {
  'RedisSessionStore on one server': { url: server },
  'RedisSessionStore on a server with appendfsync always': { url: appendOnly },
  'RedisSessionStore on a Cluster': { nodes },
} satisfies Record<string, RedisConnection>

for (const [name, connection] of Object.entries(setups)) {
  const prefixes = new WeakMap<RedisSessionStore, string>()
  const open = (keyPrefix: string): RedisSessionStore => {
    const store = new RedisSessionStore({ ...connection, keyPrefix })
    prefixes.set(store, keyPrefix)
    return store
  }
  const prefixOf = (store: RedisSessionStore): string => prefixes.get(store) ?? ''

  await sessionStoreSuite({
    describe,
    it,
    name,
    open: () => open(`${randomUUID()}:`),
    reopen: store => open(prefixOf(store)),
    child: store => ({
      module: new URL('open-store.mjs', import.meta.url),
      args: { ...connection, keyPrefix: prefixOf(store) },
    }),
    destroy: store => removeKeys(connection, prefixOf(store)),
  })
}
