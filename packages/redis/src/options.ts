import { Cluster, type ClusterNode, type ClusterOptions, Redis, type RedisOptions } from 'ioredis'
import { TurnstoreError } from '@turnstore/core'
import { type BaseStoreOptions, checkStoreOptions } from '@turnstore/core/adapter'
import { isRedisClient, type RedisClient, staleReadsOf } from './redis-client.js'

/** How the store reaches Redis: by a URL, by ioredis options, by nodes of a Cluster, or by a client that is lent. */
export type RedisConnection =
  | {
      /** `redis://`, `rediss://` or `redis-cluster://host:port,host:port`. */
      url: string
      /** More of ioredis' options. */
      redis?: RedisOptions
      nodes?: never
      cluster?: never
      client?: never
    }
  | { redis: RedisOptions; url?: never; nodes?: never; cluster?: never; client?: never }
  | {
      /** Some nodes of a Cluster; the others are found through them. */
      nodes: ClusterNode[]
      /** More of ioredis' options for a Cluster. */
      cluster?: ClusterOptions
      url?: never
      redis?: never
      client?: never
    }
  | {
      /** An ioredis client of your own, `Redis` or `Cluster`. It is never closed for you. */
      client: RedisClient
      url?: never
      redis?: never
      nodes?: never
      cluster?: never
    }

export type RedisSessionStoreOptions = BaseStoreOptions &
  RedisConnection & {
    /** Stands before every key; default `turnstore:`. Stores with other prefixes see nothing of each other. */
    keyPrefix?: string
    /** Milliseconds after which a session that nobody changes is gone; default: never. */
    ttl?: number
    /** Take a server that may evict sessions when its memory is full. */
    allowEviction?: boolean
  }

/** The options, checked and with their defaults. */
export interface Settings {
  readonly connection: RedisConnection
  readonly keyPrefix: string
  /** 0: none. */
  readonly ttl: number
  readonly allowEviction: boolean
}

/** A hundred years. */
const LONGEST_TTL = 100 * 366 * 24 * 3600 * 1000

/** Results of operations are kept for 15 minutes, so no call may take longer. */
const LONGEST_TIMEOUT = 600_000

/** How often a replica that should be a master is left for whom its name leads to. */
const RECONNECT_MS = 2000

/** @throws `INVALID_ARGUMENT`; no message repeats a URL or a password */
export function readOptions(options: RedisSessionStoreOptions): Settings {
  if (typeof options !== 'object' || options === null) {
    throw invalid('RedisSessionStore takes options: { url }, { redis }, { nodes } or { client }')
  }
  if (isRedisClient(options)) throw invalid('RedisSessionStore takes a client of your own as { client }')
  checkStoreOptions(options, ['url', 'redis', 'nodes', 'cluster', 'client', 'keyPrefix', 'ttl', 'allowEviction'])
  const { keyPrefix = 'turnstore:', ttl, allowEviction = false, timeoutMs = 0 } = options
  if (typeof keyPrefix !== 'string' || /[{}]/.test(keyPrefix) || /\p{Surrogate}/u.test(keyPrefix)) {
    throw invalid(
      'options.keyPrefix must be a string without braces, which would put all keys into one slot of a Cluster',
    )
  }
  if (ttl !== undefined && !(Number.isSafeInteger(ttl) && ttl >= 1 && ttl <= LONGEST_TTL)) {
    throw invalid(`options.ttl must be a whole number of milliseconds from 1 to ${LONGEST_TTL}; leave it out for none`)
  }
  if (typeof allowEviction !== 'boolean') throw invalid('options.allowEviction must be true or false')
  if (timeoutMs > LONGEST_TIMEOUT) throw invalid(`options.timeoutMs must be at most ${LONGEST_TIMEOUT}`)
  return { connection: readConnection(options), keyPrefix, ttl: ttl ?? 0, allowEviction }
}

function readConnection(options: RedisSessionStoreOptions): RedisConnection {
  const { url, redis, nodes, cluster, client } = options
  const forms = [url !== undefined || redis !== undefined, nodes !== undefined, client !== undefined]
  if (forms.filter(Boolean).length !== 1) {
    throw invalid('RedisSessionStore takes one of { url }, { redis }, { nodes } and { client }')
  }
  if (client !== undefined) {
    if (!isRedisClient(client)) throw invalid('options.client must be a client of ioredis, Redis or Cluster')
    const why = staleReadsOf(client)
    if (why !== null)
      throw invalid(`options.client reads from replicas (${why}), which would miss what was just written`)
    if (client.isCluster && Reflect.get(client.options, 'enableAutoPipelining') === true) {
      throw invalid(
        'options.client has enableAutoPipelining, with which ioredis sends scripts to the wrong node of a Cluster',
      )
    }
    return { client }
  }
  if (nodes !== undefined) {
    if (!Array.isArray(nodes) || nodes.length === 0) throw invalid('options.nodes must be an array of { host, port }')
    if (cluster?.scaleReads !== undefined && cluster.scaleReads !== 'master') {
      throw invalid('options.cluster.scaleReads must be "master": replicas would miss what was just written')
    }
    if (cluster?.enableAutoPipelining === true) {
      throw invalid('options.cluster.enableAutoPipelining sends scripts to the wrong node; leave it out')
    }
    return { nodes, ...(cluster && { cluster }) }
  }
  if (redis !== undefined && (typeof redis !== 'object' || redis === null))
    throw invalid('options.redis must be an object')
  if (redis?.readOnly === true || redis?.role === 'slave') {
    throw invalid('options.redis must not read from replicas, which would miss what was just written')
  }
  if (url === undefined) return { redis: redis ?? {} }
  if (typeof url !== 'string') throw invalid('options.url must be a string')
  return url.startsWith('redis-cluster:') ? nodesOf(url, redis ?? {}) : { url: checkUrl(url), ...(redis && { redis }) }
}

function checkUrl(url: string): string {
  if (!/^rediss?:\/\//.test(url) || !URL.canParse(url)) {
    throw invalid(
      'options.url must be redis://, rediss:// or redis-cluster:// with a host, as in redis://localhost:6379',
    )
  }
  return url
}

/** `redis-cluster://user:password@host:port,host:port` */
function nodesOf(url: string, redis: RedisOptions): RedisConnection {
  const [, credentials, hosts = ''] = /^redis-cluster:\/\/(?:([^@]*)@)?([^/?#@]+)\/?$/.exec(url) ?? []
  const nodes = hosts.split(',').map(host => {
    const parsed = URL.canParse(`redis://${host}`) ? new URL(`redis://${host}`) : null
    if (parsed === null || parsed.hostname === '') {
      throw invalid(
        'A URL of a Cluster is redis-cluster://host:port,host:port, with user:password@ before the hosts if needed',
      )
    }
    return { host: parsed.hostname.replace(/^\[|\]$/g, ''), port: parsed.port === '' ? 6379 : Number(parsed.port) }
  })
  const [username = '', password = ''] = (credentials ?? '').split(/:(.*)/s).map(decode)
  const { host: _host, port: _port, path: _path, ...rest } = redis
  return {
    nodes,
    cluster: { redisOptions: { ...rest, ...(username && { username }), ...(password && { password }) } },
  }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw invalid('The username or password in the URL is not percent-encoded as it must be')
  }
}

/** A client of our own, which connects when it is first used; or the one that was lent. */
export function createClient(connection: RedisConnection, timeoutMs: number): { client: RedisClient; isOwn: boolean } {
  if (connection.client !== undefined) return { client: connection.client, isOwn: false }
  if (connection.nodes !== undefined) {
    const { cluster = {}, nodes } = connection
    const client = new Cluster(nodes, {
      lazyConnect: true,
      clusterRetryStrategy: times => Math.min(50 * times, 500),
      slotsRefreshTimeout: Math.min(2000, timeoutMs),
      ...cluster,
      redisOptions: { ...ownOptions(timeoutMs), ...cluster.redisOptions, replyMapping: 'legacy' },
    })
    return { client, isOwn: true }
  }
  const options = {
    ...ownOptions(timeoutMs),
    lazyConnect: true,
    retryStrategy: (times: number): number => Math.min(25 * 2 ** Math.min(times, 5), 500),
    ...connection.redis,
    replyMapping: 'legacy' as const,
  }
  return { client: connection.url === undefined ? new Redis(options) : new Redis(connection.url, options), isOwn: true }
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
      const isDue = error.message.startsWith('READONLY') && performance.now() > reconnected + RECONNECT_MS
      if (isDue) reconnected = performance.now()
      return isDue
    },
  }
}

function invalid(message: string): TurnstoreError {
  return new TurnstoreError('INVALID_ARGUMENT', message)
}
