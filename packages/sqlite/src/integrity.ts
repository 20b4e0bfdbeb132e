import { isEnded, isTurnstoreError, type SessionSummary, type TurnRecord } from '@turnstore/core'
import { timeKey } from '@turnstore/core/adapter'
import { exact, type Row, text } from './columns.js'
import type { Connection } from './connection.js'
import { checkVersion } from './schema.js'
import { readRawSession, readTurn } from './session-reader.js'
import { storeError } from './sqlite-errors.js'

/** What `checkIntegrity` found. */
export interface IntegrityReport {
  /** Whether there is nothing to tell. */
  readonly ok: boolean
  readonly problems: readonly IntegrityProblem[]
}

export interface IntegrityProblem {
  /** Null where it is about the database as a whole. */
  readonly sessionId: string | null
  /** Where and what, never what stands there. */
  readonly message: string
}

/** More is of no use to anybody. */
const MOST_PROBLEMS = 100

/**
 * Looks at everything, in one transaction: the structure of the database as SQLite checks it, that no row
 * is left without its session, and that each session can be read and agrees with what is kept to find it.
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
    for (const table of ['details', 'turns', 'transitions']) {
      attempt(connection, null, note, () => {
        const orphans = connection.value(
          `SELECT count(*) FROM turnstore_${table} WHERE session NOT IN (SELECT id FROM turnstore_sessions)`,
        )
        if (orphans !== 0) note(null, `turnstore_${table} has ${String(orphans)} rows that belong to no session`)
      })
    }
    attempt(connection, null, note, () => {
      for (const id of connection.values('SELECT session_id FROM turnstore_sessions')) {
        const sessionId = String(id)
        attempt(connection, sessionId, note, () => checkSession(connection, sessionId, message => note(sessionId, message)))
      }
    })
  })
  return problems
}

function checkSession(connection: Connection, sessionId: string, note: (message: string) => void): void {
  const raw = readRawSession(connection, sessionId, undefined)
  const row = connection.get('SELECT * FROM turnstore_sessions WHERE session_id = +?', sessionId)
  if (raw === null || row === undefined) {
    note('An index names it, and the table does not have it')
    return
  }
  checkColumns(row, raw.head, note)
  const ids = connection.values('SELECT turn_id FROM turnstore_turns WHERE session = +? ORDER BY seq', Number(row.id))
  if (ids.length !== raw.turns.length) note(`It has ${ids.length} turns, and ${raw.turns.length} are counted`)
  for (const [index, turnRow] of raw.turns.entries()) {
    const turn: TurnRecord = readTurn(turnRow)
    if (ids[index] !== exact(turn.turnId)) note(`Turn ${index} cannot be found by its id`)
  }
}

/** What listings go by, against what it was made from. */
function checkColumns(
  row: Row,
  head: Pick<SessionSummary, 'createdAt' | 'updatedAt' | 'metadata'>,
  note: (message: string) => void,
): void {
  if (text(row, 'created_key') !== timeKey(head.createdAt)) note('It is listed at another time than it was created')
  if (text(row, row.moved === 1 ? 'moved_key' : 'updated_key') !== timeKey(head.updatedAt)) note('It is listed at another time than it was updated')
  if (row.ended !== Number(isEnded(head))) note('Whether it is ended is not what its metadata says')
}

/** One part of the check: that it cannot be read is what it found, and the others go on. */
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
