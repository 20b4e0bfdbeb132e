import { isDeepStrictEqual } from 'node:util'
import { isTurnstoreError, type SessionRecord, type SessionStore } from '@turnstore/core'
import { changeBetween } from './change-between.js'
import { mergeSession } from './merge-session.js'

/** What a merge did to the session in the store. */
export type Outcome = 'added' | 'grown' | 'unchanged'

export interface MergeResult {
  readonly outcome: Outcome
  /** Where the store has different content, which it keeps. */
  readonly contradictions: readonly string[]
}

/** Gives up after this many conflicts with other writers. */
const ATTEMPTS = 20

/**
 * Creates the session in the store, or adds what is missing, in one write. Never removes or changes stored data. Any
 * number of merges may run at once.
 *
 * @throws the store's errors; `SESSION_EXISTS` if another workspace uses the id
 */
export async function mergeIntoStore(store: SessionStore, incoming: SessionRecord): Promise<MergeResult> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await tryToMerge(store, incoming)
    } catch (error) {
      // Another writer changed the session between the read and the write.
      const isOvertaken = isTurnstoreError(error, 'REVISION_CONFLICT') || isTurnstoreError(error, 'SESSION_NOT_FOUND')
      if (!isOvertaken || attempt === ATTEMPTS) throw error
    }
  }
}

async function tryToMerge(store: SessionStore, incoming: SessionRecord): Promise<MergeResult> {
  const { sessionId, workspaceId } = incoming
  const stored = await store.loadSession(sessionId, { workspaceId })
  if (stored === null) {
    await store.saveSession(incoming, { ifRevision: 0 })
    return { outcome: 'added', contradictions: [] }
  }
  const { merged, contradictions } = mergeSession(stored, incoming)
  if (isDeepStrictEqual(merged, stored)) return { outcome: 'unchanged', contradictions }
  const ifRevision = stored.revision
  const change = changeBetween(stored, merged)
  if (change === null) await store.saveSession(merged, { ifRevision })
  else await store.changeSession(sessionId, change, { workspaceId, ifRevision })
  return { outcome: 'grown', contradictions }
}
