import { createHash } from 'node:crypto'
import { TurnstoreError, type WriteOutcome } from '@turnstore/core'
import { Backoff } from '@turnstore/core/adapter'
import { luaSources, type ScriptName } from '../lua/lua-sources.js'
import { onClientError } from './client-errors.js'
import type { StoreClient } from './create-client.js'
import { Deadlines } from './deadlines.js'
import type { DatabaseGuard } from './database-guard.js'
import { mastersOf, readTexts, type RedisClient, UnexpectedReply } from './redis-client.js'
import { OperationLanes } from './operation-lanes.js'
import { callFailed, codeOf, corruptSession, type Failure, failureOf, isRefusal } from './redis-errors.js'

export type Args = readonly (string | number)[]

/** The session of a command, and the deadline of its caller on the clock of `performance.now`. */
export interface Call {
  readonly deadline: number
  readonly sessionId?: string
}

const digests = Object.fromEntries(
  Object.entries(luaSources).map(([name, source]) => [name, createHash('sha1').update(source).digest('hex')]),
)

/**
 * The least time for another attempt, as a share of `timeoutMs`, and in milliseconds. The reply to a command that is sent
 * at the last moment would be late on a busy machine, and the outcome unknown without need.
 */
const LEAST_SHARE = 0.05
const LEAST_MS = 30

/** Thrown at the deadline of a call. */
class TimedOut extends Error {}

const NO_REPLY: Failure = { kind: 'lost', word: '' }

/** Thrown when the guard ends the connection. */
class Ended extends Error {}

/**
 * Sends commands with a deadline, over any client. A command whose reply is lost is sent again until then. Scripts that
 * write recognize the repetition by its token.
 */
export class ServerConnection {
  readonly client: RedisClient
  /** Whether the keys of a command must be in one slot: on a Cluster, and behind some proxies. */
  spreadsKeys = true
  readonly #isOwn: boolean
  readonly #guard: DatabaseGuard | null
  readonly #deadlines = new Deadlines()
  readonly #lanes = new OperationLanes()
  readonly #timeoutMs: number
  readonly #leastMs: number
  /** The server's clock minus `performance.now`. */
  #clockOffset = Date.now() - performance.now()
  #lastErrorCode: string | null = null
  readonly #unsubscribe: () => void

  constructor({ client, isOwn, guard }: StoreClient, timeoutMs: number) {
    this.client = client
    this.#isOwn = isOwn
    this.#guard = guard
    this.#timeoutMs = timeoutMs
    this.#leastMs = Math.max(LEAST_MS, timeoutMs * LEAST_SHARE)
    // Without a listener, ioredis prints errors with the address, and other emitters throw them.
    this.#unsubscribe = onClientError(client, error => {
      this.#lastErrorCode = codeOf(error) ?? this.#lastErrorCode
    })
  }

  /** The deadline of a call that starts now. */
  deadline(): number {
    return performance.now() + this.#timeoutMs
  }

  /** A time of `performance.now` on the server's clock, in whole milliseconds. */
  serverTime(time: number): number {
    return Math.ceil(time + this.#clockOffset)
  }

  learnServerTime(milliseconds: number): void {
    this.#clockOffset = milliseconds - performance.now()
  }

  /** Sends a command that reads or is safe to repeat. @throws `STORE_UNAVAILABLE`, `CORRUPT_SESSION` */
  send(command: string, args: Args, call: Call): Promise<unknown> {
    return this.#untilDeadline('read', call, () => this.client.call(command, [...args]))
  }

  /** As {@link send}. Null if the server replies with an error of a certain kind. */
  ask(command: string, args: Args, call: Call, isNull: (error: unknown) => boolean): Promise<unknown> {
    const orNull = (error: unknown): null => {
      if (isNull(error)) return null
      throw error
    }
    return this.#untilDeadline('read', call, () => this.client.call(command, [...args]).catch(orNull))
  }

  /** Asks each master. If one does not reply, asks all again: the Cluster may have replaced it. */
  readFromEach<T>(ask: (server: RedisClient) => Promise<T>, call: Call): Promise<T[]> {
    return this.#untilDeadline('read', call, () => Promise.all(mastersOf(this.client).map(ask)))
  }

  /**
   * Sends commands that read keys of one slot, as a transaction: they see one moment, and long replies need not pass
   * through Lua. A pipeline is not enough: while a slot moves, a node may report a key as missing that is on its way.
   * In a transaction, it reports that keys are missing.
   */
  sendTogether(commands: (string | number)[][], call: Call): Promise<unknown[]> {
    return this.#untilDeadline('read', call, async () => {
      const results = await this.client
        .multi(commands)
        .exec()
        .catch((error: unknown) => {
          throw firstErrorOf(error)
        })
      if (results === null) throw new UnexpectedReply()
      // The other commands may have succeeded.
      for (const [error] of results) if (error !== null) throw error
      return results.map(([, reply]) => reply)
    })
  }

  /** Runs a script that only reads or is safe to repeat. */
  async run(name: ScriptName, keys: readonly string[], args: Args, call: Call): Promise<string[]> {
    return readTexts(await this.#untilDeadline('read', call, () => this.#evaluate(name, keys, args)))
  }

  /**
   * Runs a script that writes. Its first key is that of the head, and its first two arguments are a token, by which it
   * recognizes a repetition, and the deadline on the server's clock.
   * @throws `STORE_UNAVAILABLE`, `CORRUPT_SESSION`
   */
  operate(name: ScriptName, keys: readonly string[], args: Args, call: Call): Promise<string[]> {
    return this.#lanes.run(keys[0] ?? '', token => this.#operate('write', name, keys, args, call, token))
  }

  /** As {@link operate}, for a script that writes only staged keys: its errors have no outcome. */
  prepare(name: ScriptName, keys: readonly string[], args: Args, call: Call, token: string): Promise<string[]> {
    return this.#operate('read', name, keys, args, call, token)
  }

  close(): void {
    this.#unsubscribe()
    if (!this.#isOwn) return
    // ioredis would print errors that the sockets emit after this.
    this.client.on('error', () => {})
    this.client.disconnect()
  }

  async #operate(
    kind: 'read' | 'write',
    name: ScriptName,
    keys: readonly string[],
    args: Args,
    call: Call,
    token: string,
  ): Promise<string[]> {
    const send = (): Promise<unknown> => this.#evaluate(name, keys, [token, this.serverTime(call.deadline), ...args])
    for (;;) {
      const reply = readTexts(await this.#untilDeadline(kind, call, send))
      if (reply[0] !== 'late') return reply
      // Refused, so not carried out. If there is time left, our estimate of the server's clock was wrong.
      this.learnServerTime(Number(reply[1]))
      if (performance.now() >= call.deadline) throw callFailed(NO_REPLY, new TimedOut(), 'not-stored')
    }
  }

  async #evaluate(name: ScriptName, keys: readonly string[], args: Args): Promise<unknown> {
    try {
      return await this.client.call('evalsha', [digests[name] ?? '', keys.length, ...keys, ...args])
    } catch (error) {
      if (!isRefusal(error, 'NOSCRIPT')) throw error
      return this.client.call('eval', [luaSources[name], keys.length, ...keys, ...args])
    }
  }

  async #untilDeadline<T>(kind: 'read' | 'write', call: Call, send: () => Promise<T>): Promise<T> {
    // The call spent all its time waiting for others, and was never sent.
    if (performance.now() >= call.deadline) throw callFailedOf(kind, NO_REPLY, new TimedOut(), 'not-stored')
    let backoff: Backoff | null = null
    let mayBeDone = false
    for (;;) {
      this.#guard?.reopen()
      const mayBeSent = this.#guard?.watch()
      try {
        const reply = await this.#within(call.deadline, send())
        // An earlier error of the client does not explain a later failure.
        this.#lastErrorCode = null
        return reply
      } catch (error) {
        const ended = this.#endedByGuard(error)
        const failure = ended ?? this.#failureOf(error)
        mayBeDone ||= ended === null ? failure.kind === 'lost' || failure.kind === 'broke off' : mayBeSent?.() === true
        if (failure.word === 'WRONGTYPE' && call.sessionId !== undefined) {
          throw corruptSession(call.sessionId, 'one of its keys has another type')
        }
        const isFinal = failure.kind === 'refused' || failure.kind === 'broke off'
        const outcome = kind === 'write' && mayBeDone ? 'unknown' : 'not-stored'
        if (isFinal && ended !== null && this.#guard !== null) {
          throw withoutOutcome(kind, await this.#guard.explain(outcome))
        }
        const isOver = isFinal || error instanceof TimedOut || (this.client.status === 'end' && ended === null)
        backoff ??= new Backoff(call.deadline - performance.now())
        if (isOver || !(await backoff.wait()) || call.deadline - performance.now() < this.#leastMs) {
          throw callFailedOf(kind, failure, error, outcome)
        }
      }
    }
  }

  /** Rejects at the deadline, and when the guard ends the connection: a client may wait forever. */
  #within<T>(deadline: number, work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const forget = this.#deadlines.add(deadline, () => reject(new TimedOut()))
      const unsubscribe = this.#guard?.onEnd(() => reject(new Ended()))
      const stop = (): void => {
        forget()
        unsubscribe?.()
      }
      work.then(
        value => {
          stop()
          resolve(value)
        },
        (error: unknown) => {
          stop()
          reject(error)
        },
      )
    })
  }

  /** Why the guard ended the connection of a command. Null for any other error. */
  #endedByGuard(error: unknown): Failure | null {
    if (this.#guard === null || error instanceof TimedOut || failureOf(error).kind !== 'lost') return null
    return this.#guard.failure
  }

  /** The driver rejects commands without the network error. It emitted that one before. */
  #failureOf(error: unknown): Failure {
    const failure = failureOf(error)
    if (failure.kind === 'lost' && failure.word === '') return { kind: 'lost', word: this.#lastErrorCode ?? '' }
    // The client of a Cluster learns where the slot is now. The client of one server never does.
    if (failure.word === 'MOVED' && this.client.isCluster) return { kind: 'refused for now', word: failure.word }
    return failure
  }
}

/** If a transaction was refused, the error of EXEC only says so. The errors before it say why. */
function firstErrorOf(error: unknown): unknown {
  const before: unknown = error instanceof Error ? Reflect.get(error, 'previousErrors') : undefined
  return Array.isArray(before) && before[0] instanceof Error ? before[0] : error
}

function callFailedOf(kind: 'read' | 'write', failure: Failure, error: unknown, outcome: WriteOutcome): Error {
  return withoutOutcome(kind, callFailed(failure, error, outcome))
}

/** Errors of reads have no outcome. */
function withoutOutcome(kind: 'read' | 'write', error: TurnstoreError): TurnstoreError {
  if (kind === 'write') return error
  const { code, message, cause } = error
  return new TurnstoreError(code, message, { cause })
}
