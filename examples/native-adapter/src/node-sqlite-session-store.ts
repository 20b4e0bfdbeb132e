import {
  type Capabilities,
  type ChangeResult,
  isTurnstoreError,
  type PartList,
  type PartPage,
  type SessionPage,
  type SessionRecord,
  type SessionSummary,
  type TurnHeadPage,
  type TurnPage,
  TurnstoreError,
} from '@turnstore/core'
import {
  AbstractSessionStore,
  type ChangeCondition,
  type CheckedChange,
  type CheckedPartRange,
  type CheckedQuery,
  type CheckedTurnRange,
  checkStoreOptions,
  type Condition,
  damaged,
  type Deletion,
  GroupCommit,
  checkRevision,
  nextRevision,
  ofSession,
  outOfReach,
  planChange,
  planCreation,
  resolveTurnRange,
  resultOf,
  type Scope,
  type StoreOptions,
  type WaitingWrite,
} from '@turnstore/core/adapter'
import { count, readTurnHeads, sessionColumns, type SqlValue, type Statement } from '@turnstore/core/adapter/sql'
import { Database, whileBusy } from './database.js'
import { idsIn, readPage } from './pages.js'
import { deleteSession, insertSession, replaceSession, writer } from './statements.js'
import { partsOf, StoredSession, turnsOf } from './stored-session.js'

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
  readonly capabilities: Capabilities = {
    durability: 'power-loss',
    sharing: 'host',
    constantAppend: true,
    constantStep: true,
    search: 'scan',
  }
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
        rows: session.turns(0, session.summary.turnCount),
      }))
    })
    return found === null ? null : { ...found.head, turns: await turnsOf(sessionId, found.rows) }
  }

  protected async _readTurns(sessionId: string, range: CheckedTurnRange, scope: Scope): Promise<TurnPage | null> {
    const page = await this.#readRange(sessionId, range, scope, (session, first, end) => session.turns(first, end))
    return page === null ? null : { ...page, turns: await turnsOf(sessionId, page.turns) }
  }

  protected override async _readTurnHeads(
    sessionId: string,
    range: CheckedTurnRange,
    scope: Scope,
  ): Promise<TurnHeadPage | null> {
    const page = await this.#readRange(sessionId, range, scope, (session, first, end) => session.turnRows(first, end))
    return page === null ? null : { ...page, turns: ofSession(sessionId, () => readTurnHeads(page.turns)) }
  }

  #readRange<Turns>(
    sessionId: string,
    range: CheckedTurnRange,
    scope: Scope,
    read: (session: StoredSession, first: number, end: number) => Turns,
  ): Promise<(Omit<TurnPage, 'turns'> & { turns: Turns }) | null> {
    return this.#read(() => {
      const session = StoredSession.find(this.#database, sessionId, scope)
      if (session === null) return null
      const { turnCount, revision } = session.summary
      return ofSession(sessionId, () => {
        const { first, end } = resolveTurnRange(range, turnCount, turnId => session.lastIndexOfTurn(turnId))
        return { turns: read(session, first, end), firstIndex: first, turnCount, revision }
      })
    })
  }

  protected override async _readParts<List extends PartList>(
    sessionId: string,
    turnId: string,
    range: CheckedPartRange<List>,
    scope: Scope,
  ): Promise<PartPage<List> | null> {
    const found = await this.#read(() => {
      const session = StoredSession.find(this.#database, sessionId, scope)
      return session === null ? null : ofSession(sessionId, () => session.parts(turnId, range))
    })
    if (found === null || found.rows.length === 0) return found && found.page
    return { ...found.page, parts: await partsOf(sessionId, range.list, found.rows) }
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

  protected _changeSession(
    sessionId: string,
    change: CheckedChange,
    condition: ChangeCondition,
  ): Promise<ChangeResult> {
    return this.#write(sessionId, () => {
      const session = StoredSession.find(this.#database, sessionId, condition.scope)
      if (session === null) return this.#create(sessionId, change, condition)
      const plan = planChange(session.view, change, condition, this.limits)
      if (plan.keepTurns !== undefined) session.checkWhole()
      this.#run(writer.planned(plan, session.planned, update => session.updated(update)))
      return resultOf(plan)
    })
  }

  /** Instead of a change of a session that the call cannot see. */
  #create(sessionId: string, change: CheckedChange, condition: ChangeCondition): ChangeResult {
    const exists = StoredSession.row(this.#database, sessionId, undefined) !== null
    if (condition.creation === undefined || exists) throw outOfReach(sessionId, condition, exists)
    const { session, result, remember } = planCreation(sessionId, condition.creation, change, condition, this.limits)
    const key = this.#insert(sessionColumns(session, session.revision))
    this.#run(writer.content(key, session))
    if (remember !== undefined) this.#run(writer.remembered(key, remember))
    return result
  }

  protected _saveSession(session: SessionRecord, condition: Condition): Promise<number> {
    return this.#write(session.sessionId, () => {
      const current = StoredSession.find(this.#database, session.sessionId, undefined)
      const revision = nextRevision(session, current?.summary ?? null, condition)
      const columns = sessionColumns(session, revision)
      if (current === null) {
        this.#run(writer.content(this.#insert(columns), session))
        return revision
      }
      current.checkWhole()
      const { key, summary } = current
      this.#run([
        ...writer.cleared(key, summary.turnCount),
        replaceSession({ ...columns, session: key }),
        ...writer.content(key, session),
      ])
      return revision
    })
  }

  /** Returns the key of the new row. */
  #insert(columns: Readonly<Record<string, SqlValue>>): number {
    const { text, values } = insertSession(columns)
    return count(this.#database.get(text, ...values) ?? {}, 'id')
  }

  protected _deleteSession(sessionId: string, { scope, ifRevision, evenIfDamaged }: Deletion): Promise<boolean> {
    return this.#write(sessionId, () => {
      const row = StoredSession.row(this.#database, sessionId, scope)
      if (row === null) return false
      checkRevision(sessionId, ifRevision, count(row, 'revision'))
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
