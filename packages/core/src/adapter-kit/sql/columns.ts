import {
  isEnded,
  type LastTurn,
  lastTurnOf,
  type SessionRecord,
  type SessionSummary,
  SUMMARY_PROMPT,
} from '../../records/models.js'
import { timeKey } from '../../basics/time.js'
import { damaged, ofSession, readStoredObject } from '../stored-json.js'
import type { SqlValue } from './statement.js'

/*
 * Columns as values and back. Values are checked when they are read: the database may have been damaged or edited. The
 * errors name the column, and `ofSession` adds the session.
 */

/** A row as a driver returns it. */
export type Row = Readonly<Record<string, unknown>>

/** @throws `CORRUPT_SESSION` */
export function text(row: Row, column: string): string {
  const value = row[column]
  return typeof value === 'string' ? value : refuse(column)
}

/** @throws `CORRUPT_SESSION` */
export function textOrNull(row: Row, column: string): string | null {
  return row[column] === null ? null : text(row, column)
}

/** A whole number of at least 0, which some drivers return as text or a bigint. @throws `CORRUPT_SESSION` */
export function count(row: Row, column: string): number {
  const found = row[column]
  const value = typeof found === 'bigint' || (typeof found === 'string' && /^\d+$/.test(found)) ? Number(found) : found
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : refuse(column)
}

function refuse(column: string): never {
  throw damaged(`The database holds no valid value in column ${column}`)
}

/**
 * Encodes text so that a column returns it unchanged and finds it by equality. Databases store UTF-8, which has no lone
 * surrogates: the driver would store U+FFFD, and two ids of an old file would become one. Some take no NUL. Such text
 * is stored as JSON, with an escape. So is text that begins with a quote, which keeps the encoding unique.
 *
 * Ids of sessions and workspaces need no encoding. Those of agents, turns and parents, and times, of old records do.
 */
export function exact(value: string): string {
  return /^"|\0|\p{Surrogate}/u.test(value) ? JSON.stringify(value) : value
}

export function exactOrNull(value: string | null): string | null {
  return value === null ? null : exact(value)
}

/** Decodes what {@link exact} encoded. @throws `CORRUPT_SESSION` */
export function fromExact(row: Row, column: string): string {
  const value = text(row, column)
  if (!value.startsWith('"')) return value
  const original = parseOrNull(value)
  return typeof original === 'string' ? original : refuse(column)
}

/** @throws `CORRUPT_SESSION` */
export function fromExactOrNull(row: Row, column: string): string | null {
  return row[column] === null ? null : fromExact(row, column)
}

function parseOrNull(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return null
  }
}

/**
 * The columns of a session, without its turns and agent transitions. `created_key` and `updated_key` are instants as
 * text of one width, so that text order is time order; '' for an unreadable time.
 */
export function sessionColumns(session: SessionRecord, revision: number): Readonly<Record<string, SqlValue>> {
  return {
    session_id: session.sessionId,
    workspace_id: session.workspaceId,
    parent_session_id: exactOrNull(session.parentSessionId),
    agent_id: exactOrNull(session.agentId),
    created_at: exact(session.createdAt),
    created_key: timeKey(session.createdAt),
    updated_at: exact(session.updatedAt),
    updated_key: timeKey(session.updatedAt),
    ended: Number(isEnded(session)),
    metadata: JSON.stringify(session.metadata),
    extra: session.extra === undefined ? null : JSON.stringify(session.extra),
    revision,
    turn_count: session.turns.length,
    transition_count: session.agentTransitions.length,
  }
}

/** The summary in a row with the names of {@link sessionColumns}. @throws `CORRUPT_SESSION` */
export function summaryOfRow(row: Row): SessionSummary {
  return ofSession(text(row, 'session_id'), () => ({
    sessionId: text(row, 'session_id'),
    workspaceId: textOrNull(row, 'workspace_id'),
    parentSessionId: fromExactOrNull(row, 'parent_session_id'),
    agentId: fromExactOrNull(row, 'agent_id'),
    createdAt: fromExact(row, 'created_at'),
    updatedAt: fromExact(row, 'updated_at'),
    metadata: readStoredObject(row.metadata, 'metadata'),
    revision: count(row, 'revision'),
    turnCount: count(row, 'turn_count'),
    agentTransitionCount: count(row, 'transition_count'),
    lastTurn: count(row, 'turn_count') === 0 ? null : lastTurnOfRow(row),
  }))
}

/**
 * What `lastTurnOfRow` takes, from the body of the last turn, in SQLite's functions for JSON. The prompt is cut: it may
 * have megabytes.
 */
export function lastTurnColumns(body: string): string {
  const ifValid = (value: string): string => `CASE WHEN json_valid(${body}) THEN ${value} END`
  // Two columns, not one a member: SQLite would parse the body for each.
  return `${ifValid(`json_extract(${body}, '$.turn_id', '$.status', '$.started_at')`)} AS last_turn_facts,
    ${ifValid(`substr(${body} -> '$.prompt', 1, ${LAST_TURN_PROMPT})`)} AS last_turn_prompt`
}

/** How much of the JSON of a prompt `last_turn_prompt` has: each UTF-16 unit takes up to six characters. */
export const LAST_TURN_PROMPT: number = 6 * (SUMMARY_PROMPT + 1) + 1

function lastTurnOfRow(row: Row): LastTurn {
  if (row.last_turn_facts === null) throw damaged('the last of its turns is missing, or no JSON')
  const found = parseOrNull(text(row, 'last_turn_facts'))
  const members: readonly unknown[] = Array.isArray(found) ? found : []
  const [turnId, status, startedAt] = members
  if (typeof turnId !== 'string' || typeof status !== 'string' || typeof startedAt !== 'string') {
    return refuse('last_turn_facts')
  }
  return lastTurnOf({ turnId, status, prompt: jsonText(row, 'last_turn_prompt'), startedAt })
}

/** The text in a column that holds it as JSON, or its beginning. @throws `CORRUPT_SESSION` */
function jsonText(row: Row, column: string): string {
  const json = text(row, column)
  const whole = parseOrNull(json)
  if (typeof whole === 'string') return whole
  // Cut off, perhaps within an escape.
  const beginning = parseOrNull(`${json.replace(/\\(?:u[0-9a-f]{0,3})?$/i, '')}"`)
  return json.length >= LAST_TURN_PROMPT && typeof beginning === 'string' ? beginning : refuse(column)
}
