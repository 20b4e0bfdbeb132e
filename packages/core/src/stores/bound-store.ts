import { type ErrorCode, TurnstoreError } from '../basics/errors.js'
import { checkId } from '../basics/ids.js'
import { isPlain } from '../basics/json.js'
import { withOutcome } from '../basics/outcome.js'
import type { DeleteOptions, ReadOptions, Scope, ScopeOptions, WriteOptions } from '../basics/scope.js'
import type { ChangeResult, SessionChange } from '../changes/change.js'
import type { ChangeOptions } from '../changes/change-options.js'
import type { SessionPage } from '../queries/page.js'
import type { PartPage, PartRange } from '../queries/part-range.js'
import type { SessionQuery } from '../queries/query.js'
import type { TurnHeadPage, TurnPage, TurnRange } from '../queries/turn-range.js'
import type { PartList, SessionInput, SessionRecord, SessionSummary } from '../records/models.js'
import type { SearchPage, SearchQuery } from '../search/search-query.js'
import type { WatchedSession, WatchOptions } from '../watch/watch-options.js'
import { attempt, later } from './lifecycle.js'
import type { Capabilities, SessionStore } from './session-store.js'

/**
 * A store whose every call is limited to one workspace, or with null to sessions without one. A call that names no
 * workspace, or null, means this one; a call that names another fails with `INVALID_ARGUMENT`. Its `close` closes
 * nothing, since others may use the store.
 * @throws `INVALID_ID`
 *
 * @example
 * const acme = bindStore(store, 'acme')
 * await acme.loadSession('chat-1') // null if the session belongs to another workspace
 */
export function bindStore(store: SessionStore, workspaceId: string | null): SessionStore {
  return new BoundStore(store, workspaceId === null ? null : checkId(workspaceId, 'workspaceId'))
}

/** The workspace that a store is bound to; undefined for a store that is not bound. */
export function boundWorkspaceOf(store: SessionStore): Scope {
  return store instanceof BoundStore ? store.workspaceId : undefined
}

class BoundStore implements SessionStore {
  readonly #store: SessionStore
  readonly workspaceId: string | null

  constructor(store: SessionStore, workspaceId: string | null) {
    this.#store = store
    this.workspaceId = workspaceId
  }

  get capabilities(): Capabilities {
    return this.#store.capabilities
  }

  async saveSession(session: SessionInput, options: WriteOptions = {}): Promise<number> {
    const [record, scoped] = withOutcome(
      'not-stored',
      () => [this.#scoped(session, 'session', 'INVALID_RECORD'), this.#scoped(options)] as const,
    )
    return this.#store.saveSession(record, scoped)
  }

  async loadSession(sessionId: string, options: ReadOptions = {}): Promise<SessionRecord | null> {
    return this.#store.loadSession(sessionId, this.#scoped(options))
  }

  async listSessions(options: ReadOptions = {}): Promise<string[]> {
    return this.#store.listSessions(this.#scoped(options))
  }

  async deleteSession(sessionId: string, options: DeleteOptions = {}): Promise<boolean> {
    return this.#store.deleteSession(
      sessionId,
      withOutcome('not-stored', () => this.#scoped(options)),
    )
  }

  async changeSession(sessionId: string, change: SessionChange, options: ChangeOptions = {}): Promise<ChangeResult> {
    const scoped = withOutcome('not-stored', () => {
      const { createIfMissing, ...others } = this.#scoped(options)
      if (createIfMissing === undefined) return others
      return { ...others, createIfMissing: this.#scoped(createIfMissing, 'options.createIfMissing') }
    })
    return this.#store.changeSession(sessionId, change, scoped)
  }

  readTurns(sessionId: string, range: TurnRange, options?: ReadOptions & { parts?: 'all' }): Promise<TurnPage | null>
  readTurns(sessionId: string, range: TurnRange, options: ReadOptions & { parts: 'none' }): Promise<TurnHeadPage | null>
  async readTurns(
    sessionId: string,
    range: TurnRange,
    options: ReadOptions & { parts?: 'all' | 'none' } = {},
  ): Promise<TurnPage | TurnHeadPage | null> {
    const { parts, ...scoped } = this.#scoped(options)
    if (parts === 'none') return this.#store.readTurns(sessionId, range, { ...scoped, parts })
    return this.#store.readTurns(sessionId, range, parts === undefined ? scoped : { ...scoped, parts })
  }

  async readParts<List extends PartList>(
    sessionId: string,
    turnId: string,
    range: PartRange<List>,
    options: ReadOptions = {},
  ): Promise<PartPage<List> | null> {
    return this.#store.readParts(sessionId, turnId, range, this.#scoped(options))
  }

  async loadSummary(sessionId: string, options: ReadOptions = {}): Promise<SessionSummary | null> {
    return this.#store.loadSummary(sessionId, this.#scoped(options))
  }

  async querySessions(query: SessionQuery = {}): Promise<SessionPage> {
    return this.#store.querySessions(this.#scoped(query, 'query'))
  }

  async searchSessions(query: SearchQuery): Promise<SearchPage> {
    return this.#store.searchSessions(this.#scoped(query, 'query'))
  }

  watchSession(sessionId: string, options: WatchOptions = {}): AsyncIterable<WatchedSession> {
    return later(attempt(() => this.#store.watchSession(sessionId, this.#scoped(options))))
  }

  sessions(query: SessionQuery = {}): AsyncIterable<SessionSummary> {
    return later(attempt(() => this.#store.sessions(this.#scoped(query, 'query'))))
  }

  ready(): Promise<void> {
    return this.#store.ready()
  }

  async close(): Promise<void> {}

  async [Symbol.asyncDispose](): Promise<void> {}

  /**
   * Spread, an object would lose members that it inherits, so only a plain one is taken.
   * @throws `INVALID_ARGUMENT`; for another object, the code
   */
  #scoped<Given extends ScopeOptions>(
    given: Given,
    what = 'options',
    code: ErrorCode = 'INVALID_ARGUMENT',
  ): Given & { workspaceId: string | null } {
    if (typeof given !== 'object' || given === null || !isPlain(given)) {
      throw new TurnstoreError(code, `${what} must be a plain object`)
    }
    if (Object.hasOwn(given, 'workspaceId')) {
      const { workspaceId } = given
      if (workspaceId !== null && workspaceId !== this.workspaceId) {
        throw new TurnstoreError('INVALID_ARGUMENT', `${what}.workspaceId is not the workspace of this store`)
      }
    }
    return { ...given, workspaceId: this.workspaceId }
  }
}
