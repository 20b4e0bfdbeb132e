import type { ChangeResult, Limits } from '@turnstore/core'
import {
  Backoff,
  type ChangeCondition,
  type ChangePlan,
  type CheckedChange,
  KeyedMutex,
  outOfReach,
  planChange,
  planCreation,
  resultOf,
  timeKey,
  withOutcome,
} from '@turnstore/core/adapter'
import { type Keyspace, keyField } from '../format/keyspace.js'
import { encodeRemembering } from '../format/remembered-text.js'
import { readWritten, refusalOf, type Written } from '../format/script-replies.js'
import { encodeFrame } from '../format/session-head.js'
import { newStamp } from '../listing/index-entry.js'
import type { IndexSync } from '../listing/index-sync.js'
import { storeBusy } from '../server/redis-errors.js'
import type { Args, Call, ServerConnection } from '../server/server-connection.js'
import { newToken } from '../server/token.js'
import { type ChangeViewReader, type Examined, NeedsWholeTurn, type ReadView } from './change-view.js'
import { isNative } from './native-change.js'
import type { NativeWriter } from './native-writer.js'
import { plannedLists } from './planned-args.js'
import type { SaveWriter } from './save-writer.js'

/** The most leftovers of dropped turns that one command removes. */
const MOST_LEFTOVERS = 1000

/** Changes sessions. What one script can decide is one script; any other change reads, decides, and writes conditionally. */
export class ChangeWriter {
  readonly #connection: ServerConnection
  readonly #keyspace: Keyspace
  readonly #sync: IndexSync
  readonly #views: ChangeViewReader
  readonly #native: NativeWriter
  readonly #saves: SaveWriter
  readonly #limits: Limits
  readonly #ttlMs: number
  /** Changes of a session that read before they write, one at a time. So they lose only to other processes. */
  readonly #queue = new KeyedMutex()

  constructor(
    connection: ServerConnection,
    keyspace: Keyspace,
    sync: IndexSync,
    views: ChangeViewReader,
    native: NativeWriter,
    saves: SaveWriter,
    settings: { readonly limits: Limits; readonly ttlMs: number },
  ) {
    this.#connection = connection
    this.#keyspace = keyspace
    this.#sync = sync
    this.#views = views
    this.#native = native
    this.#saves = saves
    this.#limits = settings.limits
    this.#ttlMs = settings.ttlMs
  }

  async change(
    sessionId: string,
    change: CheckedChange,
    condition: ChangeCondition,
    call: Call,
  ): Promise<ChangeResult> {
    if (isNative(change) && !this.#queue.isBusy(sessionId)) {
      const outcome = await this.#native.add(sessionId, { change, condition }, call.deadline)
      if (outcome === 'elsewhere') throw outOfReach(sessionId, condition, true)
      if (outcome === 'missing' && condition.creation === undefined) throw outOfReach(sessionId, condition, false)
      if (typeof outcome === 'object') return outcome
      const created = outcome === 'missing' ? await this.#create(sessionId, change, condition, call) : null
      if (created !== null) return created
    }
    return this.#queue.run(sessionId, () => this.#decide(sessionId, change, condition, call))
  }

  /** Reads what the change depends on, decides, and writes if that is unchanged. Otherwise it starts again. */
  async #decide(
    sessionId: string,
    change: CheckedChange,
    condition: ChangeCondition,
    call: Call,
  ): Promise<ChangeResult> {
    const backoff = new Backoff(call.deadline - performance.now())
    const examined: Examined = { whole: null, turns: new Map() }
    for (;;) {
      try {
        const result = await this.#attempt(sessionId, change, condition, call, examined)
        if (result !== null) return result
      } catch (error) {
        if (!(error instanceof NeedsWholeTurn)) throw error
        await withOutcome('not-stored', () => this.#views.readWhole(sessionId, error, call, examined))
        continue
      }
      if (!(await backoff.wait())) throw storeBusy(sessionId)
    }
  }

  /** Null if another writer was faster. */
  async #attempt(
    sessionId: string,
    change: CheckedChange,
    condition: ChangeCondition,
    call: Call,
    examined: Examined,
  ): Promise<ChangeResult | null> {
    const read = await withOutcome('not-stored', () => this.#views.read(sessionId, change, condition, call, examined))
    if (read === 'missing' && condition.creation !== undefined) {
      return this.#create(sessionId, change, condition, call)
    }
    if (read === 'missing' || read === 'elsewhere') throw outOfReach(sessionId, condition, read === 'elsewhere')
    if (read === 'moved') return null
    const plan = planChange(read.view, change, condition, this.#limits)
    if (!plan.changed && plan.remember === undefined) return resultOf(plan)
    const written = await this.#apply(sessionId, change, condition, read, plan, call)
    if (written === null) return null
    const { revision, turnCount } = written
    return { ...resultOf(plan), revision, turnCount }
  }

  /** Null if there is a session by now, or if the change creates none. */
  async #create(
    sessionId: string,
    change: CheckedChange,
    condition: ChangeCondition,
    call: Call,
  ): Promise<ChangeResult | null> {
    if (condition.creation === undefined) return null
    const creation = planCreation(sessionId, condition.creation, change, condition, this.#limits)
    return (await this.#saves.create(creation, call)) ? creation.result : null
  }

  /** Null if what the plan was based on has changed. */
  async #apply(
    sessionId: string,
    change: CheckedChange,
    condition: ChangeCondition,
    read: ReadView,
    plan: ChangePlan,
    call: Call,
  ): Promise<Written | null> {
    const { state, summary, extra } = read.head
    const isWide =
      Object.keys(change.setMetadata).length > 0 ||
      change.unsetMetadata.length > 0 ||
      change.agentId !== undefined ||
      change.reopen
    const stamp = newStamp(this.#connection.serverTime(call.deadline))
    const place = { time: timeKey(change.updatedAt), stamp }
    const args: Args = [
      this.#ttlMs,
      state.generation,
      // Also for a rewind that drops nothing: it must drop turns that others append before it is written.
      condition.ifRevision !== undefined || change.keepTurns !== undefined ? state.revision : '',
      isWide ? state.wideRevision : '',
      JSON.stringify(change.updatedAt),
      place.time,
      stamp,
      sessionId,
      plan.metadata === undefined ? '' : JSON.stringify(plan.metadata),
      plan.agentId === undefined ? '' : encodeFrame({ ...summary, agentId: plan.agentId, ...(extra && { extra }) }),
      plan.keepTurns ?? '',
      read.rewind === null ? state.generation : newToken(),
      plan.changed ? '1' : '',
      keyField(plan.remember?.key),
      plan.remember === undefined ? '' : encodeRemembering(plan.remember),
      this.#limits.turnBytes,
      ...plannedLists(read, plan),
    ]
    const { reply, move } = await this.#sync.write(sessionId, place, summary.workspaceId, call, async indexes => {
      const keys = [...this.#keyspace.session(sessionId), ...indexes]
      const texts = await this.#connection.operate('apply', keys, args, call)
      return { reply: texts, move: readWritten(texts) }
    })
    const refusal = refusalOf(sessionId, reply)
    if (refusal !== null) throw refusal
    if (move !== null && read.rewind !== null) await this.#removeLeftovers(sessionId, read.rewind.leftovers, call)
    return move
  }

  /** No reader finds them any more, and no token returns, so those that stay only take memory. */
  async #removeLeftovers(sessionId: string, fields: readonly string[], call: Call): Promise<void> {
    const [, , , , , parts] = this.#keyspace.session(sessionId)
    try {
      for (let from = 0; from < fields.length; from += MOST_LEFTOVERS) {
        await this.#connection.send('hdel', [parts, ...fields.slice(from, from + MOST_LEFTOVERS)], call)
      }
    } catch {
      // The rewind is stored.
    }
  }
}
