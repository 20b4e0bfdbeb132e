import type { Scope } from '@turnstore/core/adapter'
import type { Connection } from '../database/connection.js'
import { type Decision, UNREAD } from '../database/group-commit.js'
import { sql } from '../tables/statements.js'
import { findDamaged, readHead } from './session-rows.js'
import { readIfSmall } from './whole-session.js'
import { deletePlacesAndTransitions, deleteTurns } from './write-rows.js'

/** Decides on deleting a session. The answer is whether there is one. */
export function deleteSession(
  connection: Connection,
  sessionId: string,
  scope: Scope,
  isRead: boolean,
): Decision<boolean> | typeof UNREAD {
  const head = readHead(connection, sessionId, scope)
  if (head === null) return { answer: false }
  if (!isRead && !readIfSmall(connection, sessionId, head)) return UNREAD
  const apply = (): void => {
    deleteTurns(connection, sessionId, head)
    deleteRow(connection, head.id)
  }
  return { answer: true, apply }
}

/** The same for a session that cannot be read: deletes all its rows. @throws `CORRUPT_SESSION`, see `findDamaged` */
export function deleteDamaged(connection: Connection, sessionId: string, scope: Scope): Decision<boolean> {
  const id = findDamaged(connection, sessionId, scope)
  if (id === null) return { answer: false }
  const apply = (): void => {
    connection.run(sql.deleteTurnsAstray, id)
    connection.run(sql.deleteTurns, id)
    deletePlacesAndTransitions(connection, id)
    deleteRow(connection, id)
  }
  return { answer: true, apply }
}

function deleteRow(connection: Connection, id: number): void {
  connection.run(sql.deleteDetails, id)
  connection.run(sql.deleteSession, id)
}
