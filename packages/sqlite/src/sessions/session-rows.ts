import type { AgentTransitionRecord, SessionRecord, SessionSummary, TurnPage } from '@turnstore/core'
import {
  damaged,
  type Glimpse,
  inScope,
  type CheckedTurnRange,
  ofSession,
  readStoredObject,
  readStoredTransition,
  resolveTurnRange,
  type Scope,
} from '@turnstore/core/adapter'
import {
  count,
  fromExact,
  fromExactOrNull,
  anyOpened,
  type Row,
  type StoredTurns,
  summaryOfRow,
  textOrNull,
} from '@turnstore/core/adapter/sql'
import type { Connection } from '../database/connection.js'
import { selectSession, sql } from '../tables/statements.js'
import { areTurnIdsIndexed, placesOfTurn } from '../tables/turn-ids.js'

/*
 * Rows as records. What is read from the database is checked like any input. The errors name the session and the place,
 * and never quote what is stored.
 */

/** The columns that a change or a read of turns needs. */
export interface Head {
  readonly id: number
  readonly sessionId: string
  readonly workspaceId: string | null
  readonly agentId: string | null
  readonly updatedAt: string
  /** Whether its position in the listings is outdated: see `moved-sessions.ts`. */
  readonly hasMoved: boolean
  readonly ended: number
  readonly revision: number
  readonly turnCount: number
  readonly transitionCount: number
}

/** Null if there is no such session in the scope. */
export function readHead(connection: Connection, sessionId: string, scope: Scope): Head | null {
  const row = connection.get(sql.head, sessionId)
  return row === undefined ? null : ofSession(sessionId, () => headOf(row, sessionId, scope))
}

/** The same, and checks the number of turns. */
export function readCountedHead(connection: Connection, sessionId: string, scope: Scope): Head | null {
  const row = connection.get(sql.head, sessionId)
  if (row === undefined) return null
  return ofSession(sessionId, () => {
    const head = headOf(row, sessionId, scope)
    if (head !== null) checkTurnCount(row)
    return head
  })
}

function headOf(row: Row, sessionId: string, scope: Scope): Head | null {
  checkId(row, sessionId)
  if (!isRowInScope(row, scope)) return null
  return {
    id: count(row, 'id'),
    sessionId,
    workspaceId: textOrNull(row, 'workspace_id'),
    agentId: fromExactOrNull(row, 'agent_id'),
    updatedAt: fromExact(row, 'updated_at'),
    hasMoved: row.moved === 1,
    ended: count(row, 'ended'),
    revision: count(row, 'revision'),
    turnCount: count(row, 'turn_count'),
    transitionCount: count(row, 'transition_count'),
  }
}

/**
 * The id of a session that need not be readable. Null if there is no such session in the scope.
 * @throws `CORRUPT_SESSION` if its id or, with a scope, its workspace is uncertain
 */
export function findDamaged(connection: Connection, sessionId: string, scope: Scope): number | null {
  const row = connection.get(sql.head, sessionId)
  if (row === undefined) return null
  return ofSession(sessionId, () => {
    checkId(row, sessionId)
    return isRowInScope(row, scope) ? count(row, 'id') : null
  })
}

/** Whether there is a session with this id, whatever its state and workspace. */
export function hasRow(connection: Connection, sessionId: string): boolean {
  return connection.get(sql.head, sessionId) !== undefined
}

/** Check it first: damage in another workspace must not be reported to the caller. */
function isRowInScope(row: Row, scope: Scope): boolean {
  return scope === undefined || inScope({ workspaceId: textOrNull(row, 'workspace_id') }, scope)
}

function checkId(row: Row, sessionId: string): void {
  if (row.own_id !== sessionId) throw damaged('its index leads to another one')
}

/** If the count is wrong, a change would lose or overwrite a turn. */
function checkTurnCount(row: Row): void {
  const counted = count(row, 'turn_count')
  if ((row.last_turn ?? -1) !== counted - 1)
    throw damaged(`${counted} turns are counted, and the last one has another number`)
}

export function readSummary(connection: Connection, sessionId: string, scope: Scope): SessionSummary | null {
  return readGlimpse(connection, sessionId, scope)?.summary ?? null
}

/** A session for a watch. The id of its row is never used again. */
export function readGlimpse(connection: Connection, sessionId: string, scope: Scope): Glimpse | null {
  const row = connection.get(selectSession, sessionId)
  if (row === undefined) return null
  return ofSession(sessionId, () => {
    checkId(row, sessionId)
    return isRowInScope(row, scope) ? { summary: summaryOfRow(row), life: `${count(row, 'id')}` } : null
  })
}

/** A session at one moment, its turns not parsed yet. */
export interface RawSession {
  readonly id: number
  readonly head: Omit<SessionRecord, 'turns'>
  readonly turns: StoredTurns
}

export function readRawSession(connection: Connection, sessionId: string, scope: Scope): RawSession | null {
  const row = connection.get(selectSession, sessionId)
  if (row === undefined) return null
  return ofSession(sessionId, () => {
    checkId(row, sessionId)
    if (!isRowInScope(row, scope)) return null
    const { turnCount, agentTransitionCount, lastTurn: _last, ...head } = summaryOfRow(row)
    checkTurnCount(row)
    const id = count(row, 'id')
    const agentTransitions = connection.all(sql.transitions, id).map(transitionOfRow)
    if (agentTransitions.length !== agentTransitionCount) throw damaged('transitions are missing')
    const extra = row.extra === null ? {} : { extra: readStoredObject(row.extra, 'extra') }
    return { id, head: { ...head, agentTransitions, ...extra }, turns: storedTurns(connection, id, 0, turnCount) }
  })
}

/** The same, and checks the index of turn ids, which changes need and reads do not. */
export function readWholeSession(connection: Connection, sessionId: string, scope: Scope): RawSession | null {
  const raw = readRawSession(connection, sessionId, scope)
  if (raw === null) return null
  return ofSession(sessionId, () => {
    if (!areTurnIdsIndexed(connection, raw.id, raw.turns.turns.length))
      throw damaged('the index of its turns has other ids than the turns')
    return raw
  })
}

/** The turns `[first, end)` with their parts. */
function storedTurns(connection: Connection, id: number, first: number, end: number): StoredTurns {
  const turns = turnRows(connection, id, first, end)
  return { turns, parts: anyOpened(turns) ? connection.all(sql.partsOfTurns, id, first, end) : [] }
}

/** The turns `[first, end)`. All of them must exist. */
function turnRows(connection: Connection, id: number, first: number, end: number): readonly Row[] {
  const rows = connection.all(sql.turns, id, first, end)
  if (rows.length !== end - first || rows.some((row, index) => row.seq !== first + index))
    throw damaged('turns are missing')
  return rows
}

/** The turns of a range, unparsed. */
export interface RawTurnPage<Turns> extends Omit<TurnPage, 'turns'> {
  readonly turns: Turns
}

export function readRawTurns(connection: Connection, head: Head, range: CheckedTurnRange): RawTurnPage<StoredTurns> {
  return readRange(connection, head, range, storedTurns)
}

/** The same without parts. */
export function readRawHeads(connection: Connection, head: Head, range: CheckedTurnRange): RawTurnPage<readonly Row[]> {
  return readRange(connection, head, range, turnRows)
}

function readRange<Turns>(
  connection: Connection,
  head: Head,
  range: CheckedTurnRange,
  read: (connection: Connection, id: number, first: number, end: number) => Turns,
): RawTurnPage<Turns> {
  const { id, sessionId, turnCount, revision } = head
  return ofSession(sessionId, () => {
    const { first, end } = resolveTurnRange(range, turnCount, turnId => lastPlaceOfTurn(connection, head, turnId))
    return { turns: read(connection, id, first, end), firstIndex: first, turnCount, revision }
  })
}

/** The position of the last turn with an id, or -1. */
export function lastPlaceOfTurn(connection: Connection, head: Head, turnId: string): number {
  return placesOfTurn(connection, head, turnId).at(-1) ?? -1
}

/** Checks that the columns by which a transition is found, or deleted in a rewind, match it. */
function transitionOfRow(row: Row): AgentTransitionRecord {
  const transition = readStoredTransition(row.body)
  if (
    fromExactOrNull(row, 'transition_id') === transition.transitionId &&
    fromExact(row, 'turn_id') === transition.turnId
  )
    return transition
  throw damaged('a transition is found by the id of another one')
}
