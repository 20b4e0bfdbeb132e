import {
  type Capabilities,
  type ChangeResult,
  type PartList,
  type PartPage,
  type SessionPage,
  type SessionRecord,
  type SessionSummary,
  type TurnHeadPage,
  type TurnPage,
} from '@turnstore/core'
import {
  AbstractSessionStore,
  type ChangeCondition,
  type CheckedChange,
  type CheckedPartRange,
  type CheckedQuery,
  type CheckedTurnRange,
  type Condition,
  type Deletion,
  type Glimpse,
  type ScannedTurns,
  type Scope,
  type Terms,
} from '@turnstore/core/adapter'
import { createDatabase } from './server/create-pool.js'
import type { Database } from './server/database.js'
import { readSettings } from './server/server-settings.js'
import { type PostgresSessionStoreOptions, readOptions, type Settings } from './server/store-options.js'
import { SessionListing } from './sessions/listing.js'
import { SessionReader } from './sessions/session-reader.js'
import { SessionWriter } from './sessions/session-writer.js'
import { migrate } from './tables/migrate.js'
import { statementsIn } from './tables/statements.js'

/**
 * Stores sessions in Postgres, for any number of hosts. An append is one statement and one round trip, however long the
 * session is, and so is a step. Every call is a statement of its own, so that a pooler in transaction mode fits.
 *
 * `capabilities.durability` depends on the settings of the server: see `docs/postgres.md`.
 *
 * @example
 * const store = new PostgresSessionStore({ url: 'postgres://localhost/agents' })
 * const manager = new SessionManager(store)
 */
export class PostgresSessionStore extends AbstractSessionStore {
  #capabilities: Capabilities = {
    durability: 'none',
    sharing: 'process',
    constantAppend: true,
    constantStep: true,
    search: 'scan',
    failover: 'may-lose-acknowledged',
  }
  readonly #settings: Settings
  readonly #database: Database
  readonly #reader: SessionReader
  readonly #writer: SessionWriter
  readonly #listing: SessionListing

  /** @throws `INVALID_ARGUMENT` */
  constructor(options: PostgresSessionStoreOptions) {
    const settings = readOptions(options)
    super(options)
    this.#settings = settings
    this.#database = createDatabase(settings.target, this.timeoutMs)
    const statements = statementsIn(settings.place)
    this.#reader = new SessionReader(this.#database, statements)
    this.#writer = new SessionWriter(this.#database, statements, this.#reader, this.limits, this.timeoutMs)
    this.#listing = new SessionListing(this.#database, statements)
  }

  get capabilities(): Capabilities {
    return this.#capabilities
  }

  protected override async _ready(): Promise<void> {
    const deadline = this.#database.deadline()
    const capabilities = await readSettings(this.#database, deadline)
    await migrate(this.#database, this.#settings.place, this.#settings.migrate, deadline)
    this.#capabilities = capabilities
  }

  protected override _close(): Promise<void> {
    return this.#database.close()
  }

  protected async _loadSession(sessionId: string, scope: Scope): Promise<SessionRecord | null> {
    const found = await this.#reader.whole(sessionId, scope, this.#database.deadline())
    return found === null ? null : found.session
  }

  protected _readTurns(sessionId: string, range: CheckedTurnRange, scope: Scope): Promise<TurnPage | null> {
    return this.#reader.turns(sessionId, range, scope, this.#database.deadline())
  }

  protected override _readTurnHeads(
    sessionId: string,
    range: CheckedTurnRange,
    scope: Scope,
  ): Promise<TurnHeadPage | null> {
    return this.#reader.heads(sessionId, range, scope, this.#database.deadline())
  }

  protected override _readParts<List extends PartList>(
    sessionId: string,
    turnId: string,
    range: CheckedPartRange<List>,
    scope: Scope,
  ): Promise<PartPage<List> | null> {
    return this.#reader.parts(sessionId, turnId, range, scope, this.#database.deadline())
  }

  protected async _loadSummary(sessionId: string, scope: Scope): Promise<SessionSummary | null> {
    return (await this._glimpse(sessionId, scope))?.summary ?? null
  }

  protected override _glimpse(sessionId: string, scope: Scope): Promise<Glimpse | null> {
    return this.#reader.glimpse(sessionId, scope, this.#database.deadline())
  }

  protected override _glance(sessionIds: readonly string[]): Promise<ReadonlyMap<string, string>> {
    return this.#reader.glance(sessionIds, this.#database.deadline())
  }

  protected override _scanTurns(
    sessionId: string,
    from: number,
    terms: Terms,
    scope: Scope,
  ): Promise<ScannedTurns | null> {
    return this.#reader.scan(sessionId, from, terms, scope, this.#database.deadline())
  }

  protected _saveSession(session: SessionRecord, condition: Condition): Promise<number> {
    return this.#writer.save(session, condition)
  }

  protected _changeSession(
    sessionId: string,
    change: CheckedChange,
    condition: ChangeCondition,
  ): Promise<ChangeResult> {
    return this.#writer.change(sessionId, change, condition)
  }

  protected _deleteSession(sessionId: string, deletion: Deletion): Promise<boolean> {
    return this.#writer.remove(sessionId, deletion)
  }

  protected _querySessions(query: CheckedQuery): Promise<SessionPage> {
    return this.#listing.page(query, this.#database.deadline())
  }

  protected _listSessions(scope: Scope): Promise<string[]> {
    return this.#listing.ids(scope, this.#database.deadline())
  }
}
