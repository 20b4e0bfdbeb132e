import type { Connection } from '../database/connection.js'
import { sql } from '../tables/statements.js'
import { ofSession } from './damage.js'
import { type Head, readWholeSession } from './session-rows.js'
import { readTurnInPlace } from './turn-bodies.js'

/** A session of so many turns, transitions and bytes is read within the transaction of a write: a millisecond's work. */
const FEW = 64
const FEW_BYTES = 128 * 1024

/**
 * Reads all of a session that is about to be removed, replaced or rewound, if it is small. False: it is not, and is to
 * be read before the transaction.
 * @throws `CORRUPT_SESSION`
 */
export function readIfSmall(connection: Connection, sessionId: string, head: Head): boolean {
  const { id, turnCount, transitionCount, workspaceId } = head
  if (turnCount > FEW || transitionCount > FEW || Number(connection.value(sql.turnBytes, id)) > FEW_BYTES) return false
  const raw = readWholeSession(connection, sessionId, workspaceId)
  ofSession(sessionId, () => raw?.turns.forEach(readTurnInPlace))
  return true
}
