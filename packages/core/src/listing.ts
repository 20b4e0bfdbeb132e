import { isTurnstoreError, type TurnstoreError } from './errors.js'
import type { SessionSummary } from './models.js'
import { type DamagedSession, type NormalQuery, pageOfSummaries, type SessionPage } from './query.js'

/** What a listing found: a session, or one whose data cannot be read. */
export type Listed = SessionSummary | DamagedSession

/** The page that a query means out of everything in its scope, in any order, for a store without an index. */
export async function pageOfListing(query: NormalQuery, listing: AsyncIterable<Listed>): Promise<SessionPage> {
  // By id: one that is deleted and made anew while the listing goes on may come by twice.
  const summaries = new Map<string, SessionSummary>()
  const damaged: DamagedSession[] = []
  for await (const listed of listing) {
    if ('code' in listed) damaged.push(listed)
    else summaries.set(listed.sessionId, listed)
  }
  const page = pageOfSummaries(query, [...summaries.values()])
  return query.after === undefined && damaged.length > 0 ? { ...page, damaged } : page
}

/** Whether an error says that a session's data cannot be read. */
export function isDamage(error: unknown): error is TurnstoreError & { readonly code: DamagedSession['code'] } {
  return isTurnstoreError(error, 'CORRUPT_SESSION') || isTurnstoreError(error, 'SCHEMA_TOO_NEW')
}

/** Such an error as a listing tells it; null for any other. */
export function damageOf(sessionId: string, error: unknown): DamagedSession | null {
  return isDamage(error) ? { sessionId, code: error.code, message: error.message } : null
}
