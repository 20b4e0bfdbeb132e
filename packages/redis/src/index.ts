export type { RedisConnection, RedisSessionStoreOptions } from './options.js'
export type { RedisClient } from './redis-client.js'
export { RedisSessionStore } from './redis-session-store.js'
