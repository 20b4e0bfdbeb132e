import { Backoff, type Deletion, type Scope, withOutcome } from '@turnstore/core/adapter'
import { type Call, type ServerConnection, newToken } from '../server/server-connection.js'
import { type IndexOrder, type Keyspace, scopeField, workspaceOf } from '../format/keyspace.js'
import type { IndexSync } from '../listing/index-sync.js'
import { storeBusy } from '../server/redis-errors.js'
import type { IndexWriter } from '../listing/index-writer.js'
import { memberOf } from '../listing/index-entry.js'
import type { SessionLoader } from './session-loader.js'
import { refusalOf } from '../format/script-replies.js'
import type { Stamped } from '../format/session-head.js'

/** Deletes sessions: what can be read as a whole, or, where the caller says so, what is left of one. */
export class DeleteWriter {
  readonly #connection: ServerConnection
  readonly #keyspace: Keyspace
  readonly #index: IndexWriter
  readonly #loader: SessionLoader
  readonly #sync: IndexSync

  constructor(
    connection: ServerConnection,
    keyspace: Keyspace,
    index: IndexWriter,
    loader: SessionLoader,
    sync: IndexSync,
  ) {
    this.#connection = connection
    this.#keyspace = keyspace
    this.#index = index
    this.#loader = loader
    this.#sync = sync
  }

  /** Whether there was something to delete. @throws `CORRUPT_SESSION` */
  async remove(sessionId: string, { scope, evenIfDamaged }: Deletion, call: Call): Promise<boolean> {
    const reply = evenIfDamaged
      ? await this.#connection.operate('discard', this.#keyspace.session(sessionId), [scopeField(scope)], call)
      : await this.#removeWhole(sessionId, scope, call)
    const refusal = refusalOf(sessionId, reply)
    if (refusal !== null) throw refusal
    const [status, workspace = '', ...places] = reply
    if (status !== 'ok') return false
    this.#sync.forget(sessionId)
    const [updatedTime = '', updatedStamp = '', createdTime = '', createdStamp = ''] = places
    this.#leave('updated', workspace, sessionId, { time: updatedTime, stamp: updatedStamp })
    this.#leave('created', workspace, sessionId, { time: createdTime, stamp: createdStamp })
    return true
  }

  /**
   * Reads the session and deletes it, on condition that it is the one that was read. What scripts change meanwhile can
   * be read as well, so only another session in its place, or a rewind, makes us read again.
   */
  async #removeWhole(sessionId: string, scope: Scope, call: Call): Promise<string[]> {
    const keys = this.#keyspace.session(sessionId)
    const token = newToken()
    const backoff = new Backoff(call.deadline - performance.now())
    for (;;) {
      const whole = await withOutcome('not-stored', () => this.#loader.examine(sessionId, scope, call))
      if (whole === null) return ['missing']
      const args = [scopeField(scope), whole.head.generation]
      const reply = await this.#connection.operate('delete', keys, args, call, token)
      if (reply[0] !== 'stale') return reply
      if (!(await backoff.wait())) throw storeBusy(sessionId)
    }
  }

  /** Takes entries away. Of a session that could not be read, whoever lists next finds those that are left. */
  #leave(order: IndexOrder, workspace: string, sessionId: string, place: Stamped): void {
    if (place.stamp === '') return
    const all = this.#keyspace.index(order, undefined)
    const keys = workspace === '' ? [all] : this.#keyspace.indexesOf(order, workspaceOf(workspace))
    const member = memberOf(sessionId, place)
    this.#index.leave(keys.map(key => ({ key, member })))
  }
}
