import { type StoreOptions, checkStoreOptions } from '@turnstore/core/adapter'
import type { ClusterNode, ClusterOptions, RedisOptions } from 'ioredis'
import { checkClusterOptions, checkNodeOptions, checkServerOptions, readNodes } from './ioredis-options.js'
import { isRedisClient, type RedisClient, staleReadsOf } from './redis-client.js'
import { invalid } from './redis-errors.js'
import { readUrl } from './redis-url.js'

/** How the store reaches Redis: a URL, ioredis options, nodes of a Cluster, or a client of your own. */
export type RedisConnection =
  | {
      /** `redis://`, `rediss://` or `redis-cluster://host:port,host:port`. */
      url: string
      /** Further ioredis options. */
      redis?: RedisOptions
      nodes?: never
      cluster?: never
      client?: never
    }
  | { redis: RedisOptions; url?: never; nodes?: never; cluster?: never; client?: never }
  | {
      /** Some nodes of a Cluster. The store finds the others through them. */
      nodes: ClusterNode[]
      /** ioredis options for a Cluster. */
      cluster?: ClusterOptions
      url?: never
      redis?: never
      client?: never
    }
  | {
      /** An ioredis client of your own, `Redis` or `Cluster`. The store never closes it. */
      client: RedisClient
      url?: never
      redis?: never
      nodes?: never
      cluster?: never
    }

export type RedisSessionStoreOptions = StoreOptions &
  RedisConnection & {
    /** The start of every key; default `turnstore:`. Stores with different prefixes are independent. */
    keyPrefix?: string
    /** A session expires this many milliseconds after its last change; default: never. */
    ttlMs?: number
    /** Accept a server that may evict sessions when its memory is full. */
    allowEviction?: boolean
  }

/** What the store connects to, in one form for all options. */
export type Target =
  | { readonly kind: 'client'; readonly client: RedisClient }
  | { readonly kind: 'server'; readonly options: RedisOptions }
  | { readonly kind: 'cluster'; readonly nodes: ClusterNode[]; readonly options: ClusterOptions }

/** The options, checked and with defaults. */
export interface Settings {
  readonly target: Target
  readonly keyPrefix: string
  /** 0: none. */
  readonly ttlMs: number
  readonly allowEviction: boolean
}

/** A hundred years. */
const LONGEST_TTL_MS = 100 * 366 * 24 * 3600 * 1000

/** Results of operations are kept for at least 10 minutes, so a call must be shorter. */
const LONGEST_TIMEOUT_MS = 600_000

/** @throws `INVALID_ARGUMENT`; no message repeats a URL or a password */
export function readOptions(options: RedisSessionStoreOptions): Settings {
  if (typeof options !== 'object' || options === null) {
    throw invalid('RedisSessionStore takes options: { url }, { redis }, { nodes } or { client }')
  }
  if (isRedisClient(options)) throw invalid('RedisSessionStore takes a client as { client }')
  checkStoreOptions(options, ['url', 'redis', 'nodes', 'cluster', 'client', 'keyPrefix', 'ttlMs', 'allowEviction'])
  const { keyPrefix = 'turnstore:', ttlMs, allowEviction = false, timeoutMs = 0 } = options
  if (typeof keyPrefix !== 'string' || /[{}]/.test(keyPrefix) || /\p{Surrogate}/u.test(keyPrefix)) {
    throw invalid(
      'options.keyPrefix must be a string without braces, which would put all keys in one slot of a Cluster',
    )
  }
  if (ttlMs !== undefined && !(Number.isSafeInteger(ttlMs) && ttlMs >= 1 && ttlMs <= LONGEST_TTL_MS)) {
    throw invalid(
      `options.ttlMs must be a whole number of milliseconds from 1 to ${LONGEST_TTL_MS}; leave it out for no expiry`,
    )
  }
  if (typeof allowEviction !== 'boolean') throw invalid('options.allowEviction must be true or false')
  if (timeoutMs > LONGEST_TIMEOUT_MS) throw invalid(`options.timeoutMs must be at most ${LONGEST_TIMEOUT_MS}`)
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

/** A URL, with ioredis options that do not repeat a part of the URL. */
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

/** A setting in two places is refused: one of them would be ignored. */
function refuseTwice(redis: RedisOptions | undefined, names: readonly string[]): void {
  const found = names.find(name => redis !== undefined && Reflect.get(redis, name) !== undefined)
  if (found !== undefined) throw invalid(`options.redis.${found} is also in options.url; leave one of them out`)
}

function checkClient(client: RedisClient): RedisClient {
  if (!isRedisClient(client)) throw invalid('options.client must be an ioredis client, Redis or Cluster')
  const why = staleReadsOf(client)
  if (why !== null) {
    throw invalid(`options.client reads from replicas (${why}), which may lack the latest writes`)
  }
  if (client.isCluster && Reflect.get(client.options, 'enableAutoPipelining') === true) {
    throw invalid(
      'options.client has enableAutoPipelining, with which ioredis sends scripts to the wrong node of a Cluster',
    )
  }
  return client
}
