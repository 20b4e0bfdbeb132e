import { TurnstoreError } from '@turnstore/core'
import { type BaseStoreOptions, checkStoreOptions } from '@turnstore/core/adapter'
import type { ClusterNode, ClusterOptions, RedisOptions } from 'ioredis'
import { checkClusterOptions, checkNodeOptions, checkServerOptions, readNodes } from './ioredis-options.js'
import { isRedisClient, type RedisClient, staleReadsOf } from './redis-client.js'
import { readUrl } from './redis-url.js'

/** How the store reaches Redis: by a URL, by ioredis options, by nodes of a Cluster, or by a client of the caller's. */
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
    ttlMs?: number
    /** Take a server that may evict sessions when its memory is full. */
    allowEviction?: boolean
  }

/** What the store connects to: one way to say it, whatever form the options have. */
export type Target =
  | { readonly kind: 'client'; readonly client: RedisClient }
  | { readonly kind: 'server'; readonly options: RedisOptions }
  | { readonly kind: 'cluster'; readonly nodes: ClusterNode[]; readonly options: ClusterOptions }

/** The options, checked and with their defaults. */
export interface Settings {
  readonly target: Target
  readonly keyPrefix: string
  /** 0: none. */
  readonly ttlMs: number
  readonly allowEviction: boolean
}

/** A hundred years. */
const LONGEST_TTL_MS = 100 * 366 * 24 * 3600 * 1000

/** Results of operations are kept for 15 minutes, so no call may take longer. */
const LONGEST_TIMEOUT = 600_000

/** @throws `INVALID_ARGUMENT`; no message repeats a URL or a password */
export function readOptions(options: RedisSessionStoreOptions): Settings {
  if (typeof options !== 'object' || options === null) {
    throw invalid('RedisSessionStore takes options: { url }, { redis }, { nodes } or { client }')
  }
  if (isRedisClient(options)) throw invalid('RedisSessionStore takes a client of your own as { client }')
  checkStoreOptions(options, ['url', 'redis', 'nodes', 'cluster', 'client', 'keyPrefix', 'ttlMs', 'allowEviction'])
  const { keyPrefix = 'turnstore:', ttlMs, allowEviction = false, timeoutMs = 0 } = options
  if (typeof keyPrefix !== 'string' || /[{}]/.test(keyPrefix) || /\p{Surrogate}/u.test(keyPrefix)) {
    throw invalid(
      'options.keyPrefix must be a string without braces, which would put all keys into one slot of a Cluster',
    )
  }
  if (ttlMs !== undefined && !(Number.isSafeInteger(ttlMs) && ttlMs >= 1 && ttlMs <= LONGEST_TTL_MS)) {
    throw invalid(`options.ttlMs must be a whole number of milliseconds from 1 to ${LONGEST_TTL_MS}; leave it out for none`)
  }
  if (typeof allowEviction !== 'boolean') throw invalid('options.allowEviction must be true or false')
  if (timeoutMs > LONGEST_TIMEOUT) throw invalid(`options.timeoutMs must be at most ${LONGEST_TIMEOUT}`)
  return { target: readTarget(options), keyPrefix, ttlMs: ttlMs ?? 0, allowEviction }
}

function readTarget(options: RedisSessionStoreOptions): Target {
  const { url, redis, nodes, cluster, client } = options
  const forms = [url !== undefined || redis !== undefined, nodes !== undefined, client !== undefined]
  if (forms.filter(Boolean).length !== 1) {
    throw invalid('RedisSessionStore takes one of { url }, { redis }, { nodes } and { client }')
  }
  if (cluster !== undefined && nodes === undefined) throw invalid('options.cluster belongs to { nodes }; leave it out')
  if (client !== undefined) return { kind: 'client', client: checkClient(client) }
  if (nodes !== undefined) {
    const addresses = readNodes(nodes)
    if (cluster !== undefined) checkClusterOptions(cluster, 'options.cluster')
    return { kind: 'cluster', nodes: addresses, options: { ...cluster } }
  }
  return url === undefined ? readServer(redis) : readTargetUrl(url, redis)
}

function readServer(redis: RedisOptions = {}): Target {
  checkServerOptions(redis, 'options.redis')
  return { kind: 'server', options: { ...redis } }
}

/** A URL, with options of ioredis that say nothing which the URL says. */
function readTargetUrl(url: string, redis: RedisOptions | undefined): Target {
  if (typeof url !== 'string') throw invalid('options.url must be a string')
  const { username, password, ...where } = readUrl(url)
  const credentials = { ...(username !== undefined && { username }), ...(password !== undefined && { password }) }
  if ('nodes' in where) {
    if (redis !== undefined) checkNodeOptions(redis, 'options.redis')
    refuseTwice(redis, Object.keys(credentials))
    return { kind: 'cluster', nodes: where.nodes, options: { redisOptions: { ...redis, ...credentials } } }
  }
  const { isTls, ...address } = where
  if (redis !== undefined) checkServerOptions(redis, 'options.redis')
  refuseTwice(redis, ['host', 'port', 'path', 'sentinels', 'Connector', ...Object.keys({ ...address, ...credentials })])
  return { kind: 'server', options: { ...(isTls && { tls: {} }), ...redis, ...address, ...credentials } }
}

/** Of two places that say the same, one would be lost. */
function refuseTwice(redis: RedisOptions | undefined, names: readonly string[]): void {
  const found = names.find(name => redis !== undefined && Reflect.get(redis, name) !== undefined)
  if (found !== undefined) throw invalid(`options.redis.${found} is what options.url says already; leave one of them out`)
}

function checkClient(client: RedisClient): RedisClient {
  if (!isRedisClient(client)) throw invalid('options.client must be a client of ioredis, Redis or Cluster')
  const why = staleReadsOf(client)
  if (why !== null) {
    throw invalid(`options.client reads from replicas (${why}), which would miss what was just written`)
  }
  if (client.isCluster && Reflect.get(client.options, 'enableAutoPipelining') === true) {
    throw invalid(
      'options.client has enableAutoPipelining, with which ioredis sends scripts to the wrong node of a Cluster',
    )
  }
  return client
}

function invalid(message: string): TurnstoreError {
  return new TurnstoreError('INVALID_ARGUMENT', message)
}
