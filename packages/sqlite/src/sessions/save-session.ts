import type { ChangeResult, SessionRecord, TurnRecord } from '@turnstore/core'
import { type Condition, type Creation, nextRevision } from '@turnstore/core/adapter'
import { sessionColumns, type TurnRows } from '@turnstore/core/adapter/sql'
import type { Connection } from '../database/connection.js'
import { countDeletion } from '../tables/deletions.js'
import { insertSession, planWriter, putDetails, putHead, replaceSession } from '../tables/plan-verbs.js'
import { indexTurnIds } from '../tables/turn-ids.js'
import { type Head, readHead } from './session-rows.js'
import { readIfSmall } from './whole-session.js'
import { type Decision, UNREAD } from './write-queue.js'
import { runAll } from './run-statements.js'

/** Decides on creating a session or replacing it as a whole. The answer is its revision. */
export function saveSession(
  connection: Connection,
  session: SessionRecord,
  rowsOf: (turn: TurnRecord) => TurnRows,
  condition: Condition,
  isRead: boolean,
): Decision<number> | typeof UNREAD {
  const { sessionId } = session
  const current = readHead(connection, sessionId, undefined)
  const revision = nextRevision(session, current, condition)
  if (current !== null && !isRead && !readIfSmall(connection, current)) return UNREAD
  const apply = (): null => {
    const columns = sessionColumns(session, revision)
    const id = current === null ? insert(connection, columns) : replace(connection, columns, current)
    putContent(connection, id, columns, session, rowsOf)
    return null
  }
  return { answer: revision, apply }
}

/** Decides on a change of a session that does not exist. */
export function createSession(
  connection: Connection,
  { session, result, remember }: Creation,
  rowsOf: (turn: TurnRecord) => TurnRows,
): Decision<ChangeResult> {
  const apply = (): null => {
    const columns = sessionColumns(session, session.revision)
    const id = insert(connection, columns)
    putContent(connection, id, columns, session, rowsOf)
    if (remember !== undefined) runAll(connection, session.sessionId, planWriter.remembered(id, remember))
    return null
  }
  return { answer: result, apply }
}

function putContent(
  connection: Connection,
  id: number,
  columns: Columns,
  session: SessionRecord,
  rowsOf: (turn: TurnRecord) => TurnRows,
): void {
  const values = { ...columns, session: id }
  const statements = [putHead(values), putDetails(values), ...planWriter.content(id, session, rowsOf)]
  runAll(connection, session.sessionId, statements)
  indexTurnIds(connection, id, 0, session.turns.length)
}

type Columns = ReturnType<typeof sessionColumns>

function insert(connection: Connection, columns: Columns): number {
  const { text, values } = insertSession(columns)
  return Number(connection.value(text, ...values))
}

function replace(connection: Connection, columns: Columns, { id, sessionId, turnCount }: Head): number {
  countDeletion(connection)
  const statements = [replaceSession({ ...columns, session: id }), ...planWriter.cleared(id, turnCount)]
  runAll(connection, sessionId, statements)
  return id
}
