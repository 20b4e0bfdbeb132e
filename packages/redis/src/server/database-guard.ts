import { TurnstoreError, type WriteOutcome } from '@turnstore/core'
import { Redis, type RedisOptions } from 'ioredis'
import { callFailed, causeOf, type Failure, failureOf } from './redis-errors.js'
import { pairsOf, parseInfo } from './server-replies.js'

/** Timeout of the questions about the databases of a server. */
const QUESTION_MS = 1000

/**
 * Prevents commands from reaching another database. If the SELECT of a new connection fails, ioredis emits the error
 * and then sends the waiting commands to database 0. The guard ends the connection when the error is emitted, so nothing
 * is sent. That applies to the first connection and to every reconnection.
 */
export class DatabaseGuard {
  readonly #client: Redis
  readonly #db: number
  #error: unknown = null
  readonly #listeners = new Set<() => void>()
  /** The number of connections that have become ready. */
  #readyCount = 0

  constructor(client: Redis, db: number) {
    this.#client = client
    this.#db = db
    client.on('ready', () => {
      this.#readyCount++
    })
    client.on('error', (error: unknown) => {
      if (!isOfSelect(error)) return
      this.#error = error
      client.disconnect()
      for (const listener of this.#listeners) listener()
    })
  }

  /**
   * Calls the listener when the guard ends the connection. ioredis does not reject all commands then: it keeps those
   * that were in flight on the previous connection. Returns a function that unsubscribes.
   */
  onEnd(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Why the guard ended the last connection. Null if it did not. */
  get failure(): Failure | null {
    return this.#error === null ? null : failureOf(this.#error)
  }

  /** Called before a command is passed to the client. The result tells whether it may have been sent since. */
  watch(): () => boolean {
    const [isReady, count] = [this.#client.status === 'ready', this.#readyCount]
    return () => isReady || this.#readyCount !== count
  }

  /** Reconnects after the guard has ended a connection: the server may allow the database by now. */
  reopen(): void {
    if (this.#error === null || this.#client.status !== 'end') return
    this.#error = null
    // The commands report what is wrong.
    this.#client.connect().catch(() => {})
  }

  /** The error of a call whose connection the guard has ended. */
  async explain(outcome: WriteOutcome): Promise<TurnstoreError> {
    const error = this.#error
    const failure = failureOf(error)
    const { word } = failure
    if (word !== 'NOPERM' && word !== 'ERR') return callFailed(failure, error, outcome)
    const message =
      word === 'NOPERM'
        ? `The Redis user may not use database ${this.#db} (NOPERM); allow the user SELECT`
        : await this.#describeDatabases()
    return new TurnstoreError('STORE_UNAVAILABLE', message, { outcome, cause: causeOf(error, word) })
  }

  /** Asks the server on another connection, in database 0, which only reads settings. */
  async #describeDatabases(): Promise<string> {
    const options: RedisOptions = {
      ...this.#client.options,
      db: 0,
      lazyConnect: true,
      retryStrategy: () => null,
      connectTimeout: QUESTION_MS,
      socketTimeout: QUESTION_MS,
      commandTimeout: QUESTION_MS,
    }
    const client = new Redis({ ...options, replyMapping: 'legacy' })
    client.on('error', () => {})
    try {
      const [databases, info] = await Promise.all([
        client.call('config', ['get', 'databases']).catch(() => null),
        client.call('info', ['cluster']).catch(() => null),
      ])
      if (parseInfo(info).get('cluster_enabled') === '1') {
        return 'This server belongs to a Cluster, which has only database 0; use { nodes } or a redis-cluster:// URL'
      }
      const count = Number(new Map(pairsOf(databases)).get('databases'))
      if (count > 0) {
        const others = count === 1 ? 'only database 0' : `databases 0 to ${count - 1}`
        return `There is no database ${this.#db} on this server, which has ${others}`
      }
      return `The server refuses database ${this.#db} (its reply to SELECT is an error); it may have fewer databases`
    } finally {
      client.disconnect()
    }
  }
}

/** Recognized by the command, which the driver attaches to the error. */
function isOfSelect(error: unknown): boolean {
  if (!(error instanceof Error) || error.name !== 'ReplyError') return false
  const command: unknown = Reflect.get(error, 'command')
  return typeof command === 'object' && command !== null && Reflect.get(command, 'name') === 'select'
}
