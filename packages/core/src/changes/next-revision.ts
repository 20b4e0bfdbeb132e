import { revisionConflict, sessionExists, TurnstoreError } from '../basics/errors.js'
import type { Condition } from '../basics/scope.js'

/** The revision that saving a whole record leads to. @throws `SESSION_EXISTS`, `REVISION_CONFLICT`, `INVALID_RECORD` */
export function nextRevision(
  session: { readonly sessionId: string; readonly workspaceId: string | null },
  current: { readonly workspaceId: string | null; readonly revision: number } | null,
  { ifRevision }: Condition,
): number {
  // Before anything else: of another workspace's session nothing may be learned, not its revision.
  if (current !== null && current.workspaceId !== session.workspaceId) throw sessionExists(session.sessionId)
  const revision = current?.revision ?? 0
  if (ifRevision !== undefined && ifRevision !== revision) throw revisionConflict(session.sessionId, ifRevision, revision)
  return revisionAfter(session.sessionId, revision)
}

/**
 * The revision that a write leads to: what is stored from somebody else's hand may be at the last one.
 * @throws `INVALID_RECORD`
 */
export function revisionAfter(sessionId: string, revision: number): number {
  if (revision < Number.MAX_SAFE_INTEGER) return revision + 1
  const message = `Session ${sessionId} is at revision ${revision}, the last that there is, and takes no change`
  throw new TurnstoreError('INVALID_RECORD', `${message}. Fork it, or set a lower one where it is stored`, {
    sessionId,
    outcome: 'not-stored',
  })
}
