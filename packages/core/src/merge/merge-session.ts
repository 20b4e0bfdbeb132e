import { retryConflicts } from '../adapter-kit/retry-conflicts.js'
import { checkMembers } from '../basics/arguments.js'
import { TurnstoreError } from '../basics/errors.js'
import { sameJson } from '../basics/json.js'
import { withOutcome } from '../basics/outcome.js'
import { laterTime, timeKey } from '../basics/time.js'
import type { SessionRecord } from '../records/models.js'
import type { SessionStore } from '../stores/session-store.js'
import { changeBetween } from './change-between.js'
import { mergeRecords } from './merge-records.js'

export interface MergeOptions {
  /** The time of the merge, in ISO 8601: `updatedAt` becomes at least this if the merge adds anything. */
  at?: string
}

export interface MergeResult {
  /** What the merge did to the session in the store. */
  outcome: 'added' | 'grown' | 'unchanged'
  /** Where the store has different content, which it keeps: `turn 3 (t3): the result of call c1`. Never a value. */
  contradictions: readonly string[]
}

/**
 * Creates a session in the store, or adds what it lacks, in one write. Never removes or changes stored data:
 * `mergeRecords` says what is added. Merging a session again changes nothing. Any number of merges and other writers may
 * work on a session at once.
 *
 * @throws `INVALID_ARGUMENT` and the store's errors; `SESSION_EXISTS` if another workspace uses the id
 *
 * @example
 * const { outcome, contradictions } = await mergeSession(store, await backup.loadSession('chat-1'))
 */
export async function mergeSession(
  store: SessionStore,
  session: SessionRecord,
  options: MergeOptions = {},
): Promise<MergeResult> {
  withOutcome('not-stored', () => checkMembers(options, 'options', ['at']))
  const { at = '' } = options
  if (at !== '' && timeKey(at) === '') {
    throw new TurnstoreError('INVALID_ARGUMENT', 'options.at must be an ISO 8601 time', { outcome: 'not-stored' })
  }
  return retryConflicts(session.sessionId, () => tryToMerge(store, session, at), [
    'REVISION_CONFLICT',
    'SESSION_NOT_FOUND',
  ])
}

async function tryToMerge(store: SessionStore, incoming: SessionRecord, at: string): Promise<MergeResult> {
  const { sessionId, workspaceId } = incoming
  const stored = await store.loadSession(sessionId, { workspaceId })
  if (stored === null) {
    const updatedAt = laterTime(incoming.updatedAt, at)
    await store.saveSession({ ...incoming, createdAt: incoming.createdAt || at, updatedAt }, { ifRevision: 0 })
    return { outcome: 'added', contradictions: [] }
  }
  const { merged, contradictions } = mergeRecords(stored, incoming)
  if (sameJson(merged, stored)) return { outcome: 'unchanged', contradictions }
  merged.updatedAt = laterTime(merged.updatedAt, at)
  const ifRevision = stored.revision
  const change = changeBetween(stored, merged)
  if (change === null) await store.saveSession(merged, { ifRevision })
  else await store.changeSession(sessionId, change, { workspaceId, ifRevision })
  return { outcome: 'grown', contradictions }
}
