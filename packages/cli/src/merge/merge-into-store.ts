import { isDeepStrictEqual } from 'node:util'
import { isTurnstoreError, type SessionRecord, type SessionStore } from '@turnstore/core'
import { changeBetween } from './change-between.js'
import { mergeSession } from './merge-session.js'

/** What became of a session that was brought to a store. */
export type Outcome = 'added' | 'grown' | 'unchanged'

export interface MergeResult {
  readonly outcome: Outcome
  /** Where the store says something else. It stays as it is there. */
  readonly contradictions: readonly string[]
}

/** Somebody else who changes the session all the time wins in the end. */
const ATTEMPTS = 20

/**
 * Brings a session to a store: creates it, or adds what is missing, in one write. Nothing that the store has is taken
 * away or altered. Any number may do so at once.
 *
 * @throws errors of the store, `SESSION_EXISTS` where another workspace holds the id
 */
export async function mergeIntoStore(store: SessionStore, incoming: SessionRecord): Promise<MergeResult> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await tryToMerge(store, incoming)
    } catch (error) {
      // Somebody was there between the two looks.
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
