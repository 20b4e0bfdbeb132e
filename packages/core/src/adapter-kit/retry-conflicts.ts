import { type ErrorCode, isTurnstoreError, TurnstoreError } from '../basics/errors.js'
import { Backoff } from './backoff.js'

const TIMEOUT_MS = 10_000

/**
 * Repeats a read with the write that depends on it while other writers change the session in between.
 * @param conflicts the codes that mean so
 * @throws `STORE_BUSY`, nothing stored, after ten seconds; other errors of `work` at once
 *
 * @example
 * await retryConflicts(sessionId, async () => {
 *   const summary = await store.loadSummary(sessionId)
 *   if (summary !== null) await store.changeSession(sessionId, next(summary), { ifRevision: summary.revision })
 * })
 */
export async function retryConflicts<T>(
  sessionId: string,
  work: () => Promise<T>,
  conflicts: readonly ErrorCode[] = ['REVISION_CONFLICT'],
): Promise<T> {
  const backoff = new Backoff(TIMEOUT_MS)
  for (;;) {
    try {
      return await work()
    } catch (error) {
      if (!conflicts.some(code => isTurnstoreError(error, code))) throw error
      if (!(await backoff.wait())) {
        throw new TurnstoreError('STORE_BUSY', `Other writers kept changing session ${sessionId}; try again`, {
          outcome: 'not-stored',
          sessionId,
        })
      }
    }
  }
}
