import { applyNormalChange, checkChangeRevision } from './apply-change.js'
import { Backoff } from './backoff.js'
import { type ChangeResult, type NormalChange, readChange, type SessionChange } from './change.js'
import { isTurnstoreError, revisionConflict, sessionExists, sessionNotFound, TurnstoreError } from './errors.js'
import { checkId } from './ids.js'
import { attempt, Lifecycle, notStored } from './lifecycle.js'
import { type Limits, readLimits } from './limits.js'
import { type SessionInput, type SessionRecord, type SessionSummary, summaryOf } from './models.js'
import { checkMembers, type Condition, inScope, readCondition, readScope, type Scope, type ScopeOptions, type WriteOptions } from './options.js'
import { type DamagedSession, MAX_LIMIT, type NormalQuery, pageOfSummaries, readQuery, type SessionPage, type SessionQuery } from './query.js'
import { readSessionInput } from './record-input.js'
import type { Capabilities, SessionStore } from './store.js'
import { type NormalTurnRange, pageOf, readTurnRange, type TurnPage, type TurnRange, wholeNumber } from './turn-range.js'

/** A session as a hook loaded it. */
export interface Loaded {
  readonly session: SessionRecord
  /** Changes with every write and is never used again: an ETag, the version of a row. */
  readonly token: unknown
}

/** What a listing found: a session, or one whose data cannot be read. */
export type Listed = SessionSummary | DamagedSession

/** The options that every store takes. */
export interface BaseStoreOptions {
  limits?: Partial<Limits>
  /** Milliseconds after which a write that others keep overtaking fails with `STORE_BUSY`; default 10,000. */
  timeoutMs?: number
}

/**
 * What every adapter extends. The public methods check the arguments, the ids, the record and the
 * state of the store, once for every adapter, and call the hooks, whose names begin with `_`: what a
 * hook receives is valid, complete and its own.
 *
 * Four hooks suffice: `_load`, `_save`, `_delete`, `_list`. The others have defaults on top of these,
 * correct over any number of processes; override one where the backend can do better. Whether an
 * adapter does is seen in its speed, never in its results.
 *
 * A hook may throw a `TurnstoreError` with the fitting code. Anything else that it throws becomes
 * `STORE_UNAVAILABLE`, stripped of its message, which might quote what was stored. A hook must settle
 * within a bounded time.
 */
export abstract class BaseSessionStore implements SessionStore {
  abstract readonly capabilities: Capabilities
  protected readonly limits: Limits
  protected readonly timeoutMs: number
  readonly #lifecycle: Lifecycle = new Lifecycle(
    () => this._ready(),
    () => this._close(),
  )

  /** @throws `INVALID_ARGUMENT` */
  constructor(options: BaseStoreOptions = {}) {
    this.limits = readLimits(options.limits)
    this.timeoutMs = options.timeoutMs === undefined ? 10_000 : wholeNumber(options.timeoutMs, 'options.timeoutMs', 1)
  }

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

  /** Deletes the session if its token is still this one. False: somebody was first. */
  protected abstract _delete(sessionId: string, token: unknown): Promise<boolean>

  /** All ids; with a scope, those of one workspace, or with null those without one. */
  protected abstract _list(scope: Scope): Promise<string[]>

  // ---- Hooks with a default.

  /** Creates or replaces as a whole, with the next revision; the one that `session` has means nothing. */
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

  protected _remove(sessionId: string, scope: Scope): Promise<boolean> {
    return this.#retry(sessionId, async () => {
      const current = await this.#loadToWrite(sessionId)
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

  protected async _query(query: NormalQuery): Promise<SessionPage> {
    // By id: one that is deleted and made anew while the listing goes on may come by twice.
    const summaries = new Map<string, SessionSummary>()
    const damaged: DamagedSession[] = []
    for await (const listed of this._summaries(query.scope)) {
      if ('code' in listed) damaged.push(listed)
      else summaries.set(listed.sessionId, listed)
    }
    const page = pageOfSummaries(query, [...summaries.values()])
    return query.after === undefined && damaged.length > 0 ? { ...page, damaged } : page
  }

  /** Everything that there is in a scope, for {@link _query}. A session deleted meanwhile may be missing. */
  protected async *_summaries(scope: Scope): AsyncIterable<Listed> {
    for (const sessionId of await this._list(scope)) {
      const summary = await this.#summaryOrDamage(sessionId, scope)
      if (summary !== null) yield summary
    }
  }

  /** Connects and reads the settings on which the capabilities depend. Called once, and again if it failed. */
  protected async _ready(): Promise<void> {}

  /** Lets go of everything. Called once, when no other call is under way. */
  protected async _close(): Promise<void> {}

  // ---- The public methods.

  saveSession(session: SessionInput, options?: WriteOptions): Promise<number> {
    return this.#lifecycle.perform('write', () => {
      const record = readSessionInput(session, this.limits)
      const condition = readCondition(options)
      if (!inScope(record, condition.scope)) {
        throw new TurnstoreError('INVALID_ARGUMENT', 'options.workspaceId must be the workspace of the record')
      }
      return { sessionId: record.sessionId, run: () => this._replace(record, condition) }
    })
  }

  loadSession(sessionId: string, options?: ScopeOptions): Promise<SessionRecord | null> {
    return this.#lifecycle.perform('read', () => {
      checkId(sessionId, 'sessionId')
      const scope = readScope(options)
      return {
        sessionId,
        run: async () => {
          const loaded = await this._load(sessionId, scope)
          return loaded !== null && inScope(loaded.session, scope) ? loaded.session : null
        },
      }
    })
  }

  listSessions(options?: ScopeOptions): Promise<string[]> {
    return this.#lifecycle.perform('read', () => {
      const scope = readScope(options)
      return { run: () => this._list(scope) }
    })
  }

  deleteSession(sessionId: string, options?: ScopeOptions): Promise<boolean> {
    return this.#lifecycle.perform('write', () => {
      checkId(sessionId, 'sessionId')
      const scope = readScope(options)
      return { sessionId, run: () => this._remove(sessionId, scope) }
    })
  }

  changeSession(sessionId: string, change: SessionChange, options?: WriteOptions): Promise<ChangeResult> {
    return this.#lifecycle.perform('write', () => {
      checkId(sessionId, 'sessionId')
      const normal = readChange(change, this.limits)
      const condition = readCondition(options)
      checkChangeRevision(condition.ifRevision)
      return { sessionId, run: () => this._change(sessionId, normal, condition) }
    })
  }

  readTurns(sessionId: string, range: TurnRange, options?: ScopeOptions): Promise<TurnPage | null> {
    return this.#lifecycle.perform('read', () => {
      checkId(sessionId, 'sessionId')
      const normal = readTurnRange(range)
      const scope = readScope(options)
      return { sessionId, run: () => this._readTurns(sessionId, normal, scope) }
    })
  }

  loadSummary(sessionId: string, options?: ScopeOptions): Promise<SessionSummary | null> {
    return this.#lifecycle.perform('read', () => {
      checkId(sessionId, 'sessionId')
      const scope = readScope(options)
      return { sessionId, run: () => this._loadSummary(sessionId, scope) }
    })
  }

  querySessions(query?: SessionQuery): Promise<SessionPage> {
    return this.#lifecycle.perform('read', () => {
      const normal = readQuery(query)
      return { run: () => this._query(normal) }
    })
  }

  sessions(query: SessionQuery = {}): AsyncIterable<SessionSummary> {
    return this.#allPages(attempt(() => copyQuery(query)))
  }

  async *#allPages(checked: () => SessionQuery): AsyncIterable<SessionSummary> {
    const query = checked()
    let damaged: DamagedSession[] = []
    let next: SessionQuery | null = query
    while (next !== null) {
      const page: SessionPage = await this.querySessions(next)
      yield* page.sessions
      damaged = damaged.concat(page.damaged ?? [])
      next = page.cursor === null ? null : { ...query, cursor: page.cursor }
    }
    const [first] = damaged
    if (first !== undefined) {
      const named = damaged.slice(0, 10).map(({ sessionId }) => sessionId)
      const others = damaged.length > named.length ? ` and ${damaged.length - named.length} more` : ''
      throw new TurnstoreError(first.code, `Not listed: ${named.join(', ')}${others}. ${first.message}`, {
        sessionId: first.sessionId,
      })
    }
  }

  ready(): Promise<void> {
    return this.#lifecycle.perform('read', () => ({ run: async () => {} }))
  }

  close(): Promise<void> {
    return this.#lifecycle.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  // ---- What they share.

  /** Loads in order to write: whatever goes wrong here, nothing was written. */
  async #loadToWrite(sessionId: string): Promise<Loaded | null> {
    try {
      return await this._load(sessionId)
    } catch (error) {
      throw notStored(error)
    }
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

/** The caller may alter his query while he iterates. @throws `INVALID_ARGUMENT`, `INVALID_ID` */
function copyQuery(query: SessionQuery): SessionQuery {
  readQuery(query)
  return { limit: MAX_LIMIT, ...query, ...(query.metadata && { metadata: { ...query.metadata } }) }
}

/**
 * Refuses options that nobody knows: a misspelt one would be lost without a word.
 * @param own the options that an adapter has besides those of every store
 * @throws `INVALID_ARGUMENT`
 */
export function checkStoreOptions(options: object, own: readonly string[] = []): void {
  checkMembers(options, 'options', ['limits', 'timeoutMs', ...own])
}

/** The revision that saving a whole record leads to. @throws `SESSION_EXISTS`, `REVISION_CONFLICT` */
export function nextRevision(
  session: { readonly sessionId: string; readonly workspaceId: string | null },
  current: { readonly workspaceId: string | null; readonly revision: number } | null,
  { ifRevision }: Condition,
): number {
  // Before anything else: of another workspace's session nothing may be learned, not its revision.
  if (current !== null && current.workspaceId !== session.workspaceId) throw sessionExists(session.sessionId)
  const revision = current?.revision ?? 0
  if (ifRevision !== undefined && ifRevision !== revision) throw revisionConflict(session.sessionId, ifRevision, revision)
  return revision + 1
}

/** An error that says that a session's data cannot be read, as a listing tells it. */
export function damageOf(sessionId: string, error: unknown): DamagedSession | null {
  if (!isTurnstoreError(error)) return null
  const { code, message } = error
  return code === 'CORRUPT_SESSION' || code === 'SCHEMA_TOO_NEW' ? { sessionId, code, message } : null
}
