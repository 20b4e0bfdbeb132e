export type { SqliteDatabase, SqliteStatement, SqlValue } from './database/driver.js'
export type { IntegrityProblem, IntegrityReport } from './maintenance/integrity.js'
export { SqliteSessionStore, type SqliteSessionStoreOptions } from './sqlite-session-store.js'
