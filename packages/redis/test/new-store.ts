import { randomUUID } from 'node:crypto'
import { RedisSessionStore } from '@turnstore/redis'

/** Takes any options, also those that the compiler refuses. */
export function newStore(options: object): RedisSessionStore {
  const store: unknown = Reflect.construct(RedisSessionStore, [options])
  if (!(store instanceof RedisSessionStore)) throw new TypeError('no store')
  return store
}

/** A store with a key prefix of its own, on this server unless the options name another one. */
export function newStoreOn(server: string, options: object): RedisSessionStore {
  const isElsewhere = ['url', 'redis', 'nodes', 'client'].some(name => name in options)
  return newStore({ ...(isElsewhere ? {} : { url: server }), keyPrefix: `${randomUUID()}:`, ...options })
}
