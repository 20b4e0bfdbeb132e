import { isTurnstoreError } from './errors.js'
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

/** An error that says that a session's data cannot be read, as a listing tells it. */
export function damageOf(sessionId: string, error: unknown): DamagedSession | null {
  if (!isTurnstoreError(error)) return null
  const { code, message } = error
  return code === 'CORRUPT_SESSION' || code === 'SCHEMA_TOO_NEW' ? { sessionId, code, message } : null
}
