// How a child process of the conformance suite opens a store.
import { PostgresSessionStore } from '@turnstore/postgres'

/** @param {import('@turnstore/postgres').PostgresSessionStoreOptions} options */
export default options => new PostgresSessionStore(options)
