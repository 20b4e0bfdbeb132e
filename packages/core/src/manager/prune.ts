import { TurnstoreError, withDetails } from '../basics/errors.js'
import { isDamage } from '../queries/page.js'
import type { SessionSummary } from '../records/models.js'
import { checkMembers } from '../basics/arguments.js'
import type { ScopeOptions } from '../basics/scope.js'
import { withOutcome } from '../basics/outcome.js'
import { matches } from '../queries/filter.js'
import { readQuery, type SessionQuery } from '../queries/query.js'
import type { SessionStore } from '../stores/session-store.js'

export interface PruneOptions extends ScopeOptions {
  /** ISO 8601, exclusive. A session without a readable time is not old. */
  updatedBefore?: string
  ended?: boolean
  /** Told of each session as soon as it is gone, also where pruning fails later on. */
  onDeleted?: (sessionId: string) => void
}

/** Pruning with its options checked. */
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
    throw new TurnstoreError('INVALID_ARGUMENT', 'options must name updatedBefore, ended or both; else all would go')
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

/** What `SessionManager.pruneSessions` does. */
export async function prune(store: SessionStore, { scope, query, isMeant, onDeleted }: Pruning): Promise<string[]> {
  const deleted: string[] = []
  const damage: TurnstoreError[] = []
  const deleteAll = async (): Promise<void> => {
    for await (const { sessionId } of store.sessions({ ...query, order: 'asc' })) {
      const isDeleted = await putOffDamage(damage, async () => {
        const summary = await store.loadSummary(sessionId, scope)
        return summary !== null && isMeant(summary) && store.deleteSession(sessionId, scope)
      })
      if (isDeleted !== true) continue
      deleted.push(sessionId)
      onDeleted?.(sessionId)
    }
  }
  // Each delete says itself what became of it; what else fails has written nothing.
  await withOutcome('not-stored', () => putOffDamage(damage, deleteAll))
  const [first] = damage
  if (first !== undefined) throw withDetails(first, { outcome: 'not-stored' })
  return deleted
}

/** Does it, and puts the error of a session that cannot be read by for later. */
async function putOffDamage<T>(damage: TurnstoreError[], work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work()
  } catch (error) {
    if (!isDamage(error)) throw error
    damage.push(error)
    return undefined
  }
}
