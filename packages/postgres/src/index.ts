export type { PostgresOptions, PostgresPool } from './server/postgres-pool.js'
export type { PostgresConnection, PostgresSessionStoreOptions } from './server/store-options.js'
export { PostgresSessionStore } from './postgres-session-store.js'
