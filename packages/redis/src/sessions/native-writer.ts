import type { Limits } from '@turnstore/core'
import { timeKey } from '@turnstore/core/adapter'
import { type Keyspace, workspaceOf } from '../format/keyspace.js'
import { refusalOf } from '../format/script-replies.js'
import { newStamp } from '../listing/index-entry.js'
import type { IndexSync } from '../listing/index-sync.js'
import type { Call, ServerConnection } from '../server/server-connection.js'
import { type ChangeOutcome, ChangeQueue, type WaitingChange } from './change-queue.js'
import { encodeNativeChange, nativeOutcome } from './native-change.js'

/** Sends changes that the script `change` decides: one round trip, without reading first. */
export class NativeWriter {
  readonly #connection: ServerConnection
  readonly #keyspace: Keyspace
  readonly #sync: IndexSync
  readonly #limits: Limits
  readonly #ttlMs: number
  readonly #queue = new ChangeQueue((sessionId, batch) => this.#send(sessionId, batch))

  constructor(
    connection: ServerConnection,
    keyspace: Keyspace,
    sync: IndexSync,
    settings: { readonly limits: Limits; readonly ttlMs: number },
  ) {
    this.#connection = connection
    this.#keyspace = keyspace
    this.#sync = sync
    this.#limits = settings.limits
    this.#ttlMs = settings.ttlMs
  }

  add(sessionId: string, waiting: WaitingChange): Promise<ChangeOutcome> {
    return this.#queue.add(sessionId, waiting)
  }

  async #send(sessionId: string, batch: readonly WaitingChange[]): Promise<(ChangeOutcome | Error)[]> {
    let deadline = Infinity
    let time = ''
    const items: string[] = []
    const values: (string | number)[] = []
    for (const waiting of batch) {
      const own = timeKey(waiting.change.updatedAt)
      encodeNativeChange(waiting, own, this.#limits.turnBytes, items, values)
      if (own > time) time = own
      deadline = Math.min(deadline, waiting.deadline)
    }
    const call: Call = { sessionId, deadline }
    const stamp = newStamp(this.#connection.serverTime(deadline))
    const reopens = batch.some(({ change }) => change.reopen) ? '1' : ''
    const args = [this.#ttlMs, sessionId, stamp, items.length, reopens, ...items, ...values]
    const scope = batch[0]?.condition.scope
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
    return batch.map((waiting, index) => nativeOutcome(sessionId, waiting, reply[OUTCOMES + index] ?? ''))
  }
}

/** Where the outcomes begin in a reply. */
const OUTCOMES = 6
