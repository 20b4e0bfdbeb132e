import { isTurnstoreError, TurnstoreError, withDetails } from '../basics/errors.js'
import { isDamage } from '../queries/page.js'
import type { SessionSummary } from '../records/models.js'
import { checkMembers } from '../basics/arguments.js'
import type { DeleteOptions, ScopeOptions } from '../basics/scope.js'
import { withOutcome } from '../basics/outcome.js'
import { matches } from '../queries/filter.js'
import { readQuery, type SessionQuery } from '../queries/query.js'
import type { SessionStore } from '../stores/session-store.js'

export interface PruneOptions extends ScopeOptions {
  /** ISO 8601, exclusive. A session without a valid time never matches. */
  updatedBefore?: string
  /** Only sessions that have ended (`true`) or have not (`false`). */
  ended?: boolean
  /** Called with each session id right after its deletion, even if pruning fails later. */
  onDeleted?: (sessionId: string) => void
}

/** The checked options of a prune. */
export interface Pruning {
  readonly scope: ScopeOptions
  readonly query: SessionQuery
  readonly isMeant: (summary: SessionSummary) => boolean
  readonly onDeleted: PruneOptions['onDeleted']
}

/** @throws `INVALID_ARGUMENT` */
export function readPrune(options: PruneOptions, scope: ScopeOptions): Pruning {
  checkMembers(options, 'options', ['updatedBefore', 'ended', 'workspaceId', 'onDeleted'])
  const { updatedBefore, ended, onDeleted } = options
  if (updatedBefore === undefined && ended === undefined) {
    throw new TurnstoreError(
      'INVALID_ARGUMENT',
      'options must have updatedBefore, ended or both; otherwise every session would be deleted',
    )
  }
  if (onDeleted !== undefined && typeof onDeleted !== 'function') {
    throw new TurnstoreError('INVALID_ARGUMENT', 'options.onDeleted must be a function')
  }
  const query: SessionQuery = {
    ...scope,
    ...(updatedBefore === undefined ? {} : { updatedBefore }),
    ...(ended === undefined ? {} : { ended }),
  }
  const normal = readQuery(query, 'options')
  return { scope, query, isMeant: summary => matches(normal, summary), onDeleted }
}

/** Implements `SessionManager.pruneSessions`. */
export async function prune(store: SessionStore, { scope, query, isMeant, onDeleted }: Pruning): Promise<string[]> {
  const deleted: string[] = []
  const damage: TurnstoreError[] = []
  const deleteAll = async (): Promise<void> => {
    for await (const { sessionId } of store.sessions({ ...query, order: 'asc' })) {
      const isDeleted = await collectDamage(damage, async () => {
        const summary = await store.loadSummary(sessionId, scope)
        if (summary === null || !isMeant(summary)) return false
        return deleteUnchanged(store, sessionId, { ...scope, ifRevision: summary.revision })
      })
      if (isDeleted !== true) continue
      deleted.push(sessionId)
      onDeleted?.(sessionId)
    }
  }
  // A failed delete sets its own outcome. Everything else here only reads.
  await withOutcome('not-stored', () => collectDamage(damage, deleteAll))
  const [first] = damage
  if (first !== undefined) throw withDetails(first, { outcome: 'not-stored' })
  return deleted
}

/** False if the session has changed. */
async function deleteUnchanged(store: SessionStore, sessionId: string, options: DeleteOptions): Promise<boolean> {
  try {
    return await store.deleteSession(sessionId, options)
  } catch (error) {
    if (isTurnstoreError(error, 'REVISION_CONFLICT')) return false
    throw error
  }
}

/** Runs `work` and collects its error if the session is damaged. */
async function collectDamage<T>(damage: TurnstoreError[], work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work()
  } catch (error) {
    if (!isDamage(error)) throw error
    damage.push(error)
    return undefined
  }
}
