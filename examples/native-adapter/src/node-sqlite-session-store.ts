import {
  type Capabilities,
  type ChangeResult,
  isTurnstoreError,
  type SessionPage,
  type SessionRecord,
  type SessionSummary,
  type TurnPage,
  TurnstoreError,
} from '@turnstore/core'
import {
  AbstractSessionStore,
  type CheckedChange,
  type CheckedQuery,
  type CheckedTurnRange,
  checkStoreOptions,
  type Condition,
  damaged,
  type Deletion,
  GroupCommit,
  nextRevision,
  ofSession,
  planChange,
  resolveTurnRange,
  resultOf,
  type Scope,
  sessionNotFound,
  type StoreOptions,
  type WaitingWrite,
} from '@turnstore/core/adapter'
import { count, sessionColumns, type Statement } from '@turnstore/core/adapter/sql'
import { Database, whileBusy } from './database.js'
import { idsIn, readPage } from './pages.js'
import { deleteSession, insertSession, replaceSession, writer } from './statements.js'
import { StoredSession, turnsOf } from './stored-session.js'

/** Runs in a transaction and writes. What it returns tells the caller, after the commit. */
type Write = () => () => void

/** Most writes that share a commit. */
const BATCH = 64

/**
 * Stores sessions in one SQLite database, with the driver that Node has built in, for any number of processes of one
 * machine.
 *
 * @example
 * const store = new NodeSqliteSessionStore('./sessions.db')
 * const manager = new SessionManager(store)
 */
export class NodeSqliteSessionStore extends AbstractSessionStore {
  // WAL with synchronous = FULL: each commit is on the disk.
  readonly capabilities: Capabilities = { durability: 'power-loss', sharing: 'host', constantAppend: true }
  readonly #path: string
  #opened: Database | null = null
  readonly #writes: GroupCommit<Write, () => void>

  /** @throws `INVALID_ARGUMENT` */
  constructor(path: string, options: StoreOptions = {}) {
    checkStoreOptions(options)
    super(options)
    this.#path = path
    this.#writes = new GroupCommit({ timeoutMs: this.timeoutMs, commit: waiting => this.#commit(waiting) })
  }

  protected override async _ready(): Promise<void> {
    this.#opened = await whileBusy(() => new Database(this.#path), this.timeoutMs)
  }

  protected override async _close(): Promise<void> {
    this.#opened?.close()
  }

  get #database(): Database {
    if (this.#opened === null) throw new TurnstoreError('STORE_UNAVAILABLE', 'The store is not ready')
    return this.#opened
  }

  // ---- Reading. Each call is one transaction and returns one moment.

  #read<T>(work: () => T): Promise<T> {
    return whileBusy(() => this.#database.transaction('BEGIN', work), this.timeoutMs)
  }

  protected async _loadSession(sessionId: string, scope: Scope): Promise<SessionRecord | null> {
    const found = await this.#read(() => {
      const session = StoredSession.find(this.#database, sessionId, scope)
      if (session === null) return null
      return ofSession(sessionId, () => ({
        head: session.head(),
        rows: session.turnRows(0, session.summary.turnCount),
      }))
    })
    return found === null ? null : { ...found.head, turns: await turnsOf(sessionId, found.rows, 0) }
  }

  protected async _readTurns(sessionId: string, range: CheckedTurnRange, scope: Scope): Promise<TurnPage | null> {
    const found = await this.#read(() => {
      const session = StoredSession.find(this.#database, sessionId, scope)
      if (session === null) return null
      const { turnCount, revision } = session.summary
      return ofSession(sessionId, () => {
        const { first, end } = resolveTurnRange(range, turnCount, turnId => session.lastIndexOfTurn(turnId))
        return { rows: session.turnRows(first, end), firstIndex: first, turnCount, revision }
      })
    })
    if (found === null) return null
    const { rows, ...page } = found
    return { ...page, turns: await turnsOf(sessionId, rows, page.firstIndex) }
  }

  protected _loadSummary(sessionId: string, scope: Scope): Promise<SessionSummary | null> {
    return this.#read(() => StoredSession.find(this.#database, sessionId, scope)?.summary ?? null)
  }

  protected _querySessions(query: CheckedQuery): Promise<SessionPage> {
    return readPage(this.#database, work => this.#read(work), query, this.timeoutMs)
  }

  protected _listSessions(scope: Scope): Promise<string[]> {
    return this.#read(() => idsIn(this.#database, scope))
  }

  // ---- Writing. Writes that wait at the same time share one transaction.

  protected _changeSession(sessionId: string, change: CheckedChange, condition: Condition): Promise<ChangeResult> {
    return this.#write(sessionId, () => {
      const session = StoredSession.find(this.#database, sessionId, condition.scope)
      if (session === null) throw sessionNotFound(sessionId)
      const plan = planChange(session.view, change, condition.ifRevision, this.limits)
      if (plan.keepTurns !== undefined) session.checkWhole()
      if (plan.changed) this.#run(writer.planned(plan, session.planned))
      return resultOf(plan)
    })
  }

  protected _saveSession(session: SessionRecord, condition: Condition): Promise<number> {
    return this.#write(session.sessionId, () => {
      const current = StoredSession.find(this.#database, session.sessionId, undefined)
      const revision = nextRevision(session, current?.summary ?? null, condition)
      const columns = sessionColumns(session, revision)
      let key = current?.key
      if (current === null || key === undefined) {
        const { text, values } = insertSession(columns)
        key = count(this.#database.get(text, ...values) ?? {}, 'id')
      } else {
        current.checkWhole()
        this.#run([...writer.cleared(key, current.summary.turnCount), replaceSession({ ...columns, session: key })])
      }
      this.#run(writer.content(key, session))
      return revision
    })
  }

  protected _deleteSession(sessionId: string, { scope, evenIfDamaged }: Deletion): Promise<boolean> {
    return this.#write(sessionId, () => {
      const row = StoredSession.row(this.#database, sessionId, scope)
      if (row === null) return false
      if (!evenIfDamaged) StoredSession.find(this.#database, sessionId, scope)?.checkWhole()
      const values = [count(row, 'id')]
      for (const text of deleteSession) this.#database.run({ text, values })
      return true
    })
  }

  /** @throws `CORRUPT_SESSION` if rows are missing, which undoes the write */
  #run(statements: readonly Statement[]): void {
    for (const statement of statements) {
      const changed = this.#database.run(statement)
      if (statement.changes !== undefined && changed !== statement.changes) throw damaged('rows are missing')
    }
  }

  #write<T>(sessionId: string, work: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const write: Write = () => {
        const result = ofSession(sessionId, work)
        return () => resolve(result)
      }
      this.#writes.add(write).then(tell => tell(), reject)
    })
  }

  /** @throws `STORE_BUSY`, or why none of the writes is stored */
  #commit(waiting: readonly WaitingWrite<Write, () => void>[]): void {
    const settle: (() => void)[] = []
    this.#database.transaction('BEGIN IMMEDIATE', () => {
      for (const each of waiting.slice(0, BATCH)) {
        try {
          const tell = this.#database.part(each.write)
          settle.push(() => each.resolve(tell))
        } catch (error) {
          // SQLite failed, not a check of ours: the whole transaction is lost, and GroupCommit tries them one by one.
          if (!isTurnstoreError(error)) throw error
          settle.push(() => each.reject(error))
        }
      }
    })
    for (const done of settle) done()
  }
}
