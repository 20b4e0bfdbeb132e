import { isTurnstoreError } from '@turnstore/core'
import { GroupCommit, type Scope, type WaitingWrite } from '@turnstore/core/adapter'
import type { Database } from '../server/database.js'
import { type Failure, callFailed } from '../server/postgres-errors.js'
import type { Statements } from '../tables/statements.js'
import type { PlainWrite } from './plain-write.js'
import { ANY_SESSION, callWrite, type State, type WriteResult } from './write-call.js'

/** A write of a session that waits for those before it. */
export interface QueuedWrite<T> {
  readonly scope: Scope
  /** What can be written together with others, without a look at the session; null if nothing can. */
  readonly plain: (PlainWrite & { readonly resultOf: (state: State) => T }) | null
  /**
   * Looks at the session, and writes.
   * @param wasLost whether it may have been written before
   */
  readonly run: (deadline: number, wasLost: boolean) => Promise<T>
}

/** The same, whatever it returns. What `run` and `plain` resolve to tells the caller. */
type Queued = QueuedWrite<() => void>
type Waiting = WaitingWrite<Queued, () => void>

/** Most writes of a statement, and about how much they have. */
const MOST = 128
const MOST_LENGTH = 1024 * 1024

const TOO_LATE: Failure = { kind: 'refused for now', code: '' }

/**
 * The writes of this process, in a queue for each session. Plain writes that wait at the same time share a statement.
 * The others run one by one, so they lose against writers of other processes only.
 */
export class WriteQueue {
  readonly #database: Database
  readonly #statements: Statements
  readonly #timeoutMs: number
  readonly #queues = new Map<string, GroupCommit<Queued, () => void>>()

  constructor(database: Database, statements: Statements, timeoutMs: number) {
    this.#database = database
    this.#statements = statements
    this.#timeoutMs = timeoutMs
  }

  add<T>(sessionId: string, { scope, plain, run }: QueuedWrite<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const queued: Queued = {
        scope,
        plain: plain && { ...plain, resultOf: state => () => resolve(plain.resultOf(state)) },
        run: async (deadline, wasLost) => {
          const result = await run(deadline, wasLost)
          return () => resolve(result)
        },
      }
      this.#queueOf(sessionId)
        .add(queued)
        .then(tell => tell(), reject)
    })
  }

  #queueOf(sessionId: string): GroupCommit<Queued, () => void> {
    const known = this.#queues.get(sessionId)
    if (known !== undefined) return known
    const queue = new GroupCommit<Queued, () => void>({
      timeoutMs: this.#timeoutMs,
      commit: waiting => this.#commit(sessionId, waiting),
      idle: () => void this.#queues.delete(sessionId),
    })
    this.#queues.set(sessionId, queue)
    return queue
  }

  /** @throws with the outcome `not-stored`: none of the writes that it has not settled is stored */
  async #commit(sessionId: string, waiting: readonly Waiting[]): Promise<void> {
    const batch = batchOf(waiting)
    const [first] = waiting
    if (batch.length > 0) await this.#together(sessionId, batch)
    else if (first !== undefined) await runAlone(first)
  }

  async #together(sessionId: string, batch: readonly Waiting[]): Promise<void> {
    const [first] = batch
    if (first === undefined) return
    const session = { id: sessionId, scope: first.write.scope, expected: ANY_SESSION }
    const statements = batch.flatMap(({ write }) => write.plain?.statements ?? [])
    const deadline = Math.min(...batch.map(each => each.deadline))
    let result
    try {
      result = await callWrite(this.#database, this.#statements, session, statements, deadline)
    } catch (error) {
      const isBusy = isTurnstoreError(error, 'STORE_BUSY')
      if (!isBusy && !(isTurnstoreError(error) && error.outcome === 'unknown')) throw error
      // Those with more time wait for the session again.
      for (const each of batch) if (!isBusy || each.deadline === deadline) each.reject(error)
      return
    }
    const states = statesOf(result, batch)
    for (const [index, each] of batch.entries()) {
      const state = states[index]
      const { plain } = each.write
      if (state && plain !== null) each.resolve(plain.resultOf(state))
      else await runAlone(each, result.mayBeDone)
    }
  }
}

/** The session after each write. None for those that have to look at it. */
function statesOf({ word, states, isWhole }: WriteResult, batch: readonly Waiting[]): readonly (State | null)[] {
  if (word === 'ok') return states
  let after = word === 'known' && isWhole ? (states[0] ?? null) : null
  const all: (State | null)[] = []
  for (const { write } of batch.toReversed()) {
    all.unshift(after)
    after = after && { revision: after.revision - 1, turnCount: after.turnCount - (write.plain?.turns ?? 0) }
  }
  return all
}

/** The first writes, as far as they can be written together. */
function batchOf(waiting: readonly Waiting[]): Waiting[] {
  const batch: Waiting[] = []
  let length = 0
  for (const each of waiting) {
    const { plain, scope } = each.write
    if (plain === null || scope !== waiting[0]?.write.scope || batch.length === MOST) break
    length += plain.length
    if (batch.length > 0 && length > MOST_LENGTH) break
    batch.push(each)
  }
  return batch
}

async function runAlone(waiting: Waiting, wasLost = false): Promise<void> {
  try {
    if (performance.now() >= waiting.deadline && !wasLost) {
      throw callFailed(TOO_LATE, new Error('too late'), 'not-stored')
    }
    waiting.resolve(await waiting.write.run(waiting.deadline, wasLost))
  } catch (error) {
    waiting.reject(error)
  }
}
