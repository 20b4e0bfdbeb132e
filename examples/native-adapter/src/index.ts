export { NodeSqliteSessionStore } from './node-sqlite-session-store.js'
