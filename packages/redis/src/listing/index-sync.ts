import type { Scope } from '@turnstore/core/adapter'
import type { Call, ServerConnection } from '../server/server-connection.js'
import type { Keyspace } from '../format/keyspace.js'
import { RecentWorkspaces } from './recent-workspaces.js'
import type { IndexWriter, Placed } from './index-writer.js'
import { memberOf } from './index-entry.js'
import type { Stamped } from '../format/session-head.js'
import type { Move } from '../format/script-replies.js'

/** Keeps the indexes in step with changes: new entries come before or beside a write, old ones go behind it. */
export class IndexSync {
  readonly #connection: ServerConnection
  readonly #keyspace: Keyspace
  readonly #index: IndexWriter
  readonly #workspaces = new RecentWorkspaces()

  constructor(connection: ServerConnection, keyspace: Keyspace, index: IndexWriter) {
    this.#connection = connection
    this.#keyspace = keyspace
    this.#index = index
  }

  /** Where a session is found, for whoever writes it next. */
  remember(sessionId: string, workspaceId: string | null): void {
    this.#workspaces.set(sessionId, workspaceId)
  }

  forget(sessionId: string): void {
    this.#workspaces.delete(sessionId)
  }

  /**
   * Runs a script that may move the session to a place in the indexes by updatedAt. Where one server holds
   * everything, the script is given the indexes. Elsewhere the entry of the new place is added beside, sent
   * first, and that of the old place goes when it is there.
   */
  async write<Result extends { readonly move: Move | null }>(
    sessionId: string,
    place: Stamped,
    scope: Scope,
    call: Call,
    run: (indexes: readonly string[]) => Promise<Result>,
  ): Promise<Result> {
    const member = memberOf(sessionId, place)
    const guess = scope === undefined ? this.#workspaces.get(sessionId) : scope
    const guessed =
      guess === undefined ? [this.#keyspace.index('updated', undefined)] : this.#keyspace.indexesOf('updated', guess)
    const isInside = !this.#connection.spreadsKeys
    const beside = isInside || place.time === '' ? [] : guessed.map(key => ({ key, member }))
    const added = this.#add(beside, call)
    let result: Result
    try {
      result = await run(isInside ? guessed : [])
    } catch (error) {
      await added
      throw error
    }
    const isAdded = await added
    const { move } = result
    if (move !== null) this.#workspaces.set(sessionId, move.workspaceId)
    const isThere = move?.now.stamp === place.stamp && move.now.time === place.time
    if (!isThere) this.#index.leave(beside)
    if (move?.now.stamp === place.stamp) {
      await this.#follow(sessionId, move, { written: isInside || isThere ? guessed : [], isInside, isAdded }, call)
    }
    return result
  }

  /** Brings the indexes that were not written yet into line with a session that has moved. */
  async #follow(
    sessionId: string,
    { workspaceId, now, before }: Move,
    done: { written: readonly string[]; isInside: boolean; isAdded: boolean },
    call: Call,
  ): Promise<void> {
    const { written, isInside, isAdded } = done
    const member = memberOf(sessionId, now)
    const keys = this.#keyspace.indexesOf('updated', workspaceId)
    const late = keys.filter(key => !written.includes(key)).map(key => ({ key, member }))
    const isComplete = (await this.#add(late, call)) && isAdded
    // Where an index cannot be written, the old entry stays, by which a listing finds the session all the same.
    if (isComplete && before.stamp !== now.stamp && before.stamp !== '') {
      const old = memberOf(sessionId, before)
      this.#index.leave((isInside ? late.map(({ key }) => key) : keys).map(key => ({ key, member: old })))
    }
    this.#index.leave(written.filter(key => !keys.includes(key)).map(key => ({ key, member })))
  }

  #add(entries: readonly Placed[], call: Call): Promise<boolean> {
    if (entries.length === 0) return Promise.resolve(true)
    return this.#index.add(entries, call).then(
      () => true,
      () => false,
    )
  }
}
