// How a child process of the conformance suite opens a store.
import { RedisSessionStore } from '@turnstore/redis'

/** @param {import('@turnstore/redis').RedisSessionStoreOptions} options */
export default options => new RedisSessionStore(options)
