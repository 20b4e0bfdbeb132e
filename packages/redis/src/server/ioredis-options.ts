import { isIP } from 'node:net'
import { quote } from '@turnstore/core/adapter'
import type { ClusterNode, ClusterOptions, RedisOptions } from 'ioredis'
import { invalid } from './redis-errors.js'
import { LAST_DATABASE, readAddress } from './redis-url.js'

/*
 * The ioredis options that the store accepts. A fixed list: ioredis silently ignores a misspelled option, and one that
 * does not fit the others.
 */

/** What a value must be, in words and as a check. */
interface Kind {
  readonly what: string
  readonly fits: (value: unknown) => boolean
}

const text: Kind = { what: 'a string', fits: value => typeof value === 'string' }
const host: Kind = { what: 'a host name or an IP address', fits: isHost }
const flag: Kind = { what: 'true or false', fits: value => typeof value === 'boolean' }
const work: Kind = { what: 'a function', fits: value => typeof value === 'function' }
const object: Kind = { what: 'an object', fits: isObject }
const list: Kind = { what: 'an array', fits: Array.isArray }
const count = wholeNumber(0, Number.MAX_SAFE_INTEGER)
const port = wholeNumber(1, 65_535)

function wholeNumber(least: number, most: number): Kind {
  const range = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`
  return {
    what: `a whole number ${range}`,
    fits: value => typeof value === 'number' && Number.isSafeInteger(value) && value >= least && value <= most,
  }
}

function orNull(kind: Kind): Kind {
  return { what: `${kind.what} or null`, fits: value => value === null || kind.fits(value) }
}

function either(first: Kind, second: Kind): Kind {
  return { what: `${first.what} or ${second.what}`, fits: value => first.fits(value) || second.fits(value) }
}

/** One of a few values, with a reason. */
function only(reason: string, ...values: unknown[]): Kind {
  const shown = values.map(value => JSON.stringify(value)).join(' or ')
  return { what: `${shown}${reason}`, fits: value => values.includes(value) }
}

type Kinds = Readonly<Record<string, Kind>>

/** Options of a connection to one server or to a node of a Cluster. */
const connectionKinds: Kinds = {
  family: only('', 0, 4, 6),
  tls: object,
  username: text,
  password: text,
  db: wholeNumber(0, LAST_DATABASE),
  protocol: only('', 2, 3),
  replyMapping: only(': the store expects replies of that form', 'legacy'),
  connectTimeout: count,
  disconnectTimeout: count,
  socketTimeout: count,
  commandTimeout: count,
  blockingTimeout: count,
  blockingTimeoutGrace: count,
  keepAlive: count,
  noDelay: flag,
  connectionName: orNull(text),
  disableClientInfo: flag,
  clientInfoTag: text,
  maxRetriesPerRequest: orNull(count),
  maxLoadingRetryTime: count,
  autoResubscribe: flag,
  autoResendUnfulfilledCommands: flag,
  reconnectOnError: orNull(work),
  enableReadyCheck: only(': otherwise ioredis ignores errors before a connection is ready', true),
  lazyConnect: flag,
  stringNumbers: flag,
  showFriendlyErrorStack: flag,
  monitor: only(': such a connection takes no commands', false),
}

const sentinelKinds: Kinds = {
  name: text,
  role: only(': a replica may lack the latest writes', 'master'),
  sentinelUsername: text,
  sentinelPassword: text,
  sentinelRetryStrategy: orNull(work),
  sentinelReconnectStrategy: orNull(work),
  sentinelCommandTimeout: count,
  sentinelMaxConnections: count,
  sentinelTLS: object,
  enableTLSForSentinelMode: flag,
  updateSentinels: flag,
  failoverDetector: flag,
  natMap: either(object, work),
}

const serverKinds: Kinds = {
  ...connectionKinds,
  host,
  port,
  path: text,
  Connector: work,
  retryStrategy: orNull(work),
  enableOfflineQueue: only(': commands wait there for the connection', true),
  enableAutoPipelining: flag,
  autoPipeliningIgnoredCommands: list,
  readOnly: only(': a replica may lack the latest writes', false),
  sentinels: list,
  ...sentinelKinds,
}

const clusterKinds: Kinds = {
  redisOptions: object,
  clusterRetryStrategy: orNull(work),
  clusterNodeRetryStrategy: orNull(work),
  enableOfflineQueue: only(': commands wait there for the connection', true),
  enableReadyCheck: flag,
  enableAutoPipelining: only(': ioredis sends scripts to the wrong node with it', false),
  autoPipeliningIgnoredCommands: list,
  scaleReads: only(': a replica may lack the latest writes', 'master'),
  maxRedirections: count,
  retryDelayOnFailover: count,
  retryDelayOnClusterDown: count,
  retryDelayOnTryAgain: count,
  retryDelayOnMoved: count,
  slotsRefreshTimeout: count,
  slotsRefreshInterval: count,
  shardedSubscribers: flag,
  lazyConnect: flag,
  useSRVRecords: flag,
  resolveSrv: work,
  dnsLookup: work,
  natMap: either(object, work),
  showFriendlyErrorStack: flag,
}

/** ioredis options that the store refuses, with the reason. */
const refused: Readonly<Record<string, string>> = {
  keyPrefix: 'use the keyPrefix of the store instead',
  scripts: 'the store has scripts of its own',
  himportFieldsets: 'the store does not use them',
}

/** @throws `INVALID_ARGUMENT` */
export function checkServerOptions(options: RedisOptions, what: string): void {
  checkMembers(options, what, serverKinds)
  const { sentinels, tls } = options
  if (sentinels === undefined) refuseTogether(options, what, Object.keys(sentinelKinds), 'belongs to sentinels')
  else {
    refuseTogether(options, what, ['host', 'port', 'path'], 'is not used with sentinels')
    // Without it, ioredis connects without TLS.
    if (tls !== undefined && options.enableTLSForSentinelMode !== true) {
      throw invalid(`${what}.tls takes effect with sentinels only if enableTLSForSentinelMode is true`)
    }
    if (sentinels.length === 0 || options.name === undefined) {
      throw invalid(`${what}.sentinels must name a sentinel, and ${what}.name the group of its master`)
    }
    for (const sentinel of sentinels) checkMembers(sentinel, `${what}.sentinels`, { host, port, family: count })
  }
  if (options.path !== undefined) refuseTogether(options, what, ['host', 'port'], 'is not used with a path')
}

/** @throws `INVALID_ARGUMENT` */
export function checkClusterOptions(options: ClusterOptions, what: string): void {
  checkMembers(options, what, clusterKinds)
  if (options.redisOptions !== undefined) checkNodeOptions(options.redisOptions, `${what}.redisOptions`)
}

/** The options of the connections to the nodes of a Cluster. @throws `INVALID_ARGUMENT` */
export function checkNodeOptions(options: NonNullable<ClusterOptions['redisOptions']>, what: string): void {
  checkMembers(options, what, { ...connectionKinds, db: only(': a Cluster has no other database', 0) })
}

/** @throws `INVALID_ARGUMENT` */
export function readNodes(nodes: readonly ClusterNode[]): { host: string; port: number }[] {
  if (!list.fits(nodes) || nodes.length === 0) throw invalid('options.nodes must be an array of { host, port }')
  return nodes.map(node => {
    if (typeof node === 'string') return readAddress(node)
    const address = typeof node === 'number' ? { port: node } : node
    checkMembers(address, 'A member of options.nodes', { host, port })
    return { host: address.host ?? '127.0.0.1', port: address.port ?? 6379 }
  })
}

function checkMembers(options: object, what: string, kinds: Kinds): void {
  if (!isObject(options)) throw invalid(`${what} must be an object`)
  for (const key of Reflect.ownKeys(options)) {
    const name = String(key)
    const value: unknown = Reflect.get(options, key)
    if (typeof key === 'string' && Object.hasOwn(kinds, key)) {
      if (value !== undefined && !kinds[key]?.fits(value)) throw invalid(`${what}.${name} must be ${kinds[key]?.what}`)
    } else {
      const reason = Object.hasOwn(refused, name) ? refused[name] : 'the README of @turnstore/redis lists the options'
      throw invalid(`${what} has no member ${quote(name)}; ${reason}`)
    }
  }
  const inherited = Object.keys(kinds).find(name => name in options && !Object.hasOwn(options, name))
  if (inherited !== undefined)
    throw invalid(`${what} inherits ${inherited}, and only own members count; spread it first`)
}

function refuseTogether(options: object, what: string, names: readonly string[], why: string): void {
  const found = names.find(name => Reflect.get(options, name) !== undefined)
  if (found !== undefined) throw invalid(`${what}.${found} ${why}; leave it out`)
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isHost(value: unknown): boolean {
  return typeof value === 'string' && (isIP(value) !== 0 || /^[\p{L}\p{N}._~-]+$/u.test(value))
}
