import type { ChangeResult, SessionChange } from '../changes/change.js'
import type { PartList, SessionInput, SessionRecord, SessionSummary } from '../records/models.js'
import type { DeleteOptions, ReadOptions, WriteOptions } from '../basics/scope.js'
import type { ChangeOptions } from '../changes/change-options.js'
import type { SessionPage } from '../queries/page.js'
import type { SessionQuery } from '../queries/query.js'
import type { PartPage, PartRange } from '../queries/part-range.js'
import type { SearchPage, SearchQuery } from '../search/search-query.js'
import type { WatchedSession, WatchOptions } from '../watch/watch-options.js'
import type { TurnHeadPage, TurnPage, TurnRange } from '../queries/turn-range.js'

/** What a store guarantees. `@turnstore/conformance` tests it. */
export interface Capabilities {
  /** What an acknowledged write survives: nothing, a crash of the process, or a power loss. */
  readonly durability: 'none' | 'process-crash' | 'power-loss'
  /** Who can safely change the same sessions at once: handles in one process, processes on one host, or several hosts. */
  readonly sharing: 'process' | 'host' | 'network'
  /** Whether the cost of an append is independent of the length of the session. */
  readonly constantAppend: boolean
  /** Whether recording a part of a turn costs the same, however many parts the turn has. */
  readonly constantStep: boolean
  /** How a search finds its hits: it reads the turns. */
  readonly search: 'scan'
  /** Set if a failover of the backend may lose acknowledged writes. */
  readonly failover?: 'may-lose-acknowledged'
}

/**
 * Stores the sessions of agents. All stores behave the same. `docs/guarantees.md` defines the guarantees.
 *
 * All methods reject with a `TurnstoreError`; check its `code`. Any method may fail with `STORE_CLOSED`,
 * `STORE_BUSY`, `STORE_UNAVAILABLE`, `INVALID_ARGUMENT` or `INVALID_ID`. Methods that read a session may also
 * fail with `CORRUPT_SESSION` or `SCHEMA_TOO_NEW`. If a write fails, `outcome` says whether it may have
 * happened. Arguments are copied when you make the call. You own the results.
 */
export interface SessionStore extends AsyncDisposable {
  /** Final when {@link ready} resolves. Until then, the weakest values that are possible. */
  readonly capabilities: Capabilities

  /**
   * Creates a session or replaces it completely, and returns its new revision. Without `ifRevision`, the
   * last writer wins. To add to a session, use {@link changeSession}.
   * @throws `INVALID_RECORD`; `SESSION_EXISTS` if another workspace uses the id; `REVISION_CONFLICT`
   */
  saveSession(session: SessionInput, options?: WriteOptions): Promise<number>

  /** The whole session, or null. The cost grows with the session; {@link readTurns} reads only a part. */
  loadSession(sessionId: string, options?: ReadOptions): Promise<SessionRecord | null>

  /** The ids of all sessions, or of those in one workspace (null: without a workspace), in no particular order. */
  listSessions(options?: ReadOptions): Promise<string[]>

  /**
   * Deletes a session. Resolves to false if it did not exist.
   * @throws `REVISION_CONFLICT`; `CORRUPT_SESSION` for a damaged session, unless `evenIfDamaged` is true
   */
  deleteSession(sessionId: string, options?: DeleteOptions): Promise<boolean>

  /**
   * Changes a session atomically, without rewriting it. Repeating a change that appends turns applies it
   * once, because a `turnId` is recorded once. Any other change is safe to repeat with an `idempotencyKey`.
   * @throws `INVALID_RECORD`, `TURN_NOT_FOUND`, `TURN_ID_CONFLICT`, `TRANSITION_ID_CONFLICT`,
   *   `IDEMPOTENCY_KEY_CONFLICT`, `REVISION_CONFLICT`; `SESSION_NOT_FOUND`, or with `createIfMissing`
   *   `SESSION_EXISTS` if another workspace uses the id
   */
  changeSession(sessionId: string, change: SessionChange, options?: ChangeOptions): Promise<ChangeResult>

  /** A range of turns, or null if the session does not exist. */
  readTurns(sessionId: string, range: TurnRange, options?: ReadOptions & { parts?: 'all' }): Promise<TurnPage | null>

  /** The same without their tool calls and items, which are counted instead. */
  readTurns(sessionId: string, range: TurnRange, options: ReadOptions & { parts: 'none' }): Promise<TurnHeadPage | null>

  /**
   * A range of the tool calls or of the items of a turn, or null if the session or the turn does not exist. If an old
   * record has the turn's id twice, the last one counts.
   */
  readParts<List extends PartList>(
    sessionId: string,
    turnId: string,
    range: PartRange<List>,
    options?: ReadOptions,
  ): Promise<PartPage<List> | null>

  /** The session without its turns and agent transitions, or null. */
  loadSummary(sessionId: string, options?: ReadOptions): Promise<SessionSummary | null>

  /** One page of sessions, with keyset pagination. */
  querySessions(query?: SessionQuery): Promise<SessionPage>

  /**
   * Iterates over the sessions of all pages. `limit` is the page size. Each session that was there at the beginning is
   * given once, also if it is changed meanwhile; of later ones some may be left out. The
   * iteration ends, and keeps the ids that it gave.
   * @throws `CORRUPT_SESSION`, `SCHEMA_TOO_NEW` after the last session, if some sessions are damaged
   */
  sessions(query?: SessionQuery): AsyncIterable<SessionSummary>

  /**
   * One page of the turns that have certain words, the latest sessions first. Within a session they are in order. A page
   * takes bounded time, so it may be short or even empty: only `cursor: null` marks the end. A session that is changed
   * between two pages appears once at most.
   */
  searchSessions(query: SearchQuery): Promise<SearchPage>

  /**
   * Watches a session: gives its state if it is not the one of `since`, and again after each change, by any process that
   * `capabilities.sharing` names. Several changes may come as one, and the last is never missed. A session that is
   * deleted, or was never there, gives `{ deleted: true }`, and the watch ends. Changes by this handle come at once, those
   * of others within about a second.
   */
  watchSession(sessionId: string, options?: WatchOptions): AsyncIterable<WatchedSession>

  /** Resolves when the store is connected and its capabilities are final. Other calls wait for this automatically. */
  ready(): Promise<void>

  /** Waits for pending calls, then releases all resources. Later calls fail with `STORE_CLOSED`. */
  close(): Promise<void>
}
