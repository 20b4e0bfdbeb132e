import { setImmediate } from 'node:timers/promises'
import {
  type AgentTransitionRecord,
  isTurnstoreError,
  type JsonObject,
  type SessionRecord,
  type SessionSummary,
  type TurnPage,
  type TurnRecord,
  TurnstoreError,
} from '@turnstore/core'
import { decodeTransition, decodeTurn, inScope, isJsonObject, type NormalTurnRange, quote, resolveTurnRange, type Scope } from '@turnstore/core/adapter'
import { count, fromExact, fromExactOrNull, type Row, text, textOrNull } from './columns.js'
import type { Connection } from './connection.js'
import { sql } from './sql.js'
import { placesOfTurn } from './turn-ids.js'

/*
 * Rows as records. What is read from the database is checked like anything that comes from outside; the
 * errors name the session and the place, never what stands there.
 */

/** The columns of a session that a change and a range of turns need. */
export interface Head {
  readonly id: number
  readonly workspaceId: string | null
  readonly agentId: string | null
  readonly updatedAt: string
  /** Whether it has left its place in the listings. */
  readonly hasMoved: boolean
  readonly ended: number
  readonly revision: number
  readonly turnCount: number
  readonly transitionCount: number
}

/** Null where there is no such session in the scope. */
export function readHead(connection: Connection, sessionId: string, scope: Scope): Head | null {
  const row = connection.get(sql.head, sessionId)
  return row === undefined ? null : ofSession(sessionId, () => headOf(row, sessionId, scope))
}

/** The same for whoever goes by the count of turns. */
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
  const head: Head = {
    id: count(row, 'id'),
    workspaceId: textOrNull(row, 'workspace_id'),
    agentId: fromExactOrNull(row, 'agent_id'),
    updatedAt: fromExact(row, 'updated_at'),
    hasMoved: row.moved === 1,
    ended: count(row, 'ended'),
    revision: count(row, 'revision'),
    turnCount: count(row, 'turn_count'),
    transitionCount: count(row, 'transition_count'),
  }
  return inScope(head, scope) ? head : null
}

function checkId(row: Row, sessionId: string): void {
  if (row.own_id !== sessionId) throw damaged('its index leads to another one')
}

/** A turn that is counted and not there, or there and not counted, would be lost or written over. */
function checkTurnCount(row: Row): void {
  const counted = count(row, 'turn_count')
  if ((row.last_turn ?? -1) !== counted - 1) throw damaged(`${counted} turns are counted, and the last one has another number`)
}

/** Out of a row of `sql.session` or of a listing. */
export function summaryOfRow(row: Row): SessionSummary {
  return ofSession(text(row, 'session_id'), () => ({
    sessionId: text(row, 'session_id'),
    workspaceId: textOrNull(row, 'workspace_id'),
    parentSessionId: textOrNull(row, 'parent_session_id'),
    agentId: fromExactOrNull(row, 'agent_id'),
    createdAt: fromExact(row, 'created_at'),
    updatedAt: fromExact(row, 'updated_at'),
    metadata: objectOf(row.metadata, 'metadata'),
    revision: count(row, 'revision'),
    turnCount: count(row, 'turn_count'),
    agentTransitionCount: count(row, 'transition_count'),
  }))
}

export function readSummary(connection: Connection, sessionId: string, scope: Scope): SessionSummary | null {
  const row = connection.get(sql.session, sessionId)
  if (row === undefined) return null
  return ofSession(sessionId, () => {
    checkId(row, sessionId)
    const summary = summaryOfRow(row)
    return inScope(summary, scope) ? summary : null
  })
}

/** A session as it lies in the database at one moment, its turns not parsed yet. */
export interface RawSession {
  readonly head: Omit<SessionRecord, 'turns'>
  readonly turns: readonly Row[]
}

export function readRawSession(connection: Connection, sessionId: string, scope: Scope): RawSession | null {
  const row = connection.get(sql.session, sessionId)
  if (row === undefined) return null
  return ofSession(sessionId, () => {
    checkId(row, sessionId)
    const { turnCount, agentTransitionCount, ...head } = summaryOfRow(row)
    if (!inScope(head, scope)) return null
    checkTurnCount(row)
    const id = count(row, 'id')
    const agentTransitions = connection.values(sql.transitions, id).map(readTransition)
    if (agentTransitions.length !== agentTransitionCount) throw damaged('transitions are missing')
    const extra = row.extra === null ? {} : { extra: objectOf(row.extra, 'extra') }
    return { head: { ...head, agentTransitions, ...extra }, turns: turnRows(connection, id, 0, turnCount) }
  })
}

/** The turns `[first, end)`; all of them must be there. */
function turnRows(connection: Connection, id: number, first: number, end: number): readonly Row[] {
  const rows = connection.all(sql.turns, id, first, end)
  if (rows.length !== end - first || rows.some((row, index) => row.seq !== first + index)) throw turnsMissing()
  return rows
}

/** Which turns a range means, unparsed. */
export interface RawTurnPage extends Omit<TurnPage, 'turns'> {
  readonly turns: readonly Row[]
}

export function readRawTurns(connection: Connection, sessionId: string, head: Head, range: NormalTurnRange): RawTurnPage {
  const { id, turnCount, revision } = head
  return ofSession(sessionId, () => {
    const { first, end } = resolveTurnRange(range, turnCount, turnId => placesOfTurn(connection, head, turnId).at(-1) ?? -1)
    return { turns: turnRows(connection, id, first, end), firstIndex: first, turnCount, revision }
  })
}

/** Longest stretch of parsing, in milliseconds, before the rest of the process gets its turn. */
const SLICE_MS = 8

/** So many are parsed before they are decoded: turn by turn, each of the two finds the caches full of the other. */
const BATCH = 64

/** @param turnId that of all of them, where they were found by it */
export async function parseTurns(sessionId: string, rows: readonly Row[], turnId?: string): Promise<TurnRecord[]> {
  const turns: TurnRecord[] = []
  let end = performance.now() + SLICE_MS
  try {
    for (let first = 0; first < rows.length; first += BATCH) {
      if (performance.now() > end) {
        await setImmediate()
        end = performance.now() + SLICE_MS
      }
      const parsed = rows.slice(first, first + BATCH).map(row => ({ row, value: parseBody(row) }))
      for (const { row, value } of parsed) turns.push(withId(row, decodeBody(row, value), turnId))
    }
    return turns
  } catch (error) {
    throw naming(sessionId, error)
  }
}

/** Out of a row with `seq` and `body`. */
export function readTurn(row: Row): TurnRecord {
  return decodeBody(row, parseBody(row))
}

function parseBody(row: Row): unknown {
  try {
    return JSON.parse(text(row, 'body'))
  } catch {
    throw damagedTurn(row)
  }
}

function decodeBody(row: Row, value: unknown): TurnRecord {
  try {
    return decodeTurn(value)
  } catch {
    throw damagedTurn(row)
  }
}

/** Not the error that it failed with: that quotes what is stored, or speaks of a caller's record. */
function damagedTurn(row: Row): TurnstoreError {
  return damaged(`turn ${count(row, 'seq')} is not what was stored there`)
}

/** The same for a row that was found by the id of its turn. */
export function readTurnWithId(row: Row | undefined, turnId: string): TurnRecord {
  if (row === undefined) throw turnsMissing()
  return withId(row, readTurn(row), turnId)
}

function withId(row: Row, turn: TurnRecord, turnId: string | undefined): TurnRecord {
  if (turnId === undefined || turn.turnId === turnId) return turn
  throw damaged(`turn ${count(row, 'seq')} is found by the id of another one`)
}

export function readTransition(body: unknown): AgentTransitionRecord {
  try {
    return decodeTransition(objectOf(body, 'a transition'))
  } catch {
    throw damaged('a transition is not what was stored there')
  }
}

/** Metadata or another object kept as JSON. */
export function objectOf(json: unknown, what: string): JsonObject {
  if (typeof json === 'string') {
    try {
      const value: unknown = JSON.parse(json)
      if (isJsonObject(value)) return value
    } catch {
      // It is told below, without what is stored.
    }
  }
  throw damaged(`${what} is not what was stored there`)
}

function turnsMissing(): TurnstoreError {
  return damaged('turns are missing')
}

function damaged(reason: string): TurnstoreError {
  return new TurnstoreError('CORRUPT_SESSION', reason)
}

/** Names the session in what is said of its damage. */
export function ofSession<T>(sessionId: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw naming(sessionId, error)
  }
}

function naming(sessionId: string, error: unknown): unknown {
  if (!isTurnstoreError(error, 'CORRUPT_SESSION') || error.sessionId !== undefined) return error
  return new TurnstoreError('CORRUPT_SESSION', `Session ${quote(sessionId)} cannot be read: ${error.message}`, { sessionId })
}
