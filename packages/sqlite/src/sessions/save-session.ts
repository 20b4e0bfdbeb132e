import { isEnded, type SessionRecord } from '@turnstore/core'
import { type Condition, nextRevision, timeKey } from '@turnstore/core/adapter'
import type { Connection } from '../database/connection.js'
import type { SqlValue } from '../database/driver.js'
import { type Decision, UNREAD } from './write-queue.js'
import { exact, exactOrNull } from '../tables/columns.js'
import { sql } from '../tables/statements.js'
import { readHead } from './session-rows.js'
import { readIfSmall } from './whole-session.js'
import { deleteTurns, insertTransitions, insertTurns } from './write-rows.js'

/** Decides on creating a session or replacing it as a whole. The answer is its revision. */
export function saveSession(
  connection: Connection,
  session: SessionRecord,
  turnBodies: readonly string[],
  condition: Condition,
  isRead: boolean,
): Decision<number> | typeof UNREAD {
  const { sessionId } = session
  const current = readHead(connection, sessionId, undefined)
  const revision = nextRevision(session, current, condition)
  if (current !== null && !isRead && !readIfSmall(connection, current)) return UNREAD
  const apply = (): null => {
    const columns: SqlValue[] = [
      sessionId,
      session.workspaceId,
      session.parentSessionId,
      exactOrNull(session.agentId),
      exact(session.createdAt),
      timeKey(session.createdAt),
      timeKey(session.updatedAt),
      Number(isEnded(session)),
    ]
    let id: number
    if (current === null) {
      id = Number(connection.value(sql.insertSession, ...columns))
    } else {
      id = current.id
      connection.run(sql.replaceSession, ...columns, id)
      deleteTurns(connection, current)
    }
    connection.run(
      sql.putHead,
      exact(session.updatedAt),
      timeKey(session.updatedAt),
      revision,
      session.turns.length,
      session.agentTransitions.length,
      id,
    )
    const extra = session.extra === undefined ? null : JSON.stringify(session.extra)
    connection.run(sql.putDetails, id, JSON.stringify(session.metadata), extra)
    const bodies = turnBodies.values()
    insertTurns(connection, id, 0, session.turns, () => bodies.next().value ?? '')
    insertTransitions(connection, id, session.agentTransitions)
    return null
  }
  return { answer: revision, apply }
}
