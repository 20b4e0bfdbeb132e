import { Cluster, Redis } from 'ioredis'
import { DatabaseGuard } from './database-guard.js'
import { isRefusal } from './redis-errors.js'
import type { Target } from './store-options.js'
import type { RedisClient } from './redis-client.js'

/** How often a replica that should be a master is left for the server that its name leads to by now. */
const RECONNECT_MS = 2000

/** A client with what the store has to know of it. */
export interface StoreClient {
  readonly client: RedisClient
  /** Whether closing the store closes it. */
  readonly isOwn: boolean
  /** Where a connection of ours is to be in another database than the first. */
  readonly guard: DatabaseGuard | null
}

/** A client of our own, which connects when it is first used; or the caller's. */
export function createClient(target: Target, timeoutMs: number): StoreClient {
  if (target.kind === 'client') return { client: target.client, isOwn: false, guard: null }
  if (target.kind === 'cluster') {
    const client = new Cluster(target.nodes, {
      lazyConnect: true,
      clusterRetryStrategy: times => Math.min(50 * times, 500),
      slotsRefreshTimeout: Math.min(2000, timeoutMs),
      ...target.options,
      redisOptions: { ...ownOptions(timeoutMs), ...target.options.redisOptions, replyMapping: 'legacy' },
    })
    return { client, isOwn: true, guard: null }
  }
  const client = new Redis({
    ...ownOptions(timeoutMs),
    lazyConnect: true,
    retryStrategy: (times: number): number => Math.min(25 * 2 ** Math.min(times, 5), 500),
    ...target.options,
    replyMapping: 'legacy',
  })
  const { db = 0 } = target.options
  return { client, isOwn: true, guard: db === 0 ? null : new DatabaseGuard(client, db) }
}

/**
 * Commands are sent again by us, with their tokens and until their deadline, so the driver gives up early.
 * A connection on which nothing comes back any more is given up as well: it would swallow every command
 * until the system noticed.
 */
function ownOptions(timeoutMs: number) {
  let reconnected = Number.NEGATIVE_INFINITY
  return {
    connectTimeout: Math.min(5000, timeoutMs),
    socketTimeout: Math.max(100, timeoutMs >> 2),
    maxRetriesPerRequest: 1,
    // After a failover the old master is a replica: the name may lead to the new one by now. Not for every
    // command, since those that are under way on the connection would lose their answers.
    reconnectOnError: (error: Error): boolean => {
      const isDue = isRefusal(error, 'READONLY') && performance.now() > reconnected + RECONNECT_MS
      if (isDue) reconnected = performance.now()
      return isDue
    },
  }
}
