import type { PartList, PartPage, SessionRecord, TurnHeadPage, TurnPage } from '@turnstore/core'
import {
  type CheckedPartRange,
  type CheckedTurnRange,
  damaged,
  type Glimpse,
  ofSession,
  pageOfParts,
  readStoredObject,
  readStoredRemembered,
  readStoredTransition,
  resolvePartRange,
  resolveTurnRange,
  type ScannedTurns,
  type Scope,
  type Terms,
} from '@turnstore/core/adapter'
import {
  count,
  countsOf,
  exact,
  fromExact,
  fromExactOrNull,
  isOpened,
  listCodes,
  parseHeads,
  parseParts,
  parseScanned,
  parseTurns,
  readTurn,
  type Row,
  type StoredTurns,
  summaryOfRow,
  text,
  textOrNull,
} from '@turnstore/core/adapter/sql'
import type { Database } from '../server/database.js'
import type { Statements } from '../tables/statements.js'

/** Turns that a search reads at a time. */
const SCANNED = 64

/** The rows of a function that reads, by their kind. */
export type RowsByKind = (kind: string) => readonly Row[]

export function byKind(rows: readonly Row[]): RowsByKind {
  const kinds = Map.groupBy(rows, row => row.kind)
  return kind => kinds.get(kind) ?? []
}

/** The values of a scope, as the functions take them. */
export function scopeValues(scope: Scope): [isAny: boolean, workspaceId: string | null] {
  return [scope === undefined, scope ?? null]
}

/** If the number were wrong, an append would overwrite a turn or leave a gap. @throws `CORRUPT_SESSION` */
export function checkTurnCount(session: Row): number {
  const counted = count(session, 'turn_count')
  if ((session.last_seq ?? -1) !== counted - 1) {
    throw damaged(`${counted} turns are counted, and the last one has another number`)
  }
  return counted
}

/** A whole session, and the row that it was read from. */
export interface WholeSession {
  readonly id: string
  readonly session: SessionRecord
}

export interface FoundSession {
  readonly id: string
  readonly workspaceId: string | null
  readonly revision: number
}

/** Reads sessions, each call in one statement: it sees one moment. */
export class SessionReader {
  readonly #database: Database
  readonly #statements: Statements

  constructor(database: Database, statements: Statements) {
    this.#database = database
    this.#statements = statements
  }

  /** The id of the row of a session is never used again. */
  async glimpse(sessionId: string, scope: Scope, deadline: number): Promise<Glimpse | null> {
    const { sessions, withLastTurn } = this.#statements
    const statement = `SELECT s.*, f.* FROM ${sessions} ${withLastTurn}
      WHERE s.session_id = $1 AND ($2::boolean OR s.workspace_id IS NOT DISTINCT FROM $3)`
    const [row] = await this.#database.read(statement, [sessionId, ...scopeValues(scope)], deadline)
    if (row === undefined) return null
    return { summary: ofSession(sessionId, () => summaryOfRow(row)), life: `${count(row, 'id')}` }
  }

  /** For each session that exists, a text that changes with it. */
  async glance(sessionIds: readonly string[], deadline: number): Promise<Map<string, string>> {
    const statement = `SELECT s.session_id, s.id || ' ' || s.revision AS state FROM ${this.#statements.sessions}
      WHERE s.session_id = ANY ($1)`
    const rows = await this.#database.read(statement, [sessionIds], deadline)
    return new Map(rows.map(row => [text(row, 'session_id'), text(row, 'state')]))
  }

  /** What can be said of a session that need not be readable. */
  async find(sessionId: string, deadline: number, scope?: Scope): Promise<FoundSession | null> {
    const statement = `SELECT s.id, s.workspace_id, s.revision FROM ${this.#statements.sessions}
      WHERE s.session_id = $1 AND ($2::boolean OR s.workspace_id IS NOT DISTINCT FROM $3)`
    const [row] = await this.#database.read(statement, [sessionId, ...scopeValues(scope)], deadline)
    if (row === undefined) return null
    return { id: `${count(row, 'id')}`, workspaceId: textOrNull(row, 'workspace_id'), revision: Number(row.revision) }
  }

  /** Reads everything, and checks it. @throws `CORRUPT_SESSION` */
  async whole(sessionId: string, scope: Scope, deadline: number): Promise<WholeSession | null> {
    const values = [sessionId, ...scopeValues(scope)]
    const rows = byKind(await this.#database.read(this.#statements.readSession, values, deadline))
    const [row] = rows('session')
    if (row === undefined) return null
    const head = ofSession(sessionId, () => headOf(row, rows))
    const turns = await parseTurns(sessionId, { turns: rows('turn'), parts: rows('part') })
    return { id: `${count(row, 'id')}`, session: { ...head, turns } }
  }

  async turns(sessionId: string, range: CheckedTurnRange, scope: Scope, deadline: number): Promise<TurnPage | null> {
    const page = await this.#range(sessionId, range, scope, true, deadline)
    return page === null ? null : { ...page, turns: await parseTurns(sessionId, page.turns, turnIdOf(range)) }
  }

  async heads(
    sessionId: string,
    range: CheckedTurnRange,
    scope: Scope,
    deadline: number,
  ): Promise<TurnHeadPage | null> {
    const page = await this.#range(sessionId, range, scope, false, deadline)
    return page === null ? null : { ...page, turns: await parseHeads(sessionId, page.turns.turns, turnIdOf(range)) }
  }

  /** The turns from an index on that may match a search, those that are opened without their parts. */
  async scan(
    sessionId: string,
    from: number,
    terms: Terms,
    scope: Scope,
    deadline: number,
  ): Promise<ScannedTurns | null> {
    const page = await this.#range(sessionId, { kind: 'from', from, limit: SCANNED }, scope, false, deadline)
    if (page === null) return null
    const end = from + page.turns.turns.length
    const scanned = await parseScanned(sessionId, page.turns.turns, terms)
    return { ...scanned, next: end < page.turnCount ? end : null }
  }

  async #range(
    sessionId: string,
    range: CheckedTurnRange,
    scope: Scope,
    parts: boolean,
    deadline: number,
  ): Promise<(Omit<TurnPage, 'turns'> & { turns: StoredTurns }) | null> {
    const [first, limit, turnId] =
      range.kind === 'last'
        ? [range.last, 0, null]
        : range.kind === 'from'
          ? [range.from, range.limit, null]
          : [0, 0, exact(range.turnId)]
    const kind = range.kind === 'turnId' ? 'id' : range.kind
    const values = [sessionId, ...scopeValues(scope), kind, first, limit, turnId, parts]
    const rows = byKind(await this.#database.read(this.#statements.readTurns, values, deadline))
    const [row] = rows('session')
    if (row === undefined) return null
    return ofSession(sessionId, () => {
      const turnCount = checkTurnCount(row)
      const turns = rows('turn')
      const [found] = turns
      const place = resolveTurnRange(range, turnCount, () => (found === undefined ? -1 : count(found, 'seq')))
      checkPlaces(turns, place.first, place.end)
      const revision = count(row, 'revision')
      return { turns: { turns, parts: rows('part') }, firstIndex: place.first, turnCount, revision }
    })
  }

  /** Null without the session or the turn. */
  async parts<List extends PartList>(
    sessionId: string,
    turnId: string,
    range: CheckedPartRange<List>,
    scope: Scope,
    deadline: number,
  ): Promise<PartPage<List> | null> {
    const [first, limit] = range.kind === 'last' ? [range.last, 0] : [range.from, range.limit]
    const values = [sessionId, ...scopeValues(scope), exact(turnId), listCodes[range.list], range.kind, first, limit]
    const rows = byKind(await this.#database.read(this.#statements.readParts, values, deadline))
    const [session] = rows('session')
    const [turn] = rows('turn')
    if (session === undefined) return null
    ofSession(sessionId, () => checkTurnCount(session))
    if (turn === undefined) return null
    const found = ofSession(sessionId, (): { page: PartPage<List>; parts: readonly Row[] } => {
      const revision = count(session, 'revision')
      if (!isOpened(turn)) return { page: pageOfParts(readTurn(turn, turnId), range, revision), parts: [] }
      if (fromExact(turn, 'turn_id') !== turnId) throw damaged('a turn is found by the id of another one')
      const counted = countsOf(turn)[range.list]
      const place = resolvePartRange(range, counted)
      const parts = rows('part').toSorted((a, b) => count(a, 'place') - count(b, 'place'))
      if (parts.length !== place.end - place.first) throw damaged(`parts of turn ${count(turn, 'seq')} are missing`)
      return { page: { parts: [], firstIndex: place.first, count: counted, revision }, parts }
    })
    if (found.parts.length === 0) return found.page
    return { ...found.page, parts: await parseParts(sessionId, range.list, found.parts) }
  }
}

function turnIdOf(range: CheckedTurnRange): string | undefined {
  return range.kind === 'turnId' ? range.turnId : undefined
}

/** All of them must exist. @throws `CORRUPT_SESSION` */
function checkPlaces(turns: readonly Row[], first: number, end: number): void {
  if (turns.length !== end - first || turns.some((row, index) => count(row, 'seq') !== first + index)) {
    throw damaged('turns are missing')
  }
}

/** Everything but the turns, of which all rows are checked. @throws `CORRUPT_SESSION` */
function headOf(row: Row, rows: RowsByKind): Omit<SessionRecord, 'turns'> {
  const { turnCount: _turns, lastTurn: _last, agentTransitionCount, ...summary } = summaryOfRow(row)
  checkPlaces(rows('turn'), 0, checkTurnCount(row))
  const opened = new Set(
    rows('turn')
      .filter(isOpened)
      .map(({ seq }) => seq),
  )
  if (rows('part').some(({ seq }) => !opened.has(seq))) throw damaged('there are parts of no opened turn')
  const agentTransitions = rows('transition').map((each, index) => {
    const transition = readStoredTransition(each.body, index)
    const isFound = fromExactOrNull(each, 'transition_id') === transition.transitionId
    if (isFound && fromExact(each, 'turn_id') === transition.turnId) return transition
    throw damaged(`agent transition ${index} is found by the id of another one`)
  })
  if (agentTransitions.length !== agentTransitionCount) throw damaged('agent transitions are missing')
  for (const each of rows('key')) {
    if (readStoredRemembered(each.body).key !== text(each, 'key')) {
      throw damaged('a remembered change is found by the key of another one')
    }
  }
  const extra = row.extra === null ? {} : { extra: readStoredObject(row.extra, 'extra') }
  return { ...summary, agentTransitions, ...extra }
}
