import { createHash, randomBytes } from 'node:crypto'
import { TurnstoreError, type WriteOutcome } from '@turnstore/core'
import { Backoff } from '@turnstore/core/adapter'
import { hearErrors } from './client-errors.js'
import type { StoreClient } from './create-client.js'
import type { DatabaseGuard } from './database-guard.js'
import { luaSources, type ScriptName } from '../lua/lua-sources.js'
import { mastersOf, type RedisClient, readTexts, UnexpectedReply } from './redis-client.js'
import { callFailed, codeOf, corruptSession, type Failure, failureOf, isRefusal, storeBusy } from './redis-errors.js'

export type Args = readonly (string | number)[]

/** Of which session a command is, and until when its caller waits, on the clock of `performance.now`. */
export interface Call {
  readonly deadline: number
  readonly sessionId?: string
}

const digests = Object.fromEntries(
  Object.entries(luaSources).map(([name, source]) => [name, createHash('sha1').update(source).digest('hex')]),
)

/** Time that must be left for another attempt. */
const LEAST_MS = 30

/** Longest pause of a write that was asked to wait. */
const HELD_PAUSE_MS = 16

/** Thrown at the deadline of a call. */
class TimedOut extends Error {}

/** Thrown where the guard has ended the connection. */
class Ended extends Error {}

/**
 * Commands with a deadline of their own, whichever client carries them: one whose answer is lost is sent
 * again until then, which scripts that write recognise by their token.
 */
export class ServerConnection {
  readonly client: RedisClient
  /** Whether a command may only name keys of one slot: on a Cluster, and behind some proxies. */
  spreadsKeys = true
  readonly #isOwn: boolean
  readonly #guard: DatabaseGuard | null
  readonly #timeoutMs: number
  /** What to add to `performance.now` to have the clock of the server. */
  #clockOffset = Date.now() - performance.now()
  #lastErrorCode: string | null = null
  readonly #stopHearing: () => void

  constructor({ client, isOwn, guard }: StoreClient, timeoutMs: number) {
    this.client = client
    this.#isOwn = isOwn
    this.#guard = guard
    this.#timeoutMs = timeoutMs
    // Without a listener ioredis prints errors, with the address; and an emitter would throw them.
    this.#stopHearing = hearErrors(client, error => {
      this.#lastErrorCode = codeOf(error) ?? this.#lastErrorCode
    })
  }

  /** The deadline of a call that begins now. */
  deadline(): number {
    return performance.now() + this.#timeoutMs
  }

  /** A time of ours on the server's clock, in whole milliseconds. */
  serverTime(time: number): number {
    return Math.ceil(time + this.#clockOffset)
  }

  learnServerTime(milliseconds: number): void {
    this.#clockOffset = milliseconds - performance.now()
  }

  /** Sends a command that reads, or may be repeated without harm. @throws `STORE_UNAVAILABLE`, `CORRUPT_SESSION` */
  send(command: string, args: Args, call: Call): Promise<unknown> {
    return this.#untilDeadline('read', call, () => this.client.call(command, [...args]))
  }

  /** As {@link send}; null where the server answers with an error of a certain kind. */
  ask(command: string, args: Args, call: Call, isNothing: (error: unknown) => boolean): Promise<unknown> {
    const orNull = (error: unknown): null => {
      if (isNothing(error)) return null
      throw error
    }
    return this.#untilDeadline('read', call, () => this.client.call(command, [...args]).catch(orNull))
  }

  /** Asks the servers themselves, anew as long as one does not answer: it may not be there any more. */
  readFromEach<T>(ask: (server: RedisClient) => Promise<T>, call: Call): Promise<T[]> {
    return this.#untilDeadline('read', call, () => Promise.all(mastersOf(this.client).map(ask)))
  }

  /**
   * Sends commands that read, of one slot, so that all see one moment. It spares long replies the way through Lua. A
   * pipeline would not do: while a slot of a Cluster moves, a key may be looked for where it is not yet, and is then
   * said not to be there; of a transaction's keys the server sees that some are missing.
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
      // The first of them says what is wrong; the others may have succeeded.
      for (const [error] of results) if (error !== null) throw error
      return results.map(([, reply]) => reply)
    })
  }

  /** Runs a script that only reads, or that may be repeated without harm. */
  async run(name: ScriptName, keys: readonly string[], args: Args, call: Call): Promise<string[]> {
    return readTexts(await this.#untilDeadline('read', call, () => this.#evaluate(name, keys, args)))
  }

  /**
   * Runs a script that writes. Its first two arguments are a token, by which it knows a repetition, and the
   * deadline on the server's clock. Waits where another asks for it.
   * @throws `STORE_UNAVAILABLE`, `STORE_BUSY`, `CORRUPT_SESSION`
   */
  operate(
    name: ScriptName,
    keys: readonly string[],
    args: Args,
    call: Call,
    token: string = newToken(),
  ): Promise<string[]> {
    return this.#operate('write', name, keys, args, call, token)
  }

  /** As {@link operate}, for a script that writes what nobody reads yet: its errors have no outcome. */
  prepare(name: ScriptName, keys: readonly string[], args: Args, call: Call, token: string): Promise<string[]> {
    return this.#operate('read', name, keys, args, call, token)
  }

  close(): void {
    this.#stopHearing()
    if (!this.#isOwn) return
    // Whatever the sockets still say is of no interest to anybody, and must not be printed.
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
    let held: Backoff | null = null
    for (;;) {
      const reply = readTexts(await this.#untilDeadline(kind, call, send))
      if (reply[0] === 'held') {
        held ??= new Backoff(call.deadline - performance.now() - LEAST_MS, HELD_PAUSE_MS)
        if (await held.wait()) continue
        throw storeBusy(call.sessionId ?? '')
      }
      if (reply[0] !== 'late') return reply
      // Refused, so not carried out. Where there is time left, the clocks are not what we took them for.
      this.learnServerTime(Number(reply[1]))
      if (performance.now() >= call.deadline) throw callFailed({ kind: 'lost', word: '' }, new TimedOut(), 'not-stored')
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
    // It waited for others until its time was over, and was never sent.
    if (performance.now() >= call.deadline) {
      throw callFailedOf(kind, { kind: 'lost', word: '' }, new TimedOut(), 'not-stored')
    }
    let backoff: Backoff | null = null
    let mayBeDone = false
    for (;;) {
      this.#guard?.reopen()
      const mayBeSent = this.#guard?.watch()
      try {
        const reply = await within(call.deadline, send(), this.#guard)
        // What was wrong before has nothing to do with what goes wrong next.
        this.#lastErrorCode = null
        return reply
      } catch (error) {
        const ended = this.#endedByGuard(error)
        const failure = ended ?? this.#failureOf(error)
        mayBeDone ||= ended === null ? failure.kind === 'lost' || failure.kind === 'broke off' : mayBeSent?.() === true
        if (failure.word === 'WRONGTYPE' && call.sessionId !== undefined) {
          throw corruptSession(call.sessionId, 'one of its keys holds something else')
        }
        const isFinal = failure.kind === 'refused' || failure.kind === 'broke off'
        const outcome = kind === 'write' && mayBeDone ? 'unknown' : 'not-stored'
        if (isFinal && ended !== null && this.#guard !== null) {
          throw withoutOutcome(kind, await this.#guard.explain(outcome))
        }
        const isOver = isFinal || error instanceof TimedOut || (this.client.status === 'end' && ended === null)
        backoff ??= new Backoff(call.deadline - performance.now())
        // Sent at the last moment, a command would not be answered in time, and nobody could say what became of it.
        if (isOver || !(await backoff.wait()) || call.deadline - performance.now() < LEAST_MS) {
          throw callFailedOf(kind, failure, error, outcome)
        }
      }
    }
  }

  /** Why the guard has ended the connection that a command was to go over; null for any other error. */
  #endedByGuard(error: unknown): Failure | null {
    if (this.#guard === null || error instanceof TimedOut || failureOf(error).kind !== 'lost') return null
    return this.#guard.failure
  }

  /** The driver's own errors seldom say what is wrong with the network; what it emitted before does. */
  #failureOf(error: unknown): Failure {
    const failure = failureOf(error)
    if (failure.kind === 'lost' && failure.word === '') return { kind: 'lost', word: this.#lastErrorCode ?? '' }
    // A client of a Cluster learns where the slot is by now; that of one server never will.
    if (failure.word === 'MOVED' && this.client.isCluster) return { kind: 'refused for now', word: failure.word }
    return failure
  }
}

/** Where a transaction was refused, EXEC says that it was, and the errors before it why. */
function firstErrorOf(error: unknown): unknown {
  const before: unknown = error instanceof Error ? Reflect.get(error, 'previousErrors') : undefined
  return Array.isArray(before) && before[0] instanceof Error ? before[0] : error
}

function callFailedOf(kind: 'read' | 'write', failure: Failure, error: unknown, outcome: WriteOutcome): Error {
  return withoutOutcome(kind, callFailed(failure, error, outcome))
}

/** A read has no outcome. */
function withoutOutcome(kind: 'read' | 'write', error: TurnstoreError): TurnstoreError {
  if (kind === 'write') return error
  const { code, message, cause } = error
  return new TurnstoreError(code, message, { cause })
}

/** Settles at the deadline at the latest, and when the guard ends the connection: a client may wait for ever. */
function within<T>(deadline: number, work: Promise<T>, guard: DatabaseGuard | null): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new TimedOut()), Math.max(0, deadline - performance.now()))
    const unsubscribe = guard?.whenEnded(() => reject(new Ended()))
    const stop = (): void => {
      clearTimeout(timer)
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

const origin = randomBytes(8).toString('base64url')
let tokens = 0

/** Never the same again, here or elsewhere: names an operation through all its repetitions. */
export function newToken(): string {
  return `${origin}${(tokens++).toString(36)}`
}
