import {
  type Capabilities,
  type ChangeResult,
  type SessionPage,
  type SessionRecord,
  type SessionSummary,
  type PartList,
  type PartPage,
  type TurnHeadPage,
  type TurnPage,
  TurnstoreError,
} from '@turnstore/core'
import {
  type ChangeCondition,
  type Condition,
  type Deletion,
  type Glimpse,
  AbstractSessionStore,
  type CheckedChange,
  type CheckedPartRange,
  type CheckedQuery,
  type CheckedTurnRange,
  quote,
  type Scope,
  type StoreOptions,
  withOutcome,
} from '@turnstore/core/adapter'
import { Keyspace, SHARDS } from './format/keyspace.js'
import { FORMAT } from './format/session-head.js'
import { IndexSync } from './listing/index-sync.js'
import { IndexWriter } from './listing/index-writer.js'
import { SessionListing } from './listing/session-listing.js'
import { checkConnection } from './server/connection-check.js'
import { createClient } from './server/create-client.js'
import { wasRefusedWith } from './server/redis-errors.js'
import { type Call, ServerConnection } from './server/server-connection.js'
import { inspectServers } from './server/server-settings.js'
import { readOptions, type RedisSessionStoreOptions, type Settings } from './server/store-options.js'
import { ChangeViewReader } from './sessions/change-view.js'
import { ChangeWriter } from './sessions/change-writer.js'
import { NativeWriter } from './sessions/native-writer.js'
import { DeleteWriter } from './sessions/delete-writer.js'
import { SaveWriter } from './sessions/save-writer.js'
import { SessionLoader } from './sessions/session-loader.js'

/** The value of the format key. */
const FORMAT_TEXT = `turnstore ${FORMAT} shards ${SHARDS}`

/**
 * Stores sessions in Redis or Valkey, on one server or a Cluster, for any number of hosts. An append is
 * one Lua script and one round trip, however long the session is.
 *
 * `capabilities.durability` depends on the settings of the server: see `docs/redis.md`.
 *
 * @example
 * const store = new RedisSessionStore({ url: 'redis://localhost:6379' })
 * const manager = new SessionManager(store)
 */
export class RedisSessionStore extends AbstractSessionStore {
  #capabilities: Capabilities = {
    durability: 'none',
    sharing: 'process',
    constantAppend: true,
    constantStep: true,
    search: 'scan',
    failover: 'may-lose-acknowledged',
  }
  readonly #settings: Settings
  readonly #keyspace: Keyspace
  readonly #connection: ServerConnection
  readonly #index: IndexWriter
  readonly #loader: SessionLoader
  readonly #changes: ChangeWriter
  readonly #saves: SaveWriter
  readonly #deletes: DeleteWriter
  readonly #listing: SessionListing
  /** Resolves when the format key is written. The first save or creation writes it. */
  #format: Promise<void> | null = null

  /** @throws `INVALID_ARGUMENT` */
  constructor(options: RedisSessionStoreOptions) {
    const settings = readOptions(options)
    super(baseOptions(options))
    this.#settings = settings
    this.#keyspace = new Keyspace(settings.keyPrefix)
    this.#connection = new ServerConnection(createClient(settings.target, this.timeoutMs), this.timeoutMs)
    this.#index = new IndexWriter(this.#connection)
    this.#loader = new SessionLoader(this.#connection, this.#keyspace)
    const views = new ChangeViewReader(this.#connection, this.#keyspace, this.#loader)
    const sync = new IndexSync(this.#connection, this.#keyspace, this.#index)
    this.#saves = new SaveWriter(this.#connection, this.#keyspace, this.#index, this.#loader, sync, settings.ttlMs)
    const own = { limits: this.limits, timeoutMs: this.timeoutMs, ttlMs: settings.ttlMs }
    const native = new NativeWriter(this.#connection, this.#keyspace, sync, own)
    this.#changes = new ChangeWriter(this.#connection, this.#keyspace, sync, views, native, this.#saves, own)
    this.#deletes = new DeleteWriter(this.#connection, this.#keyspace, this.#index, this.#loader, sync)
    this.#listing = new SessionListing(this.#connection, this.#keyspace, this.#index, this.#loader)
  }

  get capabilities(): Capabilities {
    return this.#capabilities
  }

  protected override async _ready(): Promise<void> {
    const durability = await inspectServers(this.#connection, this.#call(), this.#settings)
    await checkConnection(this.#connection, this.#settings.target, this.#call())
    await this.#checkFormat(false)
    this.#connection.spreadsKeys = await this.#isSpread()
    this.#capabilities = { ...this.#capabilities, durability, sharing: 'network' }
  }

  protected override async _close(): Promise<void> {
    await this.#index.flush()
    this.#connection.close()
  }

  protected _loadSession(sessionId: string, scope: Scope): Promise<SessionRecord | null> {
    return this.#loader.load(sessionId, scope, this.#call(sessionId))
  }

  protected _readTurns(sessionId: string, range: CheckedTurnRange, scope: Scope): Promise<TurnPage | null> {
    return this.#loader.readTurns(sessionId, range, scope, this.#call(sessionId))
  }

  protected override _readTurnHeads(
    sessionId: string,
    range: CheckedTurnRange,
    scope: Scope,
  ): Promise<TurnHeadPage | null> {
    return this.#loader.readHeads(sessionId, range, scope, this.#call(sessionId))
  }

  protected override _readParts<List extends PartList>(
    sessionId: string,
    turnId: string,
    range: CheckedPartRange<List>,
    scope: Scope,
  ): Promise<PartPage<List> | null> {
    return this.#loader.readParts(sessionId, turnId, range, scope, this.#call(sessionId))
  }

  protected _loadSummary(sessionId: string, scope: Scope): Promise<SessionSummary | null> {
    return this.#loader.summary(sessionId, scope, this.#call(sessionId))
  }

  protected override _glimpse(sessionId: string, scope: Scope): Promise<Glimpse | null> {
    return this.#loader.glimpse(sessionId, scope, this.#call(sessionId))
  }

  protected override _glance(sessionIds: readonly string[]): Promise<ReadonlyMap<string, string>> {
    return this.#loader.glance(sessionIds, this.#call())
  }

  protected async _saveSession(session: SessionRecord, condition: Condition): Promise<number> {
    const call = this.#call(session.sessionId)
    await withOutcome('not-stored', () => this.#recordFormat())
    return this.#saves.save(session, condition, call)
  }

  protected async _changeSession(
    sessionId: string,
    change: CheckedChange,
    condition: ChangeCondition,
  ): Promise<ChangeResult> {
    // Before any other write to a keyspace.
    if (condition.creation !== undefined) await withOutcome('not-stored', () => this.#recordFormat())
    return this.#changes.change(sessionId, change, condition, this.#call(sessionId))
  }

  protected _deleteSession(sessionId: string, deletion: Deletion): Promise<boolean> {
    return this.#deletes.remove(sessionId, deletion, this.#call(sessionId))
  }

  protected _querySessions(query: CheckedQuery): Promise<SessionPage> {
    return this.#listing.page(query, this.#call())
  }

  protected _listSessions(scope: Scope): Promise<string[]> {
    return this.#listing.list(scope, () => this.#call())
  }

  /** A proxy may hide a Cluster behind one address. It then refuses commands with keys of two slots. */
  async #isSpread(): Promise<boolean> {
    if (this.#connection.client.isCluster) return true
    const keys = this.#keyspace.indexesOf('updated', null)
    try {
      await this.#connection.run(
        'index',
        keys,
        keys.flatMap(() => [0, 0]),
        this.#call(),
      )
      return false
    } catch (error) {
      if (wasRefusedWith(error, 'CROSSSLOT')) return true
      throw error
    }
  }

  #call(sessionId?: string): Call {
    return { deadline: this.#connection.deadline(), ...(sessionId !== undefined && { sessionId }) }
  }

  /** Once. Only a save or a creation can be the first write to a keyspace. */
  #recordFormat(): Promise<void> {
    this.#format ??= this.#checkFormat(true).catch((error: unknown) => {
      this.#format = null
      throw error
    })
    return this.#format
  }

  /** @throws `SCHEMA_TOO_NEW` if the keyspace has another format */
  async #checkFormat(record: boolean): Promise<void> {
    const key = this.#keyspace.format
    const call = this.#call()
    if (record) await this.#connection.send('set', [key, FORMAT_TEXT, 'NX'], call)
    const found = await this.#connection.send('get', [key], call)
    if (found === null || found === FORMAT_TEXT) return
    const what = typeof found === 'string' ? quote(found, 40) : 'not a string'
    throw new TurnstoreError(
      'SCHEMA_TOO_NEW',
      `The format of the keyspace is ${what}, and this version reads ${quote(FORMAT_TEXT)}; use a newer version of @turnstore/redis, or another keyPrefix`,
    )
  }
}

/** The options of the base class, without the members that are not there, which a caller may have set to undefined. */
function baseOptions({ limits, timeoutMs, onOperation }: RedisSessionStoreOptions): StoreOptions {
  return {
    ...(limits !== undefined && { limits }),
    ...(timeoutMs !== undefined && { timeoutMs }),
    ...(onOperation !== undefined && { onOperation }),
  }
}
