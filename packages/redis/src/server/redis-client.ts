/** The part of an ioredis client that the store uses. A client of any copy of ioredis fits. */
export interface RedisClient {
  readonly status: string
  readonly isCluster: boolean
  readonly options: object
  call(command: string, args: (string | number)[]): Promise<unknown>
  multi(commands: (string | number)[][]): { exec(): Promise<[error: Error | null, reply: unknown][] | null> }
  on(event: 'error', listener: (error: unknown) => void): unknown
  off(event: 'error', listener: (error: unknown) => void): unknown
  disconnect(): void
}

/** A client of a Cluster, which knows the nodes. */
interface ClusterClient extends RedisClient {
  nodes(role: 'master'): RedisClient[]
}

/** Checks the shape, not `instanceof`: each installed copy of ioredis has its own class. */
export function isRedisClient(value: unknown): value is RedisClient {
  return (
    typeof value === 'object' &&
    value !== null &&
    ['call', 'multi', 'on', 'off', 'disconnect'].every(name => typeof Reflect.get(value, name) === 'function') &&
    typeof Reflect.get(value, 'status') === 'string' &&
    typeof Reflect.get(value, 'isCluster') === 'boolean' &&
    typeof Reflect.get(value, 'options') === 'object'
  )
}

function isCluster(client: RedisClient): client is ClusterClient {
  return client.isCluster && typeof Reflect.get(client, 'nodes') === 'function'
}

/** A client for each server that accepts writes. */
export function mastersOf(client: RedisClient): RedisClient[] {
  return isCluster(client) ? client.nodes('master') : [client]
}

/** Why reads of a shared client may be stale. Null if they are not. */
export function staleReadsOf({ options }: RedisClient): string | null {
  const scaleReads: unknown = Reflect.get(options, 'scaleReads')
  if (scaleReads !== undefined && scaleReads !== 'master') return 'its scaleReads is not "master"'
  if (Reflect.get(options, 'readOnly') === true) return 'it is readOnly'
  if (Reflect.get(options, 'role') === 'slave') return 'its role is "slave"'
  return null
}

/** Checks that a reply is an array of strings. */
export function readTexts(reply: unknown): string[] {
  if (Array.isArray(reply) && reply.every(isText)) return reply
  throw new UnexpectedReply()
}

/** As {@link readTexts}, with null for missing values. */
export function readTextsOrNull(reply: unknown): (string | null)[] {
  if (Array.isArray(reply) && reply.every(isTextOrNull)) return reply
  throw new UnexpectedReply()
}

function isTextOrNull(item: unknown): item is string | null {
  return item === null || typeof item === 'string'
}

function isText(item: unknown): item is string {
  return typeof item === 'string'
}

/** A reply that Redis does not send. The message does not quote it, since it may be content. */
export class UnexpectedReply extends Error {
  override readonly name = 'UnexpectedReply'

  constructor() {
    super('The server sent an unexpected reply')
  }
}
