import type { ScopeOptions, SessionChange, SessionStore, SessionSummary, TurnPage } from '@turnstore/core'
import { retryConflicts } from '@turnstore/core/adapter'
import { type Exchange, exchangeOf } from './exchange.js'

export interface Place {
  readonly store: SessionStore
  readonly workspaceId: string | null | undefined
  readonly agentId: string | null
}

/** A chat as it is stored. */
export interface StoredChat {
  readonly revision: number
  readonly exchanges: readonly Exchange[]
}

/** The chat of an id in its store. */
export class ChatLog {
  readonly chatId: string
  readonly place: Place

  constructor(place: Place, chatId: string) {
    this.place = place
    this.chatId = chatId
  }

  /** Null if there is no chat. */
  async read(): Promise<StoredChat | null> {
    const page = await this.turns()
    return page === null ? null : { revision: page.revision, exchanges: page.turns.map(exchangeOf) }
  }

  async turns(): Promise<TurnPage | null> {
    return this.place.store.readTurns(this.chatId, { last: Number.MAX_SAFE_INTEGER }, this.scope())
  }

  async summary(): Promise<SessionSummary | null> {
    return this.place.store.loadSummary(this.chatId, this.scope())
  }

  /**
   * @param revision of the chat as the change expects it; null if there is to be none
   * @returns the new revision
   */
  async change(change: SessionChange, revision: number | null): Promise<number> {
    const { store, workspaceId = null, agentId } = this.place
    if (revision !== null) {
      const result = await store.changeSession(this.chatId, change, { ...this.scope(), ifRevision: revision })
      return result.revision
    }
    // Not by a change that creates the session: it would apply to one that another process has created meanwhile.
    const now = new Date().toISOString()
    const turns = change.appendTurns ?? []
    const session = { sessionId: this.chatId, workspaceId, agentId, createdAt: now, updatedAt: now, turns }
    return store.saveSession(session, { ifRevision: 0 })
  }

  /** Repeats a read with the change that depends on it, while others change the chat in between. */
  async retry<T>(work: () => Promise<T>): Promise<T> {
    return retryConflicts(this.chatId, work, ['REVISION_CONFLICT', 'SESSION_NOT_FOUND'])
  }

  scope(): ScopeOptions {
    const { workspaceId } = this.place
    return workspaceId === undefined ? {} : { workspaceId }
  }
}
