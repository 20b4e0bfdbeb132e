// How a child process of the conformance suite opens a store.
import { SqliteSessionStore } from '@turnstore/sqlite'

/** @param {string} path */
export default path => new SqliteSessionStore(path)
