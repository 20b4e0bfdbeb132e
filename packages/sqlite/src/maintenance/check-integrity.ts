import type { Connection } from '../database/connection.js'
import { whileBusy } from '../database/while-busy.js'
import { findProblems, type IntegrityReport } from './integrity.js'
import { inThread } from './thread.js'

/** @throws `STORE_BUSY`, `STORE_UNAVAILABLE` */
export async function checkIntegrity(connection: Connection, timeoutMs: number): Promise<IntegrityReport> {
  const { file } = connection
  const found = file === null ? null : await inThread({ kind: 'check', path: file, timeoutMs })
  connection.checkFiles()
  const problems = found ?? (await whileBusy(() => findProblems(connection), timeoutMs, connection.path))
  return { ok: problems.length === 0, problems }
}
