import { type ChangeResult, type CheckedChange, readChange, type SessionChange } from '../changes/change.js'
import { type ChangeCondition, type ChangeOptions, readChangeOptions } from '../changes/change-options.js'
import { currentTime } from '../basics/runtime.js'
import { TurnstoreError } from '../basics/errors.js'
import { checkId } from '../basics/ids.js'
import { iterateSessions } from './iterate-sessions.js'
import { attempt, later, Lifecycle, type Operation } from './lifecycle.js'
import { type Limits, readLimits } from '../records/limits.js'
import type { PartList, SessionInput, SessionRecord, SessionSummary } from '../records/models.js'
import { checkMembers, readObject } from '../basics/arguments.js'
import {
  type Condition,
  type DeleteOptions,
  type Deletion,
  inScope,
  readCondition,
  readDeletion,
  readReading,
  type ReadOptions,
  type Scope,
  type WriteOptions,
} from '../basics/scope.js'
import type { SessionPage } from '../queries/page.js'
import { MAX_LIMIT, type CheckedQuery, readQuery, type SessionQuery } from '../queries/query.js'
import { readSessionInput } from '../records/record-input.js'
import type { Capabilities, SessionStore } from './session-store.js'
import {
  type CheckedPartRange,
  pageOfParts,
  type PartPage,
  type PartRange,
  readPartRange,
} from '../queries/part-range.js'
import {
  type CheckedTurnRange,
  headOf,
  readTurnRange,
  type TurnHeadPage,
  type TurnPage,
  type TurnRange,
} from '../queries/turn-range.js'
import { readSearch, type SearchPage, type SearchQuery } from '../search/search-query.js'
import { type ScannedTurns, scannedOf, type SearchedStore, searchSessions } from '../search/search-sessions.js'
import type { Terms } from '../search/terms.js'
import { type Glimpse, readWatch, stateOf, type WatchedSession, type WatchOptions } from '../watch/watch-options.js'
import { Watches } from '../watch/watches.js'
import { observeStore, type StoreOperation } from './observe-store.js'
import { wholeNumber } from '../basics/arguments.js'

/** The options of every store. */
export interface StoreOptions {
  /** Limits that differ from `defaultLimits`. */
  limits?: Partial<Limits>
  /** How long a write retries while other writers change the session, in milliseconds; default 10,000. Then it fails with `STORE_BUSY`. */
  timeoutMs?: number
  /**
   * Called after each call of the store, with what it took and how it ended, for logs, metrics and traces. It never gets
   * ids or anything that is stored. What it throws is ignored.
   */
  onOperation?: (operation: StoreOperation) => void
}

/** Turns that a search reads at a time, and the most parts with which it reads them whole. */
const SCANNED = 64
const SCANNED_PARTS = 256

/**
 * The public methods of every store. They check the arguments and the state of the store, then call the
 * hooks, whose names start with `_`. A hook receives valid, complete arguments and owns them. The caller
 * owns what a hook returns.
 *
 * Extend this class if the backend can run each hook as one atomic operation. Otherwise extend
 * `DocumentSessionStore`, which needs only four hooks.
 *
 * A hook may throw a `TurnstoreError` with a suitable code. Any other error becomes `STORE_UNAVAILABLE`
 * without its message, which might quote stored data. A hook must settle within a bounded time.
 */
export abstract class AbstractSessionStore implements SessionStore {
  abstract readonly capabilities: Capabilities
  protected readonly limits: Limits
  protected readonly timeoutMs: number
  readonly #watches = new Watches({
    isShared: () => this.capabilities.sharing !== 'process',
    glance: sessionIds => this._perform('read', () => ({ run: () => this._glance(sessionIds) })),
    load: (sessionId, scope) =>
      this._perform('read', () => ({ sessionId, run: () => this._glimpse(sessionId, scope) })),
  })
  readonly #lifecycle: Lifecycle = new Lifecycle(
    () => this._ready(),
    () => this._close(),
  )

  /** @throws `INVALID_ARGUMENT` */
  constructor(options: StoreOptions = {}) {
    this.limits = readLimits(options.limits)
    this.timeoutMs = options.timeoutMs === undefined ? 10_000 : wholeNumber(options.timeoutMs, 'options.timeoutMs', 1)
    const { onOperation } = options
    if (onOperation === undefined) return
    if (typeof onOperation !== 'function') {
      throw new TurnstoreError('INVALID_ARGUMENT', 'options.onOperation must be a function')
    }
    observeStore(this, onOperation)
  }

  // ---- The hooks. They treat a session outside the scope as missing.

  /** @throws `CORRUPT_SESSION` if the data cannot be read; the same applies to every hook that reads */
  protected abstract _loadSession(sessionId: string, scope: Scope): Promise<SessionRecord | null>

  /**
   * Creates or replaces a whole session and returns its new revision. Ignores `session.revision`.
   * @throws `CORRUPT_SESSION` if the session to replace is damaged
   */
  protected abstract _saveSession(session: SessionRecord, condition: Condition): Promise<number>

  protected abstract _changeSession(
    sessionId: string,
    change: CheckedChange,
    condition: ChangeCondition,
  ): Promise<ChangeResult>

  /**
   * Deletes a session. Resolves to false if it did not exist.
   * @throws `CORRUPT_SESSION` for a damaged session, unless `evenIfDamaged`
   */
  protected abstract _deleteSession(sessionId: string, deletion: Deletion): Promise<boolean>

  protected abstract _readTurns(sessionId: string, range: CheckedTurnRange, scope: Scope): Promise<TurnPage | null>

  /** The same without parts. The default reads them and leaves them out; override it if the backend need not. */
  protected async _readTurnHeads(
    sessionId: string,
    range: CheckedTurnRange,
    scope: Scope,
  ): Promise<TurnHeadPage | null> {
    const page = await this._readTurns(sessionId, range, scope)
    return page === null ? null : { ...page, turns: page.turns.map(headOf) }
  }

  /** A range of the parts of the last turn with this id. The default reads the whole turn. */
  protected async _readParts<List extends PartList>(
    sessionId: string,
    turnId: string,
    range: CheckedPartRange<List>,
    scope: Scope,
  ): Promise<PartPage<List> | null> {
    const page = await this._readTurns(sessionId, { kind: 'turnId', turnId }, scope)
    const turn = page?.turns[0]
    return page === null || turn === undefined ? null : pageOfParts(turn, range, page.revision)
  }

  protected abstract _loadSummary(sessionId: string, scope: Scope): Promise<SessionSummary | null>

  protected abstract _querySessions(query: CheckedQuery): Promise<SessionPage>

  /**
   * Turns from an index on, for a search. It may leave out those that cannot match: `mayMatch` tells so from the JSON of a
   * whole turn. The default reads 64 turns at a time, without their parts if these are many.
   */
  protected async _scanTurns(
    sessionId: string,
    from: number,
    _terms: Terms,
    scope: Scope,
  ): Promise<ScannedTurns | null> {
    const range = { kind: 'from', from, limit: SCANNED } as const
    const heads = await this._readTurnHeads(sessionId, range, scope)
    if (heads === null) return null
    const parts = heads.turns.reduce((sum, { partCounts }) => sum + partCounts.toolCalls + partCounts.items, 0)
    const page = parts === 0 || parts > SCANNED_PARTS ? heads : await this._readTurns(sessionId, range, scope)
    return page === null ? null : scannedOf(page)
  }

  /** A session for a watch. Override it if the backend can tell a session from an earlier one with its id. */
  protected async _glimpse(sessionId: string, scope: Scope): Promise<Glimpse | null> {
    const summary = await this._loadSummary(sessionId, scope)
    return summary === null ? null : { summary, life: summary.createdAt }
  }

  /**
   * One cheap look at sessions that are watched: for each that exists, a text that changes with it. Null if nothing has
   * changed since the last look. Called once a second while there are watches. The default reads each session's summary.
   */
  protected async _glance(sessionIds: readonly string[]): Promise<ReadonlyMap<string, string> | null> {
    const seen = new Map<string, string>()
    for (const sessionId of sessionIds) {
      // A damaged session keeps no other waiting. Its watch finds the damage.
      const glimpse = await this._glimpse(sessionId, undefined).catch(() => 'damaged' as const)
      if (glimpse !== null) seen.set(sessionId, glimpse === 'damaged' ? glimpse : stateOf(glimpse).token)
    }
    return seen
  }

  /** The ids of all sessions in the scope, in any order. */
  protected abstract _listSessions(scope: Scope): Promise<string[]>

  /** Connects, and reads the settings that determine the capabilities. Called once, and again after a failure. */
  protected async _ready(): Promise<void> {}

  /** Releases all resources. Called once, when no other call is pending. */
  protected async _close(): Promise<void> {}

  /**
   * Runs an adapter's own public method like the built-in ones: it opens the store, `close` waits for it,
   * and its errors are safe to print.
   */
  protected _perform<T>(kind: 'read' | 'write', prepare: () => Operation<T>): Promise<T> {
    return this.#lifecycle.perform(kind, prepare)
  }

  // ---- The public methods.

  saveSession(session: SessionInput, options?: WriteOptions): Promise<number> {
    return this._perform('write', () => {
      const record = readSessionInput(session, this.limits)
      const condition = readCondition(options)
      if (!inScope(record, condition.scope)) {
        throw new TurnstoreError('INVALID_ARGUMENT', 'options.workspaceId must equal the workspaceId of the session')
      }
      return {
        sessionId: record.sessionId,
        run: () => this.#noting(record.sessionId, this._saveSession(record, condition)),
      }
    })
  }

  loadSession(sessionId: string, options?: ReadOptions): Promise<SessionRecord | null> {
    return this._perform('read', () => {
      checkId(sessionId, 'sessionId')
      const { scope, signal } = readReading(options)
      return { sessionId, signal, run: () => this._loadSession(sessionId, scope) }
    })
  }

  listSessions(options?: ReadOptions): Promise<string[]> {
    return this._perform('read', () => {
      const { scope, signal } = readReading(options)
      return { signal, run: () => this._listSessions(scope) }
    })
  }

  deleteSession(sessionId: string, options?: DeleteOptions): Promise<boolean> {
    return this._perform('write', () => {
      checkId(sessionId, 'sessionId')
      const deletion = readDeletion(options)
      return { sessionId, run: () => this.#noting(sessionId, this._deleteSession(sessionId, deletion)) }
    })
  }

  changeSession(sessionId: string, change: SessionChange, options?: ChangeOptions): Promise<ChangeResult> {
    return this._perform('write', () => {
      checkId(sessionId, 'sessionId')
      const checked = readChange(change, this.limits, currentTime)
      const condition = readChangeOptions(options, change, this.limits)
      return { sessionId, run: () => this.#noting(sessionId, this._changeSession(sessionId, checked, condition)) }
    })
  }

  readTurns(sessionId: string, range: TurnRange, options?: ReadOptions & { parts?: 'all' }): Promise<TurnPage | null>
  readTurns(sessionId: string, range: TurnRange, options: ReadOptions & { parts: 'none' }): Promise<TurnHeadPage | null>
  readTurns(
    sessionId: string,
    range: TurnRange,
    options?: ReadOptions & { parts?: 'all' | 'none' },
  ): Promise<TurnPage | TurnHeadPage | null> {
    return this._perform('read', (): Operation<TurnPage | TurnHeadPage | null> => {
      checkId(sessionId, 'sessionId')
      const checked = readTurnRange(range)
      const { parts = 'all', ...others } =
        options === undefined ? {} : readObject(options, 'options', ['workspaceId', 'parts', 'signal'])
      const { scope, signal } = readReading(options === undefined ? undefined : others)
      if (parts !== 'all' && parts !== 'none') {
        throw new TurnstoreError('INVALID_ARGUMENT', "options.parts must be 'all' or 'none'")
      }
      const run = (): Promise<TurnPage | TurnHeadPage | null> =>
        parts === 'all' ? this._readTurns(sessionId, checked, scope) : this._readTurnHeads(sessionId, checked, scope)
      return { sessionId, signal, run }
    })
  }

  readParts<List extends PartList>(
    sessionId: string,
    turnId: string,
    range: PartRange<List>,
    options?: ReadOptions,
  ): Promise<PartPage<List> | null> {
    return this._perform('read', () => {
      checkId(sessionId, 'sessionId')
      if (typeof turnId !== 'string') throw new TurnstoreError('INVALID_ARGUMENT', 'turnId must be a string')
      const checked = readPartRange(range)
      const { scope, signal } = readReading(options)
      return { sessionId, signal, run: () => this._readParts(sessionId, turnId, checked, scope) }
    })
  }

  loadSummary(sessionId: string, options?: ReadOptions): Promise<SessionSummary | null> {
    return this._perform('read', () => {
      checkId(sessionId, 'sessionId')
      const { scope, signal } = readReading(options)
      return { sessionId, signal, run: () => this._loadSummary(sessionId, scope) }
    })
  }

  querySessions(query?: SessionQuery): Promise<SessionPage> {
    return this._perform('read', () => {
      const normal = readQuery(query)
      return { signal: query?.signal, run: () => this._querySessions(normal) }
    })
  }

  watchSession(sessionId: string, options?: WatchOptions): AsyncIterable<WatchedSession> {
    const checked = attempt(() => {
      checkId(sessionId, 'sessionId')
      return readWatch(options)
    })
    return later(() => this.#watches.watch(sessionId, checked()))
  }

  sessions(query: SessionQuery = {}): AsyncIterable<SessionSummary> {
    return this.#iterate(attempt(() => copyQuery(query)))
  }

  async *#iterate(checked: () => SessionQuery): AsyncIterable<SessionSummary> {
    yield* iterateSessions(this, checked())
  }

  searchSessions(query: SearchQuery): Promise<SearchPage> {
    return this._perform('read', () => {
      const search = readSearch(query)
      const { scope } = search.sessions
      const store: SearchedStore = {
        querySessions: sessions => this._querySessions(sessions),
        loadSummary: sessionId => this._loadSummary(sessionId, scope),
        scanTurns: (sessionId, from, terms) => this._scanTurns(sessionId, from, terms, scope),
        readCalls: async (sessionId, turnId, from, limit) => {
          const range = { list: 'toolCalls', kind: 'from', from, limit } as const
          return (await this._readParts(sessionId, turnId, range, scope))?.parts ?? []
        },
      }
      return { signal: query.signal, run: () => searchSessions(store, search, query.signal) }
    })
  }

  ready(): Promise<void> {
    return this._perform('read', () => ({ run: async () => {} }))
  }

  close(): Promise<void> {
    const closed = this.#lifecycle.close()
    this.#watches.wakeAll()
    return closed
  }

  /** Tells the watches of a session when a write has ended, whatever became of it. */
  #noting<T>(sessionId: string, write: Promise<T>): Promise<T> {
    if (this.#watches.isEmpty) return write
    const note = (): void => this.#watches.notify(sessionId)
    write.then(note, note)
    return write
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

/** Copies the query, because the caller may modify it during the iteration. @throws `INVALID_ARGUMENT`, `INVALID_ID` */
function copyQuery(query: SessionQuery): SessionQuery {
  readQuery(query)
  return { limit: MAX_LIMIT, ...query, ...(query.metadata && { metadata: { ...query.metadata } }) }
}

/**
 * Refuses unknown options. Otherwise a misspelt one would be silently ignored.
 * @param own the names of the adapter's own options
 * @throws `INVALID_ARGUMENT`
 */
export function checkStoreOptions(options: object, own: readonly string[] = []): void {
  checkMembers(options, 'options', ['limits', 'timeoutMs', 'onOperation', ...own])
}
