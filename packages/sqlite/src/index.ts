export type { SqliteDatabase, SqliteStatement, SqlValue } from './driver.js'
export type { IntegrityProblem, IntegrityReport } from './integrity.js'
export { SqliteSessionStore, type SqliteSessionStoreOptions } from './sqlite-session-store.js'
