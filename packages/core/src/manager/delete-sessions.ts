import { retryConflicts } from '../adapter-kit/retry-conflicts.js'
import { TurnstoreError, withDetails } from '../basics/errors.js'
import { isDamage } from '../queries/page.js'
import { checkMembers } from '../basics/arguments.js'
import type { ScopeOptions } from '../basics/scope.js'
import { withOutcome } from '../basics/outcome.js'
import { matches } from '../queries/filter.js'
import { type CheckedQuery, queryMembers, readQuery, type SessionQuery } from '../queries/query.js'
import type { SessionStore } from '../stores/session-store.js'

/** Which sessions to delete. A session must match all members, and there must be one. */
export type DeleteQuery = Omit<SessionQuery, 'orderBy' | 'order' | 'limit' | 'cursor'>

export interface DeleteSessionsOptions {
  /** Called with each session id right after its deletion, even if a later one fails. */
  onDeleted?: (sessionId: string) => void
}

export interface PruneOptions extends ScopeOptions, DeleteSessionsOptions {
  /** ISO 8601, exclusive. A session without a valid time never matches. */
  updatedBefore?: string
  /** Only sessions that have ended (`true`) or have not (`false`). */
  ended?: boolean
}

/** Checked arguments. */
export interface Deleting {
  readonly scope: ScopeOptions
  readonly query: SessionQuery
  readonly checked: CheckedQuery
  readonly onDeleted: DeleteSessionsOptions['onDeleted']
}

const members = queryMembers.filter(name => !['orderBy', 'order', 'limit', 'cursor'].includes(name))

/** @throws `INVALID_ARGUMENT` */
export function readDeleteSessions(query: DeleteQuery, options: DeleteSessionsOptions, scope: ScopeOptions): Deleting {
  checkMembers(query, 'query', members)
  checkMembers(options, 'options', ['onDeleted'])
  const isLimited = members.some(name => name !== 'signal' && Reflect.get(query, name) !== undefined)
  if (!isLimited) throw tooMany(`query must have a member besides signal`)
  return readDeleting({ ...query, ...scope }, scope, options.onDeleted, 'query')
}

/** @throws `INVALID_ARGUMENT` */
export function readPrune(options: PruneOptions, scope: ScopeOptions): Deleting {
  checkMembers(options, 'options', ['updatedBefore', 'ended', 'workspaceId', 'onDeleted'])
  const { updatedBefore, ended, onDeleted } = options
  if (updatedBefore === undefined && ended === undefined) {
    throw tooMany('options must have updatedBefore, ended or both')
  }
  const query: SessionQuery = {
    ...scope,
    ...(updatedBefore === undefined ? {} : { updatedBefore }),
    ...(ended === undefined ? {} : { ended }),
  }
  return readDeleting(query, scope, onDeleted, 'options')
}

function tooMany(problem: string): TurnstoreError {
  return new TurnstoreError('INVALID_ARGUMENT', `${problem}; otherwise every session would be deleted`)
}

function readDeleting(
  query: SessionQuery,
  scope: ScopeOptions,
  onDeleted: DeleteSessionsOptions['onDeleted'],
  what: string,
): Deleting {
  if (onDeleted !== undefined && typeof onDeleted !== 'function') {
    throw new TurnstoreError('INVALID_ARGUMENT', 'options.onDeleted must be a function')
  }
  return { scope, query, checked: readQuery(query, what), onDeleted }
}

/** Implements `SessionManager.deleteSessions` and `pruneSessions`. */
export async function deleteSessions(store: SessionStore, deleting: Deleting): Promise<string[]> {
  const { query, onDeleted } = deleting
  const deleted: string[] = []
  const damage: TurnstoreError[] = []
  const deleteAll = async (): Promise<void> => {
    for await (const { sessionId } of store.sessions({ ...query, order: 'asc' })) {
      const isDeleted = await collectDamage(damage, () => deleteIfMeant(store, sessionId, deleting))
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

/** Looks again, at the revision that it deletes: a session that no longer matches since it was listed is kept. */
async function deleteIfMeant(store: SessionStore, sessionId: string, { scope, checked }: Deleting): Promise<boolean> {
  return retryConflicts(sessionId, async () => {
    const summary = await store.loadSummary(sessionId, scope)
    if (summary === null || !matches(checked, summary)) return false
    return store.deleteSession(sessionId, { ...scope, ifRevision: summary.revision })
  })
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
