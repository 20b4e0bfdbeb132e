import { damaged, namingSession } from '@turnstore/core/adapter'
import type { Statement } from '@turnstore/core/adapter/sql'
import type { Connection } from '../database/connection.js'

/**
 * Runs the statements of a write.
 * @throws `CORRUPT_SESSION` if rows are missing, which rolls back the transaction: the session was damaged since it was
 *   read
 */
export function runAll(connection: Connection, sessionId: string, statements: readonly Statement[]): void {
  for (const { text, values, changes } of statements) {
    const changed = connection.run(text, ...values)
    if (changes !== undefined && changed !== changes) throw namingSession(sessionId, damaged('turns are missing'))
  }
}
