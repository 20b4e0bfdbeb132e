import { TurnstoreError } from './errors.js'
import { isDamage } from './listing.js'
import type { SessionSummary } from './models.js'
import { checkMembers, type ScopeOptions } from './options.js'
import { eachOrFailWith, failWith } from './outcome.js'
import { matches, readQuery, type SessionQuery } from './query.js'
import type { SessionStore } from './store.js'

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
  await putOffDamage(damage, async () => {
    const listing = store.sessions({ ...query, order: 'asc' })
    for await (const { sessionId } of eachOrFailWith('not-stored', listing)) {
      const isDeleted = await putOffDamage(damage, async () => {
        const summary = await store.loadSummary(sessionId, scope).catch(failWith('not-stored'))
        return summary !== null && isMeant(summary) && store.deleteSession(sessionId, scope)
      })
      if (isDeleted !== true) continue
      deleted.push(sessionId)
      onDeleted?.(sessionId)
    }
  })
  const [first] = damage
  if (first !== undefined) throw first
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
