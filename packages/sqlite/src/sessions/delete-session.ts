import { checkRevision, type Deletion, type Scope } from '@turnstore/core/adapter'
import type { Connection } from '../database/connection.js'
import { countDeletion } from '../tables/deletions.js'
import { planWriter } from '../tables/plan-verbs.js'
import { sql } from '../tables/statements.js'
import { findDamaged, readHead } from './session-rows.js'
import { readIfSmall } from './whole-session.js'
import { type Decision, UNREAD } from './write-queue.js'
import { runAll } from './run-statements.js'

/** Decides on deleting a session. The answer is whether there is one. */
export function deleteSession(
  connection: Connection,
  sessionId: string,
  { scope, ifRevision }: Deletion,
  isRead: boolean,
): Decision<boolean> | typeof UNREAD {
  const head = readHead(connection, sessionId, scope)
  if (head === null) return { answer: false }
  checkRevision(sessionId, ifRevision, head.revision)
  if (!isRead && !readIfSmall(connection, head)) return UNREAD
  const apply = (): null => {
    runAll(connection, sessionId, planWriter.cleared(head.id, head.turnCount))
    return deleteRow(connection, head.id)
  }
  return { answer: true, apply }
}

/** The same for a session that cannot be read: deletes all its rows. @throws `CORRUPT_SESSION`, see `findDamaged` */
export function deleteDamaged(connection: Connection, sessionId: string, scope: Scope): Decision<boolean> {
  const id = findDamaged(connection, sessionId, scope)
  if (id === null) return { answer: false }
  const apply = (): null => {
    connection.run(sql.deletePartsAstray, id)
    connection.run(sql.deletePartsOfTurns, id)
    connection.run(sql.deleteParts, id)
    connection.run(sql.deleteTurnsAstray, id)
    connection.run(sql.deleteTurns, id)
    // Whatever their number.
    for (const { text, values } of planWriter.cleared(id, 0)) connection.run(text, ...values)
    return deleteRow(connection, id)
  }
  return { answer: true, apply }
}

function deleteRow(connection: Connection, id: number): null {
  countDeletion(connection)
  connection.run(sql.deleteKeys, id)
  connection.run(sql.deleteDetails, id)
  connection.run(sql.deleteSession, id)
  return null
}
