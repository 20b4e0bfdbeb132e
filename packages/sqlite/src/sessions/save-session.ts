import type { SessionRecord, TurnRecord } from '@turnstore/core'
import { type Condition, nextRevision } from '@turnstore/core/adapter'
import { sessionColumns } from '@turnstore/core/adapter/sql'
import type { Connection } from '../database/connection.js'
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
  bodyOf: (turn: TurnRecord) => string,
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
    const values = { ...columns, session: id }
    runAll(connection, sessionId, [putHead(values), putDetails(values), ...planWriter.content(id, session, bodyOf)])
    indexTurnIds(connection, id, 0, session.turns.length)
    return null
  }
  return { answer: revision, apply }
}

type Columns = ReturnType<typeof sessionColumns>

function insert(connection: Connection, columns: Columns): number {
  const { text, values } = insertSession(columns)
  return Number(connection.value(text, ...values))
}

function replace(connection: Connection, columns: Columns, { id, sessionId, turnCount }: Head): number {
  const statements = [replaceSession({ ...columns, session: id }), ...planWriter.cleared(id, turnCount)]
  runAll(connection, sessionId, statements)
  return id
}
