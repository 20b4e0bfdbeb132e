import { Backoff, type Deletion, revisionConflict, withOutcome } from '@turnstore/core/adapter'
import { type IndexOrder, type Keyspace, scopeField, workspaceOf } from '../format/keyspace.js'
import { refusalOf } from '../format/script-replies.js'
import type { Stamped } from '../format/session-head.js'
import { memberOf } from '../listing/index-entry.js'
import type { IndexSync } from '../listing/index-sync.js'
import type { IndexWriter } from '../listing/index-writer.js'
import { storeBusy } from '../server/redis-errors.js'
import type { Call, ServerConnection } from '../server/server-connection.js'
import type { SessionLoader } from './session-loader.js'

/** Deletes sessions that can be read completely or, with `evenIfDamaged`, whatever is left of one. */
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

  /** Resolves to false if there was nothing to delete. @throws `CORRUPT_SESSION` */
  async remove(sessionId: string, deletion: Deletion, call: Call): Promise<boolean> {
    const { scope, ifRevision, evenIfDamaged } = deletion
    const reply = evenIfDamaged
      ? await this.#connection.operate('discard', this.#keyspace.session(sessionId), [scopeField(scope)], call)
      : await this.#removeWhole(sessionId, deletion, call)
    const refusal = refusalOf(sessionId, reply)
    if (refusal !== null) throw refusal
    if (reply[0] === 'conflict') throw revisionConflict(sessionId, ifRevision ?? 0, Number(reply[1]))
    const [status, workspace = '', ...places] = reply
    if (status !== 'ok') return false
    this.#sync.forget(sessionId)
    const [updatedTime = '', updatedStamp = '', createdTime = '', createdStamp = ''] = places
    this.#removeEntries('updated', workspace, sessionId, { time: updatedTime, stamp: updatedStamp })
    this.#removeEntries('created', workspace, sessionId, { time: createdTime, stamp: createdStamp })
    return true
  }

  /**
   * Reads the session and deletes it if it is still the same one. What scripts write in between can be read, so it is
   * read again only after a rewind, or if another session has taken its id.
   */
  async #removeWhole(sessionId: string, { scope, ifRevision }: Deletion, call: Call): Promise<string[]> {
    const keys = this.#keyspace.session(sessionId)
    const backoff = new Backoff(call.deadline - performance.now())
    for (;;) {
      const whole = await withOutcome('not-stored', () => this.#loader.examine(sessionId, scope, call))
      if (whole === null) return ['missing']
      const args = [scopeField(scope), whole.head.state.generation, String(ifRevision ?? '')]
      const reply = await this.#connection.operate('delete', keys, args, call)
      if (reply[0] !== 'stale') return reply
      if (!(await backoff.wait())) throw storeBusy(sessionId)
    }
  }

  /** Removes index entries. Entries of a session whose head could not be read are removed by a later listing. */
  #removeEntries(order: IndexOrder, workspace: string, sessionId: string, place: Stamped): void {
    if (place.stamp === '') return
    const all = this.#keyspace.index(order, undefined)
    const keys = workspace === '' ? [all] : this.#keyspace.indexesOf(order, workspaceOf(workspace))
    const member = memberOf(sessionId, place)
    this.#index.remove(keys.map(key => ({ key, member })))
  }
}
