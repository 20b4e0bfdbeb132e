import { count, type Row } from '../adapter-kit/sql/columns.js'
import { parseRows } from '../adapter-kit/sql/parse-rows.js'
import { isOpened, readTurn, readTurnHeads } from '../adapter-kit/sql/stored-turns.js'
import type { TurnHeadRecord } from '../queries/turn-range.js'
import type { TurnRecord } from '../records/models.js'
import type { ScannedTurns } from './search-sessions.js'
import { mayMatch, type Terms } from './terms.js'

/** The turns that may match a search, those that are opened without their parts. @param rows with the columns of `StoredTurns` */
export async function parseScanned(
  sessionId: string,
  rows: readonly Row[],
  terms: Terms,
): Promise<Omit<ScannedTurns, 'next'>> {
  const kept = rows.filter(row => isOpened(row) || typeof row.body !== 'string' || mayMatch(terms, row.body))
  const turns = await parseRows(sessionId, kept, batch =>
    batch.flatMap(row => {
      const read: (TurnRecord | TurnHeadRecord)[] = isOpened(row) ? readTurnHeads([row]) : [readTurn(row)]
      return read.map(turn => ({ index: count(row, 'seq'), turn }))
    }),
  )
  const units = rows.reduce((sum, { body }) => sum + (typeof body === 'string' ? body.length : 0), 0)
  return { turns, units }
}
