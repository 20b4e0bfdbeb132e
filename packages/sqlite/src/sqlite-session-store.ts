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
  type TurnRecord,
  isTurnstoreError,
  TurnstoreError,
} from '@turnstore/core'
import {
  type StoreOptions,
  checkStoreOptions,
  type Condition,
  type Deletion,
  type Glimpse,
  AbstractSessionStore,
  type CheckedChange,
  type CheckedQuery,
  type CheckedPartRange,
  type CheckedTurnRange,
  ofSession,
  type ChangeCondition,
  outOfReach,
  planChange,
  planCreation,
  resultOf,
  type ScannedTurns,
  type Scope,
  type Terms,
} from '@turnstore/core/adapter'
import {
  parseHeads,
  parseParts,
  parseScanned,
  parseTurns,
  rowsOfTurn,
  type TurnRows,
} from '@turnstore/core/adapter/sql'
import { Connection } from './database/connection.js'
import { isDatabase, type SqliteDatabase } from './database/driver.js'
import { databasePath, type OpenDatabase, openDatabase } from './database/open-database.js'
import { applySettings, checkSqliteVersion } from './database/pragmas.js'
import { checkShared } from './database/shared-handle.js'
import { whileBusy } from './database/while-busy.js'
import { backUp } from './maintenance/backup.js'
import { checkIntegrity } from './maintenance/check-integrity.js'
import type { IntegrityReport } from './maintenance/integrity.js'
import { deleteDamaged, deleteSession } from './sessions/delete-session.js'
import { LastSession } from './sessions/last-session-cache.js'
import { listIds, readPage } from './sessions/listing-pages.js'
import { checkRemembered } from './sessions/remembered-rows.js'
import { createSession, saveSession } from './sessions/save-session.js'
import {
  findDamaged,
  hasRow,
  type Head,
  readCountedHead,
  readGlimpse,
  readHead,
  readRawHeads,
  readRawTurns,
  readSummary,
  readWholeSession,
} from './sessions/session-rows.js'
import { SqliteSessionView } from './sessions/session-view.js'
import { readRawParts } from './sessions/stored-turn.js'
import { readIfSmall } from './sessions/whole-session.js'
import { UNREAD, type Write, WriteQueue } from './sessions/write-queue.js'
import { eraseDeleted, isWorthErasing } from './tables/deletions.js'
import { refuseNewer, upgrade } from './tables/schema-version.js'
import { sql } from './tables/statements.js'

/** Turns that a search reads at a time. */
const SCANNED = 64

export interface SqliteSessionStoreOptions extends StoreOptions {
  /**
   * What an acknowledged write survives. `power-loss`, the default, syncs each commit to the disk. `process-crash`
   * leaves that to the operating system, which is several times faster: a power cut may lose the writes since the last
   * checkpoint, some megabytes at most, but never the database.
   */
  durability?: 'power-loss' | 'process-crash'
  /**
   * Opens the database at a path with another build of better-sqlite3, for example one that encrypts. It returns a new
   * handle, which the store sets up and closes.
   *
   * @example
   * import Database from 'better-sqlite3-multiple-ciphers'
   *
   * const open = path => {
   *   const database = new Database(path)
   *   database.key(secret)
   *   return database
   * }
   * const store = new SqliteSessionStore('./sessions.db', { open })
   */
  open?: OpenDatabase
}

interface Open {
  readonly connection: Connection
  readonly writes: WriteQueue
  readonly last: LastSession
}

/**
 * Stores sessions in one SQLite database, which any number of processes on one machine can share. An append is a few
 * indexed reads and writes, however long the session is and however many there are. Appends that wait at the same time
 * share a commit.
 *
 * @example
 * const store = new SqliteSessionStore('./sessions.db')
 * const manager = new SessionManager(store)
 */
export class SqliteSessionStore extends AbstractSessionStore {
  readonly #source: string | SqliteDatabase
  readonly #synchronous: 'FULL' | 'NORMAL'
  readonly #openDatabase: OpenDatabase | undefined
  #capabilities: Capabilities = {
    durability: 'none',
    sharing: 'process',
    constantAppend: true,
    constantStep: true,
    search: 'scan',
  }
  #open: Open | null = null
  /** The version of the database that the watches have seen. */
  #seenVersion: unknown

  /**
   * @param source the path of the database, which the first call creates if needed; `:memory:`; or your own `Database`
   *   of better-sqlite3, which the store uses as it is and never closes
   * @throws `INVALID_ARGUMENT`
   */
  constructor(source: string | SqliteDatabase, options: SqliteSessionStoreOptions = {}) {
    checkStoreOptions(options, ['durability', 'open'])
    super(options)
    const { durability = 'power-loss', open } = options
    if (durability !== 'power-loss' && durability !== 'process-crash') {
      throw new TurnstoreError('INVALID_ARGUMENT', 'options.durability must be power-loss or process-crash')
    }
    if (open !== undefined && (typeof open !== 'function' || typeof source !== 'string')) {
      throw new TurnstoreError('INVALID_ARGUMENT', 'options.open must be a function, for the path of a database')
    }
    if (typeof source !== 'string' && !isDatabase(source)) {
      throw new TurnstoreError(
        'INVALID_ARGUMENT',
        'SqliteSessionStore takes the path of a database, or a Database of better-sqlite3',
      )
    }
    this.#source = typeof source === 'string' ? databasePath(source) : source
    this.#openDatabase = open
    this.#synchronous = durability === 'power-loss' ? 'FULL' : 'NORMAL'
  }

  get capabilities(): Capabilities {
    return this.#capabilities
  }

  protected override async _ready(): Promise<void> {
    const isShared = typeof this.#source !== 'string'
    const path = typeof this.#source === 'string' ? this.#source : this.#source.name
    const database =
      typeof this.#source === 'string'
        ? await whileBusy(() => openDatabase(path, this.#openDatabase), this.timeoutMs, path)
        : this.#source
    const connection = new Connection(database, isShared)
    try {
      const isAlone = await whileBusy(
        () => {
          connection.checkFree()
          connection.watchFiles()
          checkSqliteVersion(database)
          refuseNewer(connection)
          if (isShared) checkShared(connection, { synchronous: this.#synchronous, timeoutMs: this.timeoutMs })
          if (!isShared) applySettings(database, this.#synchronous)
          upgrade(connection)
          return isShared && connection.isExclusive
        },
        this.timeoutMs,
        path,
      )
      this.#capabilities = {
        durability: database.memory ? 'none' : this.#synchronous === 'FULL' ? 'power-loss' : 'process-crash',
        sharing: database.memory || isAlone ? 'process' : 'host',
        constantAppend: true,
        constantStep: true,
        search: 'scan',
      }
    } catch (error) {
      connection.close()
      throw error
    }
    // With syncs, waiting one tick for writes that share the commit is worth it.
    const mayHurry = this.#synchronous === 'NORMAL'
    const last = new LastSession(connection)
    connection.useCache(last)
    this.#open = { connection, writes: new WriteQueue(connection, last, this.timeoutMs, mayHurry), last }
  }

  protected override async _close(): Promise<void> {
    const connection = this.#open?.connection
    if (connection === undefined) return
    try {
      if (!connection.isShared && isWorthErasing(connection)) eraseDeleted(connection)
    } catch {
      // Somebody else writes, or the disk is full. The next to close the database erases it.
    }
    connection.close()
  }

  /**
   * Copies the whole database to a new file, in a thread, while all processes keep reading and writing. The copy is of
   * one moment during the call, and is on the disk when this resolves.
   *
   * @throws `INVALID_ARGUMENT` if the file exists; `STORE_UNAVAILABLE`
   *
   * @example
   * await store.backup(`./backups/${new Date().toISOString().slice(0, 10)}.db`)
   */
  backup(path: string, ...others: never[]): Promise<void> {
    return this._perform('read', () => {
      refuseOthers('backup', others, 'the path of a new file and nothing else')
      if (typeof path !== 'string' || path === ':memory:') {
        throw new TurnstoreError('INVALID_ARGUMENT', 'backup takes the path of a new file')
      }
      const target = databasePath(path)
      return { run: () => backUp(this.#opened().connection, target, this.timeoutMs) }
    })
  }

  /**
   * Rewrites the database, so that deleted text is in none of its bytes: SQLite leaves it in the free space of its pages.
   * `close()` does the same after a deletion, for databases of up to 64 MiB. Needs as much free space as the database
   * has, and blocks the process and all writers meanwhile.
   *
   * Until the last process has closed the database, its WAL may have the text.
   * @throws `STORE_BUSY`, `STORE_UNAVAILABLE`
   */
  eraseDeleted(...others: never[]): Promise<void> {
    return this._perform('write', () => {
      refuseOthers('eraseDeleted', others, 'no arguments')
      const { connection } = this.#opened()
      return { run: () => whileBusy(() => eraseDeleted(connection), this.timeoutMs, connection.path) }
    })
  }

  /**
   * Reads the whole database, in a thread, and reports all damage in the structure of the file and in each session.
   * Changes nothing.
   */
  checkIntegrity(...others: never[]): Promise<IntegrityReport> {
    return this._perform('read', () => {
      refuseOthers('checkIntegrity', others, 'no arguments')
      return { run: () => checkIntegrity(this.#opened().connection, this.timeoutMs) }
    })
  }

  // ---- Reading. Each call is one transaction and returns one moment.

  protected async _loadSession(sessionId: string, scope: Scope): Promise<SessionRecord | null> {
    const raw = await this.#read(connection => readWholeSession(connection, sessionId, scope))
    return raw === null ? null : { ...raw.head, turns: await parseTurns(sessionId, raw.turns) }
  }

  protected async _readTurns(sessionId: string, range: CheckedTurnRange, scope: Scope): Promise<TurnPage | null> {
    const raw = await this.#read(connection => {
      const head = this.#countedHead(sessionId, scope)
      return head && readRawTurns(connection, head, range)
    })
    if (raw === null) return null
    const turns = await parseTurns(sessionId, raw.turns, range.kind === 'turnId' ? range.turnId : undefined)
    return { ...raw, turns }
  }

  protected override async _readTurnHeads(
    sessionId: string,
    range: CheckedTurnRange,
    scope: Scope,
  ): Promise<TurnHeadPage | null> {
    const raw = await this.#read(connection => {
      const head = this.#countedHead(sessionId, scope)
      return head && readRawHeads(connection, head, range)
    })
    if (raw === null) return null
    const turnId = range.kind === 'turnId' ? range.turnId : undefined
    return { ...raw, turns: await parseHeads(sessionId, raw.turns, turnId) }
  }

  protected override async _readParts<List extends PartList>(
    sessionId: string,
    turnId: string,
    range: CheckedPartRange<List>,
    scope: Scope,
  ): Promise<PartPage<List> | null> {
    const raw = await this.#read(connection => {
      const head = this.#countedHead(sessionId, scope)
      return head && ofSession(sessionId, () => readRawParts(connection, head, turnId, range))
    })
    if (raw === null || raw.rows.length === 0) return raw && raw.page
    return { ...raw.page, parts: await parseParts(sessionId, range.list, raw.rows) }
  }

  protected override async _scanTurns(
    sessionId: string,
    from: number,
    terms: Terms,
    scope: Scope,
  ): Promise<ScannedTurns | null> {
    const raw = await this.#read(connection => {
      const head = this.#countedHead(sessionId, scope)
      return head && readRawHeads(connection, head, { kind: 'from', from, limit: SCANNED })
    })
    if (raw === null) return null
    const end = from + raw.turns.length
    return { ...(await parseScanned(sessionId, raw.turns, terms)), next: end < raw.turnCount ? end : null }
  }

  protected _loadSummary(sessionId: string, scope: Scope): Promise<SessionSummary | null> {
    return this.#read(connection => readSummary(connection, sessionId, scope))
  }

  protected override _glimpse(sessionId: string, scope: Scope): Promise<Glimpse | null> {
    return this.#read(connection => readGlimpse(connection, sessionId, scope))
  }

  protected override _glance(sessionIds: readonly string[]): Promise<ReadonlyMap<string, string> | null> {
    return this.#read(connection => {
      // Changes when another connection has committed. The watches know what this one does.
      const version = connection.value('PRAGMA data_version')
      if (version === this.#seenVersion) return null
      this.#seenVersion = version
      return new Map(
        sessionIds.flatMap((id): [string, string][] => {
          const row = connection.get(sql.head, id)
          return row === undefined ? [] : [[id, `${String(row.id)}-${String(row.revision)}`]]
        }),
      )
    })
  }

  protected _listSessions(scope: Scope): Promise<string[]> {
    return this.#read(connection => listIds(connection, scope))
  }

  protected _querySessions(query: CheckedQuery): Promise<SessionPage> {
    const { connection } = this.#opened()
    return readPage(connection, work => this.#read(work), query, this.timeoutMs)
  }

  #read<T>(work: (connection: Connection) => T): Promise<T> {
    const { connection } = this.#opened()
    return whileBusy(() => connection.read(() => work(connection)), this.timeoutMs, connection.path)
  }

  // ---- Writing. Turns are encoded before the transaction, so that others do not wait for it.

  protected _changeSession(
    sessionId: string,
    change: CheckedChange,
    condition: ChangeCondition,
  ): Promise<ChangeResult> {
    const { connection } = this.#opened()
    const { scope, creation } = condition
    const rowsOf = rowsBefore(change.appendTurns)
    return this.#writeRead(sessionId, scope, isRead => {
      const head = this.#countedHead(sessionId, scope)
      if (head === null) {
        if (creation === undefined || hasRow(connection, sessionId)) {
          throw outOfReach(sessionId, condition, creation !== undefined)
        }
        return createSession(connection, planCreation(sessionId, creation, change, condition, this.limits), rowsOf)
      }
      const session = new SqliteSessionView(connection, head)
      const plan = ofSession(sessionId, () => planChange(session, change, condition, this.limits))
      const answer = resultOf(plan)
      if (!plan.changed && plan.remember === undefined) return { answer }
      if (plan.keepTurns !== undefined && !isRead && !readIfSmall(connection, head)) return UNREAD
      return { answer, apply: () => session.apply(plan, rowsOf) }
    })
  }

  protected _saveSession(session: SessionRecord, condition: Condition): Promise<number> {
    const { connection } = this.#opened()
    const rowsOf = rowsBefore(session.turns)
    return this.#writeRead(session.sessionId, session.workspaceId, isRead =>
      saveSession(connection, session, rowsOf, condition, isRead),
    )
  }

  protected _deleteSession(sessionId: string, deletion: Deletion): Promise<boolean> {
    const { scope, evenIfDamaged } = deletion
    const { connection, writes } = this.#opened()
    if (!evenIfDamaged) {
      return this.#writeRead(sessionId, scope, isRead => deleteSession(connection, sessionId, deletion, isRead))
    }
    let isDamaged = false
    const write: Write<boolean> = isRead => {
      if (isDamaged) return deleteDamaged(connection, sessionId, scope)
      if (isRead) return deleteSession(connection, sessionId, deletion, true)
      return findDamaged(connection, sessionId, scope) === null ? { answer: false } : UNREAD
    }
    const read = async (): Promise<void> => {
      isDamaged = await this.#isDamaged(sessionId, scope)
    }
    return writes.write(write, read)
  }

  async #isDamaged(sessionId: string, scope: Scope): Promise<boolean> {
    try {
      await this.#readWhole(sessionId, scope)
      return false
    } catch (error) {
      if (!isTurnstoreError(error, 'CORRUPT_SESSION')) throw error
      return true
    }
  }

  /**
   * A write that may delete stored data. If it returns `UNREAD`, the whole session is read first, so that nothing of a
   * damaged session is lost. Another process may change the session in between, but a store does not damage it.
   */
  #writeRead<T>(sessionId: string, scope: Scope, write: Write<T>): Promise<T> {
    return this.#opened().writes.write(write, () => this.#readWhole(sessionId, scope))
  }

  /** Reads the session and what it remembers. @throws `CORRUPT_SESSION` */
  async #readWhole(sessionId: string, scope: Scope): Promise<void> {
    await this._loadSession(sessionId, scope)
    await this.#read(connection => {
      const head = readHead(connection, sessionId, scope)
      if (head !== null) ofSession(sessionId, () => checkRemembered(connection, head.id))
    })
  }

  /** In a transaction. Null if there is no such session in the scope. */
  #countedHead(sessionId: string, scope: Scope): Head | null {
    const { connection, last } = this.#opened()
    return last.head(sessionId, scope) ?? readCountedHead(connection, sessionId, scope)
  }

  #opened(): Open {
    if (this.#open === null) throw new TurnstoreError('STORE_UNAVAILABLE', 'The store is not ready')
    return this.#open
  }
}

/** Encodes turns now, before the transaction. */
function rowsBefore(turns: readonly TurnRecord[]): (turn: TurnRecord) => TurnRows {
  const rows = new Map(turns.map(turn => [turn, rowsOfTurn(turn)]))
  return turn => rows.get(turn) ?? rowsOfTurn(turn)
}

/** An unknown argument would be ignored silently. @throws `INVALID_ARGUMENT` */
function refuseOthers(method: string, others: readonly unknown[], takes: string): void {
  if (others.length > 0) throw new TurnstoreError('INVALID_ARGUMENT', `${method} takes ${takes}`)
}
