import {
  type Capabilities,
  type ChangeResult,
  type PartList,
  type PartPage,
  type Parts,
  type SessionPage,
  type SessionRecord,
  type SessionSummary,
  type TurnHeadPage,
  type TurnPage,
} from '@turnstore/core'
import {
  type StoreOptions,
  checkStoreOptions,
  cloneSession,
  cloneSummary,
  cloneHead,
  clonePart,
  cloneTurn,
  type ChangeCondition,
  type Condition,
  type Deletion,
  type Glimpse,
  inScope,
  AbstractSessionStore,
  checkRevision,
  nextRevision,
  type CheckedChange,
  type CheckedPartRange,
  type CheckedQuery,
  type CheckedTurnRange,
  pageOfSummaries,
  outOfReach,
  planChange,
  planCreation,
  resolvePartRange,
  resolveTurnRange,
  resultOf,
  type ScannedTurns,
  type Scope,
  type Terms,
} from '@turnstore/core/adapter'
import type { IndexedParts } from './indexed-parts.js'
import { IndexedSession } from './indexed-session.js'

/** Turns that a search examines between two looks at the session. */
const SCANNED = 64

/**
 * Keeps sessions in memory. They are lost when the process ends. Use it for tests and short-lived work.
 * Each store has its own sessions. The cost of recording a turn is independent of the length of the session.
 *
 * @example
 * const store = new InMemorySessionStore()
 * const manager = new SessionManager(store)
 * const { sessionId } = await manager.startSession()
 * await manager.recordTurn(sessionId, { prompt: 'Hello' })
 */
export class InMemorySessionStore extends AbstractSessionStore {
  readonly capabilities: Capabilities = {
    durability: 'none',
    sharing: 'process',
    constantAppend: true,
    constantStep: true,
    search: 'scan',
  }
  readonly #sessions = new Map<string, IndexedSession>()
  /** How many sessions have been created. */
  #lives = 0

  /** @throws `INVALID_ARGUMENT` */
  constructor(options: StoreOptions = {}) {
    checkStoreOptions(options)
    super(options)
  }

  // The hooks are atomic because none of them awaits. They own their arguments and return copies.

  protected async _loadSession(sessionId: string, scope: Scope): Promise<SessionRecord | null> {
    const stored = this.#inScope(sessionId, scope)
    return stored === null ? null : cloneSession(stored.record())
  }

  protected async _listSessions(scope: Scope): Promise<string[]> {
    return this.#summaries(scope).map(({ sessionId }) => sessionId)
  }

  protected async _saveSession(session: SessionRecord, condition: Condition): Promise<number> {
    const stored = this.#sessions.get(session.sessionId)
    const revision = nextRevision(session, stored?.head ?? null, condition)
    this.#sessions.set(
      session.sessionId,
      new IndexedSession({ ...session, revision }, stored?.life ?? ++this.#lives, stored?.remembered),
    )
    return revision
  }

  protected async _changeSession(
    sessionId: string,
    change: CheckedChange,
    condition: ChangeCondition,
  ): Promise<ChangeResult> {
    const stored = this.#sessions.get(sessionId)
    if (stored === undefined && condition.creation !== undefined) {
      const { session, result, remember } = planCreation(sessionId, condition.creation, change, condition, this.limits)
      this.#sessions.set(
        sessionId,
        new IndexedSession(session, ++this.#lives, remember === undefined ? [] : [remember]),
      )
      return result
    }
    if (stored === undefined || !inScope(stored.head, condition.scope)) {
      throw outOfReach(sessionId, condition, stored !== undefined)
    }
    const plan = planChange(stored, change, condition, this.limits)
    stored.apply(plan)
    return resultOf(plan)
  }

  protected async _deleteSession(sessionId: string, { scope, ifRevision }: Deletion): Promise<boolean> {
    const stored = this.#inScope(sessionId, scope)
    if (stored === null) return false
    checkRevision(sessionId, ifRevision, stored.revision)
    return this.#sessions.delete(sessionId)
  }

  protected async _readTurns(sessionId: string, range: CheckedTurnRange, scope: Scope): Promise<TurnPage | null> {
    const indexed = this.#inScope(sessionId, scope)
    if (indexed === null) return null
    const { turnCount, revision } = indexed
    const { first, end } = resolveTurnRange(range, turnCount, id => indexed.lastIndexOf(id))
    return { turns: indexed.turns(first, end).map(cloneTurn), firstIndex: first, turnCount, revision }
  }

  protected override async _readTurnHeads(
    sessionId: string,
    range: CheckedTurnRange,
    scope: Scope,
  ): Promise<TurnHeadPage | null> {
    const indexed = this.#inScope(sessionId, scope)
    if (indexed === null) return null
    const { turnCount, revision } = indexed
    const { first, end } = resolveTurnRange(range, turnCount, id => indexed.lastIndexOf(id))
    return { turns: indexed.heads(first, end).map(cloneHead), firstIndex: first, turnCount, revision }
  }

  protected override async _readParts<List extends PartList>(
    sessionId: string,
    turnId: string,
    range: CheckedPartRange<List>,
    scope: Scope,
  ): Promise<PartPage<List> | null> {
    const indexed = this.#inScope(sessionId, scope)
    const found = indexed?.lastTurn(turnId)
    if (indexed === null || found === undefined) return null
    const parts: IndexedParts<Parts[List]> = found.turn.parts[range.list]
    const { first, end } = resolvePartRange(range, parts.count)
    return {
      parts: parts.slice(first, end).map(clonePart),
      firstIndex: first,
      count: parts.count,
      revision: indexed.revision,
    }
  }

  /** Shared, not copied: a search only looks at them. */
  protected override async _scanTurns(
    sessionId: string,
    from: number,
    _terms: Terms,
    scope: Scope,
  ): Promise<ScannedTurns | null> {
    const indexed = this.#inScope(sessionId, scope)
    if (indexed === null) return null
    const end = Math.min(from + SCANNED, indexed.turnCount)
    const turns = indexed.turns(from, end).map((turn, at) => ({ index: from + at, turn }))
    return { turns, next: end < indexed.turnCount ? end : null, units: 0 }
  }

  protected async _loadSummary(sessionId: string, scope: Scope): Promise<SessionSummary | null> {
    const indexed = this.#inScope(sessionId, scope)
    return indexed === null ? null : cloneSummary(indexed.summary())
  }

  protected override async _glimpse(sessionId: string, scope: Scope): Promise<Glimpse | null> {
    const indexed = this.#inScope(sessionId, scope)
    return indexed === null ? null : { summary: cloneSummary(indexed.summary()), life: `${indexed.life}` }
  }

  protected async _querySessions(query: CheckedQuery): Promise<SessionPage> {
    const { sessions, cursor } = await pageOfSummaries(query, this.#summaries(query.scope))
    return { sessions: sessions.map(cloneSummary), cursor }
  }

  protected override async _close(): Promise<void> {
    this.#sessions.clear()
  }

  #inScope(sessionId: string, scope: Scope): IndexedSession | null {
    const stored = this.#sessions.get(sessionId)
    return stored !== undefined && inScope(stored.head, scope) ? stored : null
  }

  /** Not copied: clone them before returning them. */
  #summaries(scope: Scope): SessionSummary[] {
    return [...this.#sessions.values()].filter(({ head }) => inScope(head, scope)).map(session => session.summary())
  }
}
