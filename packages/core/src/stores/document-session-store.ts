import { applyPlan, viewOf } from '../changes/apply-change.js'
import { Backoff } from '../adapter-kit/backoff.js'
import type { ChangeResult, CheckedChange } from '../changes/change.js'
import { backendError, TurnstoreError } from '../basics/errors.js'
import { withOutcome } from '../basics/outcome.js'
import { damageOf, isDamage, type Listed, pageOfListing } from '../queries/page.js'
import { type SessionRecord, type SessionSummary, summaryOf } from '../records/models.js'
import type { ScannedTurns } from '../search/search-sessions.js'
import type { Terms } from '../search/terms.js'
import { AbstractSessionStore } from './abstract-session-store.js'
import { checkRevision, nextRevision } from '../changes/next-revision.js'
import type { ChangeCondition } from '../changes/change-options.js'
import { outOfReach, planCreation } from '../changes/create-session.js'
import { planChange, resultOf } from '../changes/decide-change.js'
import type { RememberedChange } from '../changes/remembered-change.js'
import { takeRemembered, withRemembered } from './remembered-extra.js'
import { type Condition, type Deletion, inScope, type Scope } from '../basics/scope.js'
import type { CheckedQuery } from '../queries/query.js'
import type { SessionPage } from '../queries/page.js'
import { type CheckedTurnRange, pageOf, type TurnPage } from '../queries/turn-range.js'

/** A session as `_get` returns it. */
export interface Loaded {
  readonly session: SessionRecord
  /** Changes with every write and never repeats, for example an ETag or a row version. */
  readonly token: unknown
}

/**
 * The base class for a backend that can load a record and save it conditionally (optimistic concurrency).
 * Four hooks are enough: `_get`, `_put`, `_delete`, `_ids`. The others have defaults that are correct with
 * any number of processes. Override one if the backend can do it faster. The results must stay the same.
 */
export abstract class DocumentSessionStore extends AbstractSessionStore {
  // ---- The four hooks.

  /**
   * Returns the session and its token, or null.
   * @param scope a hint where to look; the caller checks the workspace again
   * @throws `CORRUPT_SESSION` if the data cannot be read
   */
  protected abstract _get(sessionId: string, scope?: Scope): Promise<Loaded | null>

  /**
   * Compare-and-set: stores the session if the stored token still equals `token`, or, if `token` is null,
   * if the session does not exist. Resolves to false, and writes nothing, if another writer was first.
   */
  protected abstract _put(session: SessionRecord, token: unknown): Promise<boolean>

  /**
   * Deletes the session if the stored token still equals `token`. If `token` is null, deletes whatever is
   * stored under the id, because a damaged session has no token. Resolves to false if another writer was first.
   */
  protected abstract _delete(sessionId: string, token: unknown): Promise<boolean>

  /** The ids of all sessions; with a scope, those of one workspace, or with null those without one. */
  protected abstract _ids(scope: Scope): Promise<string[]>

  // ---- Hooks with a default.

  protected async _loadSession(sessionId: string, scope: Scope): Promise<SessionRecord | null> {
    const current = await this._get(sessionId, scope)
    return current !== null && inScope(current.session, scope) ? takeRemembered(current.session).session : null
  }

  protected _saveSession(session: SessionRecord, condition: Condition): Promise<number> {
    return this.#retry(session.sessionId, async () => {
      const current = await this.#loadToWrite(session.sessionId)
      const revision = nextRevision(session, current?.session ?? null, condition)
      const kept = withRemembered({ ...session, revision }, current?.remembered ?? [])
      const stored = await this._put(kept, current?.token ?? null)
      return stored ? { done: revision } : null
    })
  }

  protected _changeSession(
    sessionId: string,
    change: CheckedChange,
    condition: ChangeCondition,
  ): Promise<ChangeResult> {
    return this.#retry(sessionId, async () => {
      const current = await this.#loadToWrite(sessionId)
      if (current === null && condition.creation !== undefined) {
        const { session, result, remember } = planCreation(
          sessionId,
          condition.creation,
          change,
          condition,
          this.limits,
        )
        const stored = await this._put(withRemembered(session, remember === undefined ? [] : [remember]), null)
        return stored ? { done: result } : null
      }
      if (current === null || !inScope(current.session, condition.scope)) {
        throw outOfReach(sessionId, condition, current !== null)
      }
      const plan = planChange(viewOf(current.session, current.remembered), change, condition, this.limits)
      if (!plan.changed && plan.remember === undefined) return { done: resultOf(plan) }
      const remembered = plan.remember === undefined ? current.remembered : [...current.remembered, plan.remember]
      const stored = await this._put(withRemembered(applyPlan(current.session, plan), remembered), current.token)
      return stored ? { done: resultOf(plan) } : null
    })
  }

  protected _deleteSession(sessionId: string, { scope, ifRevision, evenIfDamaged }: Deletion): Promise<boolean> {
    return this.#retry(sessionId, async () => {
      const current = await this.#loadToWrite(sessionId).catch((error: unknown) => {
        // The workspace of a damaged session is unknown, so a call with a scope must not delete it.
        if (!evenIfDamaged || scope !== undefined || !isDamage(error)) throw error
        return 'damaged' as const
      })
      if (current === 'damaged') return (await this._delete(sessionId, null)) ? { done: true } : null
      if (current === null || !inScope(current.session, scope)) return { done: false }
      checkRevision(sessionId, ifRevision, current.session.revision)
      return (await this._delete(sessionId, current.token)) ? { done: true } : null
    })
  }

  /** A document is read as a whole, so all of its turns are at hand. */
  protected override async _scanTurns(
    sessionId: string,
    from: number,
    _terms: Terms,
    scope: Scope,
  ): Promise<ScannedTurns | null> {
    const session = await this._loadSession(sessionId, scope)
    if (session === null) return null
    return { turns: session.turns.slice(from).map((turn, at) => ({ index: from + at, turn })), next: null, units: 0 }
  }

  protected _listSessions(scope: Scope): Promise<string[]> {
    return this._ids(scope)
  }

  protected async _readTurns(sessionId: string, range: CheckedTurnRange, scope: Scope): Promise<TurnPage | null> {
    const current = await this._get(sessionId, scope)
    return current === null || !inScope(current.session, scope) ? null : pageOf(current.session, range)
  }

  protected async _loadSummary(sessionId: string, scope: Scope): Promise<SessionSummary | null> {
    const current = await this._get(sessionId, scope)
    return current === null || !inScope(current.session, scope) ? null : summaryOf(current.session)
  }

  protected _querySessions(query: CheckedQuery): Promise<SessionPage> {
    return pageOfListing(query, this._summaries(query.scope))
  }

  /** Lists everything in a scope, for {@link _querySessions}. May omit a session that is deleted meanwhile. */
  protected async *_summaries(scope: Scope): AsyncIterable<Listed> {
    for (const sessionId of await this._ids(scope)) {
      const summary = await this.#summaryOrDamage(sessionId, scope)
      if (summary !== null) yield summary
    }
  }

  // ---- Helpers.

  /** Loads before a write. An error here means that nothing was written. */
  #loadToWrite(sessionId: string): Promise<(Loaded & { remembered: readonly RememberedChange[] }) | null> {
    return withOutcome('not-stored', async () => {
      try {
        const loaded = await this._get(sessionId)
        return loaded === null ? null : { ...takeRemembered(loaded.session), token: loaded.token }
      } catch (error) {
        throw backendError(error)
      }
    })
  }

  /** Repeats `attempt` with backoff until it succeeds or the deadline passes. */
  async #retry<T>(sessionId: string, attempt: () => Promise<{ done: T } | null>): Promise<T> {
    const backoff = new Backoff(this.timeoutMs)
    for (;;) {
      const result = await attempt()
      if (result !== null) return result.done
      if (!(await backoff.wait())) {
        throw new TurnstoreError('STORE_BUSY', `Other writers kept changing session ${sessionId}; try again`, {
          outcome: 'not-stored',
        })
      }
    }
  }

  async #summaryOrDamage(sessionId: string, scope: Scope): Promise<Listed | null> {
    try {
      return await this._loadSummary(sessionId, scope)
    } catch (error) {
      const damage = damageOf(sessionId, error)
      if (damage === null) throw error
      return damage
    }
  }
}
