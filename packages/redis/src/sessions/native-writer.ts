import type { Limits } from '@turnstore/core'
import { GroupCommit, timeKey, type WaitingWrite } from '@turnstore/core/adapter'
import { type Keyspace, workspaceOf } from '../format/keyspace.js'
import { refusalOf } from '../format/script-replies.js'
import { newStamp } from '../listing/index-entry.js'
import type { IndexSync } from '../listing/index-sync.js'
import type { Call, ServerConnection } from '../server/server-connection.js'
import { type ChangeOutcome, encodeNativeChange, type NativeChange, nativeOutcome } from './native-change.js'

/** The most changes and items in one script. A single change may have more items. */
const MOST = { changes: 64, items: 512 }

/** The changes of one script settle together, so their deadlines must be close. */
const SPREAD_MS = 100

type Waiting = WaitingWrite<NativeChange, ChangeOutcome>

/**
 * Sends changes that the script `change` decides: one round trip, without reading first. Changes of a session that wait
 * at the same time share a script, one script at a time.
 */
export class NativeWriter {
  readonly #connection: ServerConnection
  readonly #keyspace: Keyspace
  readonly #sync: IndexSync
  readonly #limits: Limits
  readonly #timeoutMs: number
  readonly #ttlMs: number
  readonly #sessions = new Map<string, GroupCommit<NativeChange, ChangeOutcome>>()

  constructor(
    connection: ServerConnection,
    keyspace: Keyspace,
    sync: IndexSync,
    settings: { readonly limits: Limits; readonly timeoutMs: number; readonly ttlMs: number },
  ) {
    this.#connection = connection
    this.#keyspace = keyspace
    this.#sync = sync
    this.#limits = settings.limits
    this.#timeoutMs = settings.timeoutMs
    this.#ttlMs = settings.ttlMs
  }

  add(sessionId: string, change: NativeChange, deadline: number): Promise<ChangeOutcome> {
    let commits = this.#sessions.get(sessionId)
    if (commits === undefined) {
      commits = new GroupCommit({
        timeoutMs: this.#timeoutMs,
        commit: waiting => this.#commit(sessionId, waiting),
        idle: () => this.#sessions.delete(sessionId),
      })
      this.#sessions.set(sessionId, commits)
    }
    return commits.add(change, deadline)
  }

  /** A script that fails fails for all of its changes: it may have been carried out. */
  async #commit(sessionId: string, waiting: readonly Waiting[]): Promise<void> {
    const batch = waiting.slice(0, batchLength(waiting))
    try {
      const outcomes = await this.#send(sessionId, batch)
      for (const [index, each] of batch.entries()) {
        const outcome = outcomes[index] ?? 'decide'
        if (outcome instanceof Error) each.reject(outcome)
        else each.resolve(outcome)
      }
    } catch (error) {
      for (const each of batch) each.reject(error)
    }
  }

  async #send(sessionId: string, batch: readonly Waiting[]): Promise<(ChangeOutcome | Error)[]> {
    let deadline = Infinity
    let time = ''
    const items: string[] = []
    const values: (string | number)[] = []
    for (const waiting of batch) {
      const own = timeKey(waiting.write.change.updatedAt)
      encodeNativeChange(waiting.write, own, this.#limits.turnBytes, items, values)
      if (own > time) time = own
      deadline = Math.min(deadline, waiting.deadline)
    }
    const call: Call = { sessionId, deadline }
    const stamp = newStamp(this.#connection.serverTime(deadline))
    const reopens = batch.some(({ write }) => write.change.reopen) ? '1' : ''
    const args = [this.#ttlMs, sessionId, stamp, items.length, reopens, ...items, ...values]
    const scope = batch[0]?.write.condition.scope
    const { reply } = await this.#sync.write(sessionId, { time, stamp }, scope, call, async indexes => {
      const keys = [...this.#keyspace.session(sessionId), ...indexes]
      const texts = await this.#connection.operate('change', keys, args, call)
      const [status, workspace = '', now = '', nowStamp = '', before = '', beforeStamp = ''] = texts
      const isDone = status === 'ok' && workspace !== ''
      const move = isDone
        ? {
            workspaceId: workspaceOf(workspace),
            now: { time: now, stamp: nowStamp },
            before: { time: before, stamp: beforeStamp },
          }
        : null
      return { reply: texts, move }
    })
    if (reply[0] === 'missing') return batch.map(() => 'missing')
    const refusal = refusalOf(sessionId, reply)
    if (refusal !== null) throw refusal
    return batch.map(({ write }, index) => nativeOutcome(sessionId, write, reply[OUTCOMES + index] ?? ''))
  }
}

/** Where the outcomes begin in a reply. */
const OUTCOMES = 6

function batchLength(waiting: readonly Waiting[]): number {
  let items = 0
  const latest = (waiting[0]?.deadline ?? 0) + SPREAD_MS
  const length = waiting.findIndex(({ write: { change }, deadline }, index) => {
    items += change.appendTurns.length + change.appendAgentTransitions.length
    for (const { putToolCalls, putItems } of change.updateTurns) items += putToolCalls.length + putItems.length
    return index > 0 && (index === MOST.changes || items > MOST.items || deadline > latest)
  })
  return length === -1 ? waiting.length : length
}
