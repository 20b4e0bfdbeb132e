import { ofSession } from '@turnstore/core/adapter'
import { readAllTurns } from '@turnstore/core/adapter/sql'
import type { Connection } from '../database/connection.js'
import { sql } from '../tables/statements.js'
import { type Head, readWholeSession } from './session-rows.js'
import { checkRemembered } from './remembered-rows.js'

/** Sessions up to this size are read in the transaction of a write, which takes about a millisecond. */
const FEW = 64
const FEW_BYTES = 128 * 1024

/**
 * Checks a session that is about to be deleted, replaced or rewound by reading all of it, if it is small. False: it is
 * not small, and must be read before the transaction.
 * @throws `CORRUPT_SESSION`
 */
export function readIfSmall(connection: Connection, head: Head): boolean {
  const { id, sessionId, turnCount, transitionCount, workspaceId } = head
  if (turnCount > FEW || transitionCount > FEW || Number(connection.value(sql.turnBytes, id)) > FEW_BYTES) return false
  const raw = readWholeSession(connection, sessionId, workspaceId)
  ofSession(sessionId, () => {
    checkRemembered(connection, id)
    if (raw !== null) readAllTurns(raw.turns)
  })
  return true
}
