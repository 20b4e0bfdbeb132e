import type { ChangeResult, SessionChange } from '../changes/change.js'
import type { SessionInput, SessionRecord, SessionSummary } from '../records/models.js'
import type { DeleteOptions, ScopeOptions, WriteOptions } from '../basics/scope.js'
import type { SessionPage } from '../queries/page.js'
import type { SessionQuery } from '../queries/query.js'
import type { TurnPage, TurnRange } from '../queries/turn-range.js'

/** What a store can promise. A suite that anyone can run holds it to these. */
export interface Capabilities {
  /** What an acknowledged write survives: nothing, the end of the process by any means, or a power cut. */
  readonly durability: 'none' | 'process-crash' | 'power-loss'
  /** Who may change one session at once without losing a change: handles in one process, processes of one host, or hosts. */
  readonly sharing: 'process' | 'host' | 'network'
  /** Appending costs the same however long the session is. */
  readonly constantAppend: boolean
  /** Where a backend's failover may lose what was acknowledged. */
  readonly failover?: 'may-lose-acknowledged'
}

/**
 * Stores the sessions of agents. Every store means the same by the same call; `docs/guarantees.md`
 * words the promises.
 *
 * All methods reject with a `TurnstoreError`; recognise it by `code`. On writes its `outcome` says
 * whether the write may have happened. Codes that any method may give: `STORE_CLOSED`, `STORE_BUSY`,
 * `STORE_UNAVAILABLE`, `INVALID_ARGUMENT`, `INVALID_ID`; those that read a session: `CORRUPT_SESSION`,
 * `SCHEMA_TOO_NEW`. Everything that goes in is copied when the call is made, and what comes out
 * belongs to the caller.
 */
export interface SessionStore extends AsyncDisposable {
  /** The weakest values until the store is ready. */
  readonly capabilities: Capabilities

  /**
   * Creates a session or replaces it as a whole, and gives its new revision. The last writer wins
   * unless `ifRevision` says otherwise; to add to a session, use {@link changeSession}.
   * @throws `INVALID_RECORD`; `SESSION_EXISTS` where another workspace holds the id; `REVISION_CONFLICT`
   */
  saveSession(session: SessionInput, options?: WriteOptions): Promise<number>

  /** The whole session, or null. What it costs grows with the session: see {@link readTurns}. */
  loadSession(sessionId: string, options?: ScopeOptions): Promise<SessionRecord | null>

  /** All ids, of one workspace (null: of none) or of all, in no particular order. */
  listSessions(options?: ScopeOptions): Promise<string[]>

  /**
   * Whether there was something to delete.
   * @throws `CORRUPT_SESSION` for a session that cannot be read, unless `evenIfDamaged` says that it may go
   */
  deleteSession(sessionId: string, options?: DeleteOptions): Promise<boolean>

  /**
   * Alters a session without rewriting it, as a whole or not at all. Repeating a change that appends
   * turns applies it once.
   * @throws `INVALID_RECORD`, `SESSION_NOT_FOUND`, `TURN_NOT_FOUND`, `TURN_ID_CONFLICT`,
   *   `TRANSITION_ID_CONFLICT`, `REVISION_CONFLICT`
   */
  changeSession(sessionId: string, change: SessionChange, options?: WriteOptions): Promise<ChangeResult>

  /** A stretch of turns, or null where there is no such session. */
  readTurns(sessionId: string, range: TurnRange, options?: ScopeOptions): Promise<TurnPage | null>

  /** All of a session but its turns, or null. */
  loadSummary(sessionId: string, options?: ScopeOptions): Promise<SessionSummary | null>

  /** One page of sessions by keyset. */
  querySessions(query?: SessionQuery): Promise<SessionPage>

  /**
   * All pages, one session after the other; `limit` is the size of a page.
   * @throws `CORRUPT_SESSION` behind the last session, where there were some that cannot be read
   */
  sessions(query?: SessionQuery): AsyncIterable<SessionSummary>

  /** Resolves when the store is connected and its capabilities are final. Other calls wait for it by themselves. */
  ready(): Promise<void>

  /** Waits for the calls under way, then lets go of everything. Later calls fail with `STORE_CLOSED`. */
  close(): Promise<void>
}
