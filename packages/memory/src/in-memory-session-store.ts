import {
  type Capabilities,
  type ChangeResult,
  type SessionPage,
  type SessionRecord,
  type SessionSummary,
  type TurnPage,
} from '@turnstore/core'
import {
  BaseSessionStore,
  type BaseStoreOptions,
  checkStoreOptions,
  cloneSession,
  cloneSummary,
  cloneTurn,
  type Condition,
  inScope,
  type Loaded,
  nextRevision,
  type NormalChange,
  type NormalQuery,
  type NormalTurnRange,
  pageOfSummaries,
  planChange,
  resolveTurnRange,
  resultOf,
  type Scope,
  sessionNotFound,
  summaryOf,
} from '@turnstore/core/adapter'
import { IndexedSession } from './indexed-session.js'

/**
 * Keeps sessions in the memory of this process, and loses them with it: for tests and short-lived
 * work. Each store has its own sessions. Recording a turn costs the same however long the session is.
 *
 * @example
 * const store = new InMemorySessionStore()
 * const manager = new SessionManager(store)
 * const { sessionId } = await manager.startSession()
 * await manager.recordTurn(sessionId, { prompt: 'Hello' })
 */
export class InMemorySessionStore extends BaseSessionStore {
  readonly capabilities: Capabilities = { durability: 'none', sharing: 'process', constantAppend: true }
  readonly #sessions = new Map<string, { readonly indexed: IndexedSession; token: number }>()
  #writes = 0

  /** @throws `INVALID_ARGUMENT` */
  constructor(options: BaseStoreOptions = {}) {
    checkStoreOptions(options)
    super(options)
  }

  // No hook awaits before it is done, so each is one step that nothing comes between. What a hook
  // receives is its own; what it gives out is a copy.

  protected async _load(sessionId: string): Promise<Loaded | null> {
    const stored = this.#sessions.get(sessionId)
    return stored === undefined ? null : { session: cloneSession(stored.indexed.session), token: stored.token }
  }

  protected async _save(session: SessionRecord, token: unknown): Promise<boolean> {
    if (token !== (this.#sessions.get(session.sessionId)?.token ?? null)) return false
    this.#sessions.set(session.sessionId, { indexed: new IndexedSession(session), token: ++this.#writes })
    return true
  }

  protected async _delete(sessionId: string, token: unknown): Promise<boolean> {
    return token === this.#sessions.get(sessionId)?.token && this.#sessions.delete(sessionId)
  }

  protected async _list(scope: Scope): Promise<string[]> {
    return this.#summaries(scope).map(({ sessionId }) => sessionId)
  }

  protected override async _replace(session: SessionRecord, condition: Condition): Promise<number> {
    const stored = this.#sessions.get(session.sessionId)
    const revision = nextRevision(session, stored?.indexed.session ?? null, condition)
    await this._save({ ...session, revision }, stored?.token ?? null)
    return revision
  }

  protected override async _change(
    sessionId: string,
    change: NormalChange,
    condition: Condition,
  ): Promise<ChangeResult> {
    const stored = this.#sessions.get(sessionId)
    if (stored === undefined || !inScope(stored.indexed.session, condition.scope)) throw sessionNotFound(sessionId)
    const plan = planChange(stored.indexed, change, condition.ifRevision, this.limits)
    if (plan.changed) {
      stored.indexed.carryOut(plan)
      stored.token = ++this.#writes
    }
    return resultOf(plan)
  }

  protected override async _remove(sessionId: string, scope: Scope): Promise<boolean> {
    const stored = this.#sessions.get(sessionId)
    return stored !== undefined && inScope(stored.indexed.session, scope) && this._delete(sessionId, stored.token)
  }

  protected override async _readTurns(
    sessionId: string,
    range: NormalTurnRange,
    scope: Scope,
  ): Promise<TurnPage | null> {
    const indexed = this.#inScope(sessionId, scope)
    if (indexed === null) return null
    const { turnCount, revision } = indexed
    const { first, end } = resolveTurnRange(range, turnCount, id => indexed.findTurn(id, turnCount)?.index ?? -1)
    return { turns: indexed.session.turns.slice(first, end).map(cloneTurn), firstIndex: first, turnCount, revision }
  }

  protected override async _loadSummary(sessionId: string, scope: Scope): Promise<SessionSummary | null> {
    const indexed = this.#inScope(sessionId, scope)
    return indexed === null ? null : cloneSummary(summaryOf(indexed.session))
  }

  protected override async _query(query: NormalQuery): Promise<SessionPage> {
    const { sessions, cursor } = pageOfSummaries(query, this.#summaries(query.scope))
    return { sessions: sessions.map(cloneSummary), cursor }
  }

  protected override async _close(): Promise<void> {
    this.#sessions.clear()
  }

  #inScope(sessionId: string, scope: Scope): IndexedSession | null {
    const stored = this.#sessions.get(sessionId)
    return stored !== undefined && inScope(stored.indexed.session, scope) ? stored.indexed : null
  }

  /** Live, not to be given out as they are. */
  #summaries(scope: Scope): SessionSummary[] {
    return [...this.#sessions.values()]
      .filter(({ indexed }) => inScope(indexed.session, scope))
      .map(({ indexed }) => summaryOf(indexed.session))
  }
}
