import { revisionConflict, sessionExists, TurnstoreError } from '../basics/errors.js'
import type { Condition } from '../basics/scope.js'

/** The revision that a save of the whole record produces. @throws `SESSION_EXISTS`, `REVISION_CONFLICT`, `INVALID_RECORD` */
export function nextRevision(
  session: { readonly sessionId: string; readonly workspaceId: string | null },
  current: { readonly workspaceId: string | null; readonly revision: number } | null,
  { ifRevision }: Condition,
): number {
  // Checked first, so that the caller learns nothing about another workspace's session, not even its revision.
  if (current !== null && current.workspaceId !== session.workspaceId) throw sessionExists(session.sessionId)
  const revision = current?.revision ?? 0
  checkRevision(session.sessionId, ifRevision, revision)
  return revisionAfter(session.sessionId, revision)
}

/** Checks the condition of a save or of a deletion. @throws `REVISION_CONFLICT` */
export function checkRevision(sessionId: string, ifRevision: number | undefined, revision: number): void {
  if (ifRevision !== undefined && ifRevision !== revision) throw revisionConflict(sessionId, ifRevision, revision)
}

/**
 * The revision that a write produces. Imported data may already be at the highest revision.
 * @throws `INVALID_RECORD`
 */
export function revisionAfter(sessionId: string, revision: number): number {
  if (revision < Number.MAX_SAFE_INTEGER) return revision + 1
  const message = `Session ${sessionId} is at the highest possible revision, ${revision}, and cannot be changed`
  throw new TurnstoreError('INVALID_RECORD', `${message}. Fork it, or lower the stored revision`, {
    sessionId,
    outcome: 'not-stored',
  })
}
