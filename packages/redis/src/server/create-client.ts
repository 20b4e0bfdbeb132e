import { Cluster, Redis } from 'ioredis'
import { DatabaseGuard } from './database-guard.js'
import type { RedisClient } from './redis-client.js'
import { isRefusal } from './redis-errors.js'
import type { Target } from './store-options.js'

/** The least time between two reconnections because the server is a replica. */
const RECONNECT_MS = 2000

/** A client, and what the store must know about it. */
export interface StoreClient {
  readonly client: RedisClient
  /** Whether closing the store closes the client. */
  readonly isOwn: boolean
  /** Set for a client of our own that uses a database other than 0. */
  readonly guard: DatabaseGuard | null
}

/** A client of our own, which connects on first use, or the caller's client. */
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
 * The store repeats commands itself, with their tokens and until their deadline, so the driver gives up early. It also
 * drops a connection without replies, which would swallow commands until the system noticed.
 */
function ownOptions(timeoutMs: number) {
  let reconnected = Number.NEGATIVE_INFINITY
  return {
    connectTimeout: Math.min(5000, timeoutMs),
    socketTimeout: Math.max(100, timeoutMs >> 2),
    maxRetriesPerRequest: 1,
    // After a failover the old master is a replica, and its name may now resolve to the new one. Limited in rate, since
    // the commands in flight lose their replies.
    reconnectOnError: (error: Error): boolean => {
      const isDue = isRefusal(error, 'READONLY') && performance.now() > reconnected + RECONNECT_MS
      if (isDue) reconnected = performance.now()
      return isDue
    },
  }
}
