import { isEnded, isTurnstoreError, type SessionSummary } from '@turnstore/core'
import { timeKey } from '@turnstore/core/adapter'
import { readAllTurns, readTurnHeads, text } from '@turnstore/core/adapter/sql'
import type { Connection } from '../database/connection.js'
import type { Row } from '../database/driver.js'
import { storeError } from '../database/sqlite-errors.js'
import { checkRemembered } from '../sessions/remembered-rows.js'
import { readRawSession } from '../sessions/session-rows.js'
import { checkVersion } from '../tables/schema-version.js'
import { selectSession, sql } from '../tables/statements.js'
import { placesOfTurn } from '../tables/turn-ids.js'

/** What `checkIntegrity` found. */
export interface IntegrityReport {
  /** Whether `problems` is empty. */
  readonly ok: boolean
  readonly problems: readonly IntegrityProblem[]
}

export interface IntegrityProblem {
  /** Null if the problem concerns the database as a whole. */
  readonly sessionId: string | null
  /** What is damaged and where. Never quotes what is stored. */
  readonly message: string
}

const MOST_PROBLEMS = 100

/**
 * Checks everything in one transaction: the structure of the database, as SQLite checks it; that each row belongs to a
 * session; that each session can be read, and matches the columns and indexes by which it is found.
 */
export function findProblems(connection: Connection): IntegrityProblem[] {
  const problems: IntegrityProblem[] = []
  const note = (sessionId: string | null, message: string): void => {
    if (problems.length < MOST_PROBLEMS) problems.push({ sessionId, message })
  }
  connection.read(() => {
    checkVersion(connection)
    attempt(connection, null, note, () => {
      for (const found of connection.values(`PRAGMA integrity_check(${MOST_PROBLEMS})`)) {
        if (found !== 'ok') note(null, String(found))
      }
    })
    for (const table of ['details', 'places', 'turn_ids', 'turns', 'parts', 'transitions', 'keys']) {
      attempt(connection, null, note, () => {
        const orphans = connection.value(
          `SELECT count(*) FROM turnstore_${table} WHERE session NOT IN (SELECT id FROM turnstore_sessions)`,
        )
        if (orphans !== 0) note(null, `turnstore_${table} has ${String(orphans)} rows that belong to no session`)
      })
    }
    for (const [rows, what] of unreferenced) {
      attempt(connection, null, note, () => {
        const many = connection.value(`SELECT count(*) FROM ${rows}`)
        if (many !== 0) note(null, `${String(many)} ${what}`)
      })
    }
    attempt(connection, null, note, () => {
      for (const id of connection.values('SELECT session_id FROM turnstore_sessions')) {
        const sessionId = String(id)
        attempt(connection, sessionId, note, () =>
          checkSession(connection, sessionId, message => note(sessionId, message)),
        )
      }
    })
  })
  return problems
}

/** Rows that no session refers to, so that no other call encounters them, and what they are. */
const unreferenced: readonly (readonly [rows: string, what: string])[] = [
  [
    `turnstore_turns AS t WHERE NOT EXISTS (
      SELECT 1 FROM turnstore_places AS p WHERE p.session = t.session AND p.is_head = 0 AND p.seq = t.seq AND p.turn = t.id
    )`,
    'turns have no place in their session',
  ],
  [
    `turnstore_turn_ids AS i WHERE NOT EXISTS (
      SELECT 1 FROM turnstore_places AS p
      WHERE p.session = i.session AND p.is_head = 0 AND p.seq = i.seq AND p.turn_id = i.turn_id
    )`,
    'turn ids belong to missing turns',
  ],
  [
    `turnstore_parts AS q WHERE NOT EXISTS (
      SELECT 1 FROM turnstore_turns AS t CROSS JOIN turnstore_places AS p
      ON p.session = t.session AND p.is_head = 0 AND p.seq = t.seq AND p.turn = t.id AND p.tool_calls IS NOT NULL
      WHERE t.id = q.turn AND t.session = q.session
    )`,
    'parts belong to no opened turn',
  ],
  ['turnstore_places WHERE is_head = 1 AND seq <> 0', 'heads of sessions are in the wrong place'],
]

function checkSession(connection: Connection, sessionId: string, note: (message: string) => void): void {
  const raw = readRawSession(connection, sessionId, undefined)
  const row = connection.get(selectSession, sessionId)
  if (raw === null || row === undefined) {
    note('An index names it, but the table does not have it')
    return
  }
  checkColumns(row, raw.head, note)
  const session = { id: Number(row.id), turnCount: raw.turns.turns.length }
  for (const [index, turn] of readTurnHeads(raw.turns.turns).entries()) {
    if (!placesOfTurn(connection, session, turn.turnId).includes(index)) note(`Turn ${index} cannot be found by its id`)
  }
  readAllTurns(raw.turns)
  for (const seq of connection.values(sql.missizedTurns, raw.id)) {
    note(`Turn ${String(seq)} has another size than is counted`)
  }
  checkRemembered(connection, raw.id)
}

/** Compares the columns that listings use with their sources. */
function checkColumns(
  row: Row,
  head: Pick<SessionSummary, 'createdAt' | 'updatedAt' | 'metadata'>,
  note: (message: string) => void,
): void {
  if (text(row, 'created_key') !== timeKey(head.createdAt)) note('It is listed at another time than it was created')
  const key = timeKey(head.updatedAt)
  if (text(row, 'changed_key') !== key || (row.moved !== 1 && text(row, 'updated_key') !== key)) {
    note('It is listed at another time than it was updated')
  }
  if (row.ended !== Number(isEnded(head))) note('Its column ended does not match its metadata')
}

/** Runs one part of the check. If it cannot read something, that is a finding, and the other parts still run. */
function attempt(
  connection: Connection,
  sessionId: string | null,
  note: (sessionId: string | null, message: string) => void,
  check: () => void,
): void {
  try {
    check()
  } catch (error) {
    const known = storeError(error, connection.path)
    if (!isTurnstoreError(known, 'CORRUPT_SESSION')) throw error
    note(sessionId, known.message)
  }
}
