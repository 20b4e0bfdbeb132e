import { isEnded, type SessionRecord, type SessionSummary, type TurnRecord } from '@turnstore/core'
import {
  damaged,
  inScope,
  ofSession,
  readStoredObject,
  readStoredTransition,
  readStoredTurn,
  readStoredTurns,
  type Scope,
  type SessionView,
  TimeSlice,
} from '@turnstore/core/adapter'
import {
  count,
  exact,
  fromExact,
  fromExactOrNull,
  type Row,
  summaryOfRow,
  textOrNull,
} from '@turnstore/core/adapter/sql'
import type { Database } from './database.js'

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
    const row = database.get('SELECT * FROM sessions WHERE session_id = ?', sessionId)
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
          'SELECT seq, turn_id, body FROM turns WHERE session = ? AND turn_id = ? AND seq < ? ORDER BY seq DESC LIMIT 1',
          this.key,
          exact(turnId),
          before,
        )
        if (row === undefined) return undefined
        const index = count(row, 'seq')
        return { turn: inPlace(row, readStoredTurn(row.body, index)), index }
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
    }
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

  /** The rows of the turns from an index to another. */
  turnRows(first: number, end: number): Row[] {
    this.#checkCount()
    const range = 'SELECT seq, turn_id, body FROM turns WHERE session = ? AND seq >= ? AND seq < ? ORDER BY seq'
    const rows = this.#database.all(range, this.key, first, end)
    if (rows.length !== end - first) throw damaged('turns are missing')
    return rows
  }

  /** Everything but the turns. */
  head(): Omit<SessionRecord, 'turns'> {
    const { turnCount: _turns, agentTransitionCount, ...summary } = this.summary
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
    readTurns(this.turnRows(0, this.summary.turnCount), 0)
  }
}

/** Turns that are read between two looks at the clock. */
const BATCH = 64

/** Reads rows of turns after the transaction, a few milliseconds at a time. */
export async function turnsOf(sessionId: string, rows: readonly Row[], first: number): Promise<TurnRecord[]> {
  const turns: TurnRecord[] = []
  const slice = new TimeSlice()
  for (let at = 0; at < rows.length; at += BATCH) {
    if (slice.isOver) await slice.yield()
    turns.push(...ofSession(sessionId, () => readTurns(rows.slice(at, at + BATCH), first + at)))
  }
  return turns
}

function readTurns(rows: readonly Row[], first: number): TurnRecord[] {
  const turns = readStoredTurns(
    rows.map(({ body }) => body),
    first,
  )
  turns.forEach((turn, at) => inPlace(rows[at] ?? {}, turn))
  return turns
}

/** Checks the column by which a change finds the turn. */
function inPlace(row: Row, turn: TurnRecord): TurnRecord {
  if (fromExact(row, 'turn_id') === turn.turnId) return turn
  throw damaged(`turn ${count(row, 'seq')} is found by the id of another one`)
}
