import { TurnstoreError, type WriteOutcome } from '@turnstore/core'
import { Redis, type RedisOptions } from 'ioredis'
import { callFailed, causeOf, type Failure, failureOf } from './redis-errors.js'
import { pairsOf, parseInfo } from './server-replies.js'

/** Time for asking a server which databases it has. */
const ASK_MS = 1000

/**
 * Keeps a connection out of another database than the one asked for. Where the SELECT of a new connection fails, ioredis
 * emits the error and sends what waits all the same, to database 0. The error comes before that: the guard ends the
 * connection there, so that nothing is sent on it. That holds for the first connection and for every one after it.
 */
export class DatabaseGuard {
  readonly #client: Redis
  readonly #db: number
  #error: unknown = null
  readonly #waiting = new Set<() => void>()
  /** How often a connection has become ready. */
  #readyTimes = 0

  constructor(client: Redis, db: number) {
    this.#client = client
    this.#db = db
    client.on('ready', () => {
      this.#readyTimes++
    })
    client.on('error', (error: unknown) => {
      if (!isOfSelect(error)) return
      this.#error = error
      client.disconnect()
      for (const giveUp of this.#waiting) giveUp()
    })
  }

  /**
   * Calls back when the connection is ended. Not all commands are rejected then: ioredis keeps those that were under way
   * on the connection before. Returns a function that unsubscribes.
   */
  whenEnded(giveUp: () => void): () => void {
    this.#waiting.add(giveUp)
    return () => this.#waiting.delete(giveUp)
  }

  /** Why the last connection was ended; null where it was not. */
  get failure(): Failure | null {
    return this.#error === null ? null : failureOf(this.#error)
  }

  /** For a command that is given to the client next: gives whether it may have gone to the server by now. */
  watch(): () => boolean {
    const [isReady, times] = [this.#client.status === 'ready', this.#readyTimes]
    return () => isReady || this.#readyTimes !== times
  }

  /** Connects anew after a connection was ended: the server may let us in by now. */
  reopen(): void {
    if (this.#error === null || this.#client.status !== 'end') return
    this.#error = null
    // What is wrong is reported to the commands.
    this.#client.connect().catch(() => {})
  }

  /** The error of a call that came to a connection which was ended. */
  async explain(outcome: WriteOutcome): Promise<TurnstoreError> {
    const error = this.#error
    const failure = failureOf(error)
    const { word } = failure
    if (word !== 'NOPERM' && word !== 'ERR') return callFailed(failure, error, outcome)
    const message =
      word === 'NOPERM'
        ? `The Redis user may not use database ${this.#db} (NOPERM); allow it the command SELECT`
        : await this.#whatIsThere()
    return new TurnstoreError('STORE_UNAVAILABLE', message, { outcome, cause: causeOf(error, word) })
  }

  /** Asks the server on a connection of its own, which stays in database 0 and reads settings only. */
  async #whatIsThere(): Promise<string> {
    const options: RedisOptions = {
      ...this.#client.options,
      db: 0,
      lazyConnect: true,
      retryStrategy: () => null,
      connectTimeout: ASK_MS,
      socketTimeout: ASK_MS,
      commandTimeout: ASK_MS,
    }
    const asking = new Redis({ ...options, replyMapping: 'legacy' })
    asking.on('error', () => {})
    try {
      const [databases, info] = await Promise.all([
        asking.call('config', ['get', 'databases']).catch(() => null),
        asking.call('info', ['cluster']).catch(() => null),
      ])
      if (parseInfo(info).get('cluster_enabled') === '1') {
        return 'This server belongs to a Cluster, which has only database 0; give { nodes }, or redis-cluster:// and its hosts'
      }
      const count = Number(new Map(pairsOf(databases)).get('databases'))
      if (count > 0) {
        const others = count === 1 ? 'only database 0' : `databases 0 to ${count - 1}`
        return `There is no database ${this.#db} on this server, which has ${others}`
      }
      return `The server does not give database ${this.#db} (its reply to SELECT is an error); it may have fewer of them`
    } finally {
      asking.disconnect()
    }
  }
}

/** By the command that the driver puts beside the reply. */
function isOfSelect(error: unknown): boolean {
  if (!(error instanceof Error) || error.name !== 'ReplyError') return false
  const command: unknown = Reflect.get(error, 'command')
  return typeof command === 'object' && command !== null && Reflect.get(command, 'name') === 'select'
}
