import { applyNormalChange } from '../changes/apply-change.js'
import { Backoff } from '../adapter-kit/backoff.js'
import type { ChangeResult, NormalChange } from '../changes/change.js'
import { backendError, sessionNotFound, TurnstoreError } from '../basics/errors.js'
import { withOutcome } from '../basics/outcome.js'
import { damageOf, isDamage, type Listed, pageOfListing } from '../queries/page.js'
import { type SessionRecord, type SessionSummary, summaryOf } from '../records/models.js'
import { NativeSessionStore } from './abstract-session-store.js'
import { nextRevision } from '../changes/next-revision.js'
import { type Condition, type Deletion, inScope, type Scope } from '../basics/scope.js'
import type { NormalQuery } from '../queries/query.js'
import type { SessionPage } from '../queries/page.js'
import { type NormalTurnRange, pageOf, type TurnPage } from '../queries/turn-range.js'

/** A session as a hook loaded it. */
export interface Loaded {
  readonly session: SessionRecord
  /** Changes with every write and is never used again: an ETag, the version of a row. */
  readonly token: unknown
}

/**
 * What an adapter extends whose backend can load a record and save it on condition. Four hooks suffice:
 * `_load`, `_save`, `_delete`, `_list`. The others have defaults on top of these, correct over any
 * number of processes; override one where the backend can do better. Whether an adapter does is seen in
 * its speed, never in its results.
 */
export abstract class BaseSessionStore extends NativeSessionStore {
  // ---- The four hooks.

  /**
   * The session and its token, or null.
   * @param scope where it may be looked for; a hint, since whoever calls looks at its workspace again
   * @throws `CORRUPT_SESSION` for data that cannot be read
   */
  protected abstract _load(sessionId: string, scope?: Scope): Promise<Loaded | null>

  /**
   * Compare-and-set: stores the session if its token is still this one, or, with null, if there is
   * none. False: somebody was first, and nothing was written.
   */
  protected abstract _save(session: SessionRecord, token: unknown): Promise<boolean>

  /**
   * Deletes the session if its token is still this one, or, with null, whatever is stored under the id:
   * a session that cannot be read has no token. False: somebody was first.
   */
  protected abstract _delete(sessionId: string, token: unknown): Promise<boolean>

  // The fourth is `_list`, which every store has.

  // ---- Hooks with a default.

  protected async _loadSession(sessionId: string, scope: Scope): Promise<SessionRecord | null> {
    const current = await this._load(sessionId, scope)
    return current !== null && inScope(current.session, scope) ? current.session : null
  }

  protected _replace(session: SessionRecord, condition: Condition): Promise<number> {
    return this.#retry(session.sessionId, async () => {
      const current = await this.#loadToWrite(session.sessionId)
      const revision = nextRevision(session, current?.session ?? null, condition)
      const stored = await this._save({ ...session, revision }, current?.token ?? null)
      return stored ? { done: revision } : null
    })
  }

  protected _change(sessionId: string, change: NormalChange, condition: Condition): Promise<ChangeResult> {
    return this.#retry(sessionId, async () => {
      const current = await this.#loadToWrite(sessionId)
      if (current === null || !inScope(current.session, condition.scope)) throw sessionNotFound(sessionId)
      const { session, changed, deduplicated } = applyNormalChange(current.session, change, condition.ifRevision, this.limits)
      const stored = !changed || (await this._save(session, current.token))
      return stored ? { done: { revision: session.revision, turnCount: session.turns.length, deduplicated } } : null
    })
  }

  protected _remove(sessionId: string, { scope, evenIfDamaged }: Deletion): Promise<boolean> {
    return this.#retry(sessionId, async () => {
      const current = await this.#loadToWrite(sessionId).catch((error: unknown) => {
        // The workspace of what cannot be read is unknown, so a call with one must not delete it.
        if (!evenIfDamaged || scope !== undefined || !isDamage(error)) throw error
        return 'damaged' as const
      })
      if (current === 'damaged') return (await this._delete(sessionId, null)) ? { done: true } : null
      if (current === null || !inScope(current.session, scope)) return { done: false }
      return (await this._delete(sessionId, current.token)) ? { done: true } : null
    })
  }

  protected async _readTurns(sessionId: string, range: NormalTurnRange, scope: Scope): Promise<TurnPage | null> {
    const current = await this._load(sessionId, scope)
    return current === null || !inScope(current.session, scope) ? null : pageOf(current.session, range)
  }

  protected async _loadSummary(sessionId: string, scope: Scope): Promise<SessionSummary | null> {
    const current = await this._load(sessionId, scope)
    return current === null || !inScope(current.session, scope) ? null : summaryOf(current.session)
  }

  protected _query(query: NormalQuery): Promise<SessionPage> {
    return pageOfListing(query, this._summaries(query.scope))
  }

  /** Everything that there is in a scope, for {@link _query}. A session deleted meanwhile may be missing. */
  protected async *_summaries(scope: Scope): AsyncIterable<Listed> {
    for (const sessionId of await this._list(scope)) {
      const summary = await this.#summaryOrDamage(sessionId, scope)
      if (summary !== null) yield summary
    }
  }

  // ---- What they share.

  /** Loads in order to write: whatever goes wrong here, nothing was written. */
  #loadToWrite(sessionId: string): Promise<Loaded | null> {
    return withOutcome('not-stored', async () => {
      try {
        return await this._load(sessionId)
      } catch (error) {
        throw backendError(error)
      }
    })
  }

  /** Tries until an attempt is done, with jitter between attempts, at most until the deadline. */
  async #retry<T>(sessionId: string, attempt: () => Promise<{ done: T } | null>): Promise<T> {
    const backoff = new Backoff(this.timeoutMs)
    for (;;) {
      const result = await attempt()
      if (result !== null) return result.done
      if (!(await backoff.wait())) {
        throw new TurnstoreError('STORE_BUSY', `Others kept changing session ${sessionId}; try again`, { outcome: 'not-stored' })
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
