import { type Scope, RecentMap } from '@turnstore/core/adapter'
import type { Keyspace } from '../format/keyspace.js'
import type { Move } from '../format/script-replies.js'
import type { Stamped } from '../format/session-head.js'
import type { Call, ServerConnection } from '../server/server-connection.js'
import { memberOf } from './index-entry.js'
import type { IndexWriter, PlacedEntry } from './index-writer.js'

/** Sessions whose workspace is remembered. */
const REMEMBERED = 10_000

/** Keeps the indexes in step with writes: new entries are added before or during a write, old ones removed after it. */
export class IndexSync {
  readonly #connection: ServerConnection
  readonly #keyspace: Keyspace
  readonly #index: IndexWriter
  /**
   * The workspaces of recently written sessions, so that their indexes can be written during the next change instead of
   * after it. One is wrong if the session was deleted and created in another; the scripts return the right workspace.
   */
  readonly #workspaces = new RecentMap<string | null>(REMEMBERED)

  constructor(connection: ServerConnection, keyspace: Keyspace, index: IndexWriter) {
    this.#connection = connection
    this.#keyspace = keyspace
    this.#index = index
  }

  /** Remembers the workspace of a session for the next write. */
  remember(sessionId: string, workspaceId: string | null): void {
    this.#workspaces.set(sessionId, workspaceId)
  }

  forget(sessionId: string): void {
    this.#workspaces.delete(sessionId)
  }

  /**
   * Runs a script that may move the session to another place in the indexes by updatedAt. On one server, the script
   * itself writes the indexes. On a Cluster, the new entry is sent just before the script, and the old one is removed
   * when the new one is there.
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
    const isInScript = !this.#connection.spreadsKeys
    const additions = isInScript || place.time === '' ? [] : guessed.map(key => ({ key, member }))
    const added = this.#add(additions, call)
    let result: Result
    try {
      result = await run(isInScript ? guessed : [])
    } catch (error) {
      await added
      throw error
    }
    const isAdded = await added
    const { move } = result
    if (move !== null) this.#workspaces.set(sessionId, move.workspaceId)
    const isAtPlace = move?.now.stamp === place.stamp && move.now.time === place.time
    if (!isAtPlace) this.#index.remove(additions)
    if (move?.now.stamp === place.stamp) {
      await this.#finish(
        sessionId,
        move,
        { written: isInScript || isAtPlace ? guessed : [], isInScript, isAdded },
        call,
      )
    }
    return result
  }

  /** Updates the indexes that were not written yet after a session has moved. */
  async #finish(
    sessionId: string,
    { workspaceId, now, before }: Move,
    done: { written: readonly string[]; isInScript: boolean; isAdded: boolean },
    call: Call,
  ): Promise<void> {
    const { written, isInScript, isAdded } = done
    const member = memberOf(sessionId, now)
    const keys = this.#keyspace.indexesOf('updated', workspaceId)
    const missing = keys.filter(key => !written.includes(key)).map(key => ({ key, member }))
    const isComplete = (await this.#add(missing, call)) && isAdded
    // If an index cannot be written, the old entry stays, and a listing finds the session by that one.
    if (isComplete && before.stamp !== now.stamp && before.stamp !== '') {
      const old = memberOf(sessionId, before)
      this.#index.remove((isInScript ? missing.map(({ key }) => key) : keys).map(key => ({ key, member: old })))
    }
    this.#index.remove(written.filter(key => !keys.includes(key)).map(key => ({ key, member })))
  }

  #add(entries: readonly PlacedEntry[], call: Call): Promise<boolean> {
    if (entries.length === 0) return Promise.resolve(true)
    return this.#index.add(entries, call).then(
      () => true,
      () => false,
    )
  }
}
