import type { Capabilities } from '@turnstore/core'
import type { RedisClient } from './redis-client.js'
import { isForbidden, unusable } from './redis-errors.js'
import type { Call, ServerConnection } from './server-connection.js'
import { pairsOf, parseInfo } from './server-replies.js'

/** The settings of a server. Null for each that it does not report. */
interface ServerSettings {
  readonly version: string | null
  readonly role: string | null
  readonly isClusterNode: boolean
  readonly appendOnly: boolean | null
  readonly appendFsync: string | null
  readonly evictionPolicy: string | null
  readonly serverTime: number
}

/**
 * Checks each server that accepts writes. Resolves to the durability that all of them have.
 * @throws `STORE_UNAVAILABLE` if a server cannot hold sessions; the message says what to set
 */
export async function inspectServers(
  connection: ServerConnection,
  call: Call,
  expects: { readonly allowEviction: boolean; readonly ttlMs: number },
): Promise<Capabilities['durability']> {
  const { client } = connection
  // The client of a Cluster knows its nodes after the first reply.
  await connection.send(client.isCluster ? 'cluster' : 'ping', client.isCluster ? ['info'] : [], call)
  const servers = await connection.readFromEach(readSettings, call)
  for (const server of servers) {
    checkVersion(server)
    checkRole(server, client)
    if (!expects.allowEviction) checkEviction(server, expects.ttlMs)
    connection.learnServerTime(server.serverTime)
  }
  const weakest = Math.min(...servers.map(server => durabilities.indexOf(durabilityOf(server))))
  return durabilities[weakest] ?? 'none'
}

const durabilities = ['none', 'process-crash', 'power-loss'] as const

function durabilityOf({ appendOnly, appendFsync }: ServerSettings): Capabilities['durability'] {
  if (appendOnly !== true) return 'none'
  return appendFsync === 'always' ? 'power-loss' : 'process-crash'
}

async function readSettings(server: RedisClient): Promise<ServerSettings> {
  const [info, appending, policy, time] = await Promise.all([
    server.call('info', []).catch(whereForbidden),
    server.call('config', ['get', 'append*']).catch(whereForbidden),
    server.call('config', ['get', 'maxmemory-policy']).catch(whereForbidden),
    server.call('time', []),
  ])
  const facts = parseInfo(info)
  const settings = new Map([...pairsOf(appending), ...pairsOf(policy)])
  const appendOnly = settings.get('appendonly') ?? facts.get('aof_enabled')
  const [seconds, micros] = Array.isArray(time) ? time.map(Number) : []
  return {
    version: facts.get('redis_version') ?? null,
    role: facts.get('role') ?? null,
    isClusterNode: facts.get('cluster_enabled') === '1',
    appendOnly: appendOnly === undefined ? null : appendOnly === 'yes' || appendOnly === '1',
    appendFsync: settings.get('appendfsync') ?? null,
    evictionPolicy: settings.get('maxmemory-policy') ?? facts.get('maxmemory_policy') ?? null,
    serverTime: seconds === undefined || micros === undefined ? Date.now() : seconds * 1000 + micros / 1000,
  }
}

/** Managed servers forbid CONFIG, and some forbid INFO. */
function whereForbidden(error: unknown): null {
  if (isForbidden(error)) return null
  throw error
}

function checkVersion({ version }: ServerSettings): void {
  const [major = 0, minor = 0] = (version ?? '').split('.').map(Number)
  if (version !== null && (major < 6 || (major === 6 && minor < 2))) {
    throw unusable(`This is Redis ${major}.${minor}; @turnstore/redis needs Redis 6.2 or newer, or Valkey`)
  }
}

function checkRole({ role, isClusterNode }: ServerSettings, client: RedisClient): void {
  if (role === 'slave') throw unusable('This server is a replica and refuses writes (READONLY); connect to its master')
  if (isClusterNode && !client.isCluster) {
    throw unusable('This server belongs to a Cluster; use { nodes }, a redis-cluster:// URL or a Cluster client')
  }
}

function checkEviction({ evictionPolicy }: ServerSettings, ttlMs: number): void {
  const remedy = 'set maxmemory-policy noeviction (CONFIG SET maxmemory-policy noeviction), or allowEviction: true'
  if (evictionPolicy === null) {
    throw unusable(`The server does not report whether it may evict sessions; allow CONFIG GET or INFO, or ${remedy}`)
  }
  if (evictionPolicy.startsWith('allkeys-')) {
    throw unusable(
      `The server may evict sessions when its memory is full (maxmemory-policy ${evictionPolicy}); ${remedy}`,
    )
  }
  if (evictionPolicy.startsWith('volatile-') && ttlMs > 0) {
    throw unusable(
      `The server may evict sessions that expire when its memory is full (maxmemory-policy ${evictionPolicy}); ${remedy}`,
    )
  }
}
