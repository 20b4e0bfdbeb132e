import { NodeSqliteSessionStore } from 'turnstore-node-sqlite'

/** A long timeout, so that a busy machine does not look like a database that others hold. */
export default path => new NodeSqliteSessionStore(path, { timeoutMs: 30_000 })
