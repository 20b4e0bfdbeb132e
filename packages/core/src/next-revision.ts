import { revisionConflict, sessionExists } from './errors.js'
import type { Condition } from './options.js'

/** The revision that saving a whole record leads to. @throws `SESSION_EXISTS`, `REVISION_CONFLICT` */
export function nextRevision(
  session: { readonly sessionId: string; readonly workspaceId: string | null },
  current: { readonly workspaceId: string | null; readonly revision: number } | null,
  { ifRevision }: Condition,
): number {
  // Before anything else: of another workspace's session nothing may be learned, not its revision.
  if (current !== null && current.workspaceId !== session.workspaceId) throw sessionExists(session.sessionId)
  const revision = current?.revision ?? 0
  if (ifRevision !== undefined && ifRevision !== revision) throw revisionConflict(session.sessionId, ifRevision, revision)
  return revision + 1
}
