export type { RedisConnection, RedisSessionStoreOptions } from './server/store-options.js'
export type { RedisClient } from './server/redis-client.js'
export { RedisSessionStore } from './redis-session-store.js'
