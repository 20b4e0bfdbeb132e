import { randomUUID } from 'node:crypto'
import { sessionStoreSuite } from '@turnstore/conformance'
import { RedisSessionStore } from '@turnstore/redis'
import { describe, it } from 'vitest'

type Connection = { readonly url: string } | { readonly nodes: { host: string; port: number }[] }

/** Holds the store to the contract of all stores. Each case has a key prefix of its own. */
export async function holdToContract(name: string, connection: Connection): Promise<void> {
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
  })
}
