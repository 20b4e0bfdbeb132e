import {
  isEnded,
  type PartList,
  type PartPage,
  type Parts,
  type SessionRecord,
  type SessionSummary,
  type TurnRecord,
} from '@turnstore/core'
import {
  applyTurnPlan,
  type CheckedPartRange,
  damaged,
  inScope,
  ofSession,
  pageOfParts,
  readStoredObject,
  readStoredRemembered,
  readStoredTransition,
  type RememberedChange,
  resolvePartRange,
  type Scope,
  type SessionView,
  TimeSlice,
  type TurnPlan,
  type TurnView,
  turnViewOf,
} from '@turnstore/core/adapter'
import {
  anyOpened,
  count,
  countsOf,
  exact,
  fromExact,
  fromExactOrNull,
  isOpened,
  listCodes,
  OpenTurnView,
  readAllTurns,
  readHead,
  readPart,
  readTurn,
  readTurnRows,
  type Row,
  type StoredTurns,
  summaryOfRow,
  text,
  textOrNull,
} from '@turnstore/core/adapter/sql'
import type { Database } from './database.js'
import { summaryColumns, withLastTurn } from './statements.js'

/** A session in the database, read inside a transaction. */
export class StoredSession {
  readonly key: number
  readonly summary: SessionSummary
  readonly #database: Database
  readonly #row: Row

  private constructor(database: Database, row: Row) {
    this.#database = database
    this.#row = row
    this.key = count(row, 'id')
    this.summary = summaryOfRow(row)
  }

  /** Null if there is no such session in the scope. @throws `CORRUPT_SESSION` */
  static find(database: Database, sessionId: string, scope: Scope): StoredSession | null {
    const row = StoredSession.row(database, sessionId, scope)
    return row === null ? null : ofSession(sessionId, () => new StoredSession(database, row))
  }

  /** The same for a session that need not be readable. */
  static row(database: Database, sessionId: string, scope: Scope): Row | null {
    const found = `SELECT ${summaryColumns} FROM sessions ${withLastTurn} WHERE session_id = ?`
    const row = database.get(found, sessionId)
    // First of all: nobody learns anything about the session of another workspace.
    return row !== undefined && inScope({ workspaceId: textOrNull(row, 'workspace_id') }, scope) ? row : null
  }

  /** For `PlanWriter`. */
  get planned() {
    const { turnCount, agentId } = this.summary
    return { key: this.key, turnCount, agentId, ended: Number(isEnded(this.summary)) }
  }

  /** What `planChange` asks. Each answer is an indexed read. */
  get view(): SessionView {
    this.#checkCount()
    return {
      ...this.summary,
      findTurn: (turnId, before) => {
        const row = this.#database.get(
          'SELECT * FROM turns WHERE session = ? AND turn_id = ? AND seq < ? ORDER BY seq DESC LIMIT 1',
          this.key,
          exact(turnId),
          before,
        )
        if (row === undefined) return undefined
        return isOpened(row) ? this.#openTurn(row, turnId) : turnViewOf(readTurn(row, turnId), count(row, 'seq'))
      },
      firstIndexOfTurn: turnId => this.#place('min', turnId),
      findTransition: transitionId => {
        const row = this.#database.get(
          'SELECT body FROM transitions WHERE session = ? AND transition_id = ? ORDER BY seq LIMIT 1',
          this.key,
          exact(transitionId),
        )
        return row && readStoredTransition(row.body)
      },
      findRemembered: key => {
        const row = this.#database.get('SELECT key, body FROM keys WHERE session = ? AND key = ?', this.key, key)
        return row && readRemembered(row)
      },
    }
  }

  /** What a change asks about an opened turn. Each answer is an indexed read. */
  #openTurn(row: Row, turnId: string): TurnView {
    const seq = count(row, 'seq')
    const ofList = 'FROM parts WHERE session = ? AND seq = ? AND list = ?'
    return new OpenTurnView(row, {
      head: () => readHead(row, turnId),
      partsWithId: (list, partId) =>
        this.#database.all(
          `SELECT seq, place, part_id, body ${ofList} AND part_id = ? ORDER BY place`,
          this.key,
          seq,
          listCodes[list],
          exact(partId),
        ),
      countFrom: (list, place) => {
        const counted = `SELECT count(*) AS parts ${ofList} AND place >= ?`
        return count(this.#database.get(counted, this.key, seq, listCodes[list], place) ?? {}, 'parts')
      },
      whole: () => onlyOne(readAllTurns(this.turns(seq, seq + 1))),
    })
  }

  /** For `PlanWriter`: a turn after its update, or null if it is opened. */
  updated(update: TurnPlan): TurnRecord | null {
    const row = onlyOne(this.turnRows(update.index, update.index + 1))
    return isOpened(row) ? null : applyTurnPlan(readTurn(row), update)
  }

  /** The index of the last turn with an id, or -1. */
  lastIndexOfTurn(turnId: string): number {
    return this.#place('max', turnId)
  }

  #place(which: 'min' | 'max', turnId: string): number {
    const found = `SELECT ifnull(${which}(seq), -1) + 1 AS place FROM turns WHERE session = ? AND turn_id = ?`
    return count(this.#database.get(found, this.key, exact(turnId)) ?? {}, 'place') - 1
  }

  /** If the number were wrong, an append would overwrite a turn or leave a gap. */
  #checkCount(): void {
    const row = this.#database.get('SELECT ifnull(max(seq), -1) + 1 AS turns FROM turns WHERE session = ?', this.key)
    if (row?.turns !== this.summary.turnCount) throw damaged('turns are missing or too many')
  }

  /** The rows of the turns from an index to another, without the parts of those that are opened. */
  turnRows(first: number, end: number): Row[] {
    this.#checkCount()
    const range = 'SELECT * FROM turns WHERE session = ? AND seq >= ? AND seq < ? ORDER BY seq'
    const rows = this.#database.all(range, this.key, first, end)
    if (rows.length !== end - first) throw damaged('turns are missing')
    return rows
  }

  /** The same with their parts. */
  turns(first: number, end: number): StoredTurns {
    const turns = this.turnRows(first, end)
    const range = 'SELECT * FROM parts WHERE session = ? AND seq >= ? AND seq < ? ORDER BY seq, list, place'
    return { turns, parts: anyOpened(turns) ? this.#database.all(range, this.key, first, end) : [] }
  }

  /** A range of the parts of a turn: in the page if it is whole, else as rows. Null if there is no such turn. */
  parts<List extends PartList>(turnId: string, range: CheckedPartRange<List>): StoredParts<List> | null {
    const { revision } = this.summary
    const seq = this.lastIndexOfTurn(turnId)
    if (seq === -1) return null
    const row = onlyOne(this.turnRows(seq, seq + 1))
    if (!isOpened(row)) return { page: pageOfParts(readTurn(row, turnId), range, revision), rows: [] }
    const counted = countsOf(row)[range.list]
    const { first, end } = resolvePartRange(range, counted)
    // A place is not an index, since a removal leaves a gap. So it counts the places, from the nearer end.
    const fromEnd = counted - end < first
    const rows = this.#database.all(
      `SELECT seq, part_id, body FROM parts WHERE session = ? AND seq = ? AND list = ?
       ORDER BY place ${fromEnd ? 'DESC' : 'ASC'} LIMIT ? OFFSET ?`,
      this.key,
      seq,
      listCodes[range.list],
      end - first,
      fromEnd ? counted - end : first,
    )
    if (rows.length !== end - first) throw damaged(`parts of turn ${seq} are missing`)
    const page = { parts: [], firstIndex: first, count: counted, revision }
    return { page, rows: fromEnd ? rows.toReversed() : rows }
  }

  /** Everything but the turns. */
  head(): Omit<SessionRecord, 'turns'> {
    const { turnCount: _turns, lastTurn: _last, agentTransitionCount, ...summary } = this.summary
    const agentTransitions = this.#database
      .all('SELECT transition_id, turn_id, body FROM transitions WHERE session = ? ORDER BY seq', this.key)
      .map((row, index) => {
        const transition = readStoredTransition(row.body, index)
        const isFound = fromExactOrNull(row, 'transition_id') === transition.transitionId
        if (isFound && fromExact(row, 'turn_id') === transition.turnId) return transition
        throw damaged(`agent transition ${index} is found by the id of another one`)
      })
    if (agentTransitions.length !== agentTransitionCount) throw damaged('agent transitions are missing')
    const extra = this.#row.extra === null ? {} : { extra: readStoredObject(this.#row.extra, 'extra') }
    return { ...summary, agentTransitions, ...extra }
  }

  /** Before it is replaced, rewound or deleted, so that nothing of a damaged session is lost. @throws `CORRUPT_SESSION` */
  checkWhole(): void {
    this.head()
    readAllTurns(this.turns(0, this.summary.turnCount))
    for (const row of this.#database.all('SELECT key, body FROM keys WHERE session = ?', this.key)) readRemembered(row)
  }
}

interface StoredParts<List extends PartList> {
  readonly page: PartPage<List>
  /** Of the parts that the page has yet to get. */
  readonly rows: readonly Row[]
}

/** Reads rows of turns after the transaction, a few milliseconds at a time. */
export async function turnsOf(sessionId: string, rows: StoredTurns): Promise<TurnRecord[]> {
  const turns: TurnRecord[] = []
  const batches = readTurnRows(rows)
  const slice = new TimeSlice()
  for (;;) {
    if (slice.isOver) await slice.yield()
    const { done, value } = ofSession(sessionId, () => batches.next())
    if (done === true) return turns
    turns.push(...value)
  }
}

/** The same for parts of a turn. */
export async function partsOf<List extends PartList>(
  sessionId: string,
  list: List,
  rows: readonly Row[],
): Promise<Parts[List][]> {
  const parts: Parts[List][] = []
  const slice = new TimeSlice()
  for (const row of rows) {
    if (slice.isOver) await slice.yield()
    parts.push(ofSession(sessionId, () => readPart(list, row)))
  }
  return parts
}

/** Checks the column by which a change finds it. */
function readRemembered(row: Row): RememberedChange {
  const remembered = readStoredRemembered(row.body)
  if (remembered.key === text(row, 'key')) return remembered
  throw damaged('a remembered change is found by the key of another one')
}

function onlyOne<T>([only]: readonly T[]): T {
  if (only === undefined) throw damaged('turns are missing')
  return only
}
