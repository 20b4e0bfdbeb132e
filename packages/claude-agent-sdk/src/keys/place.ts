import { type JsonObject, type SessionSummary, TurnstoreError } from '@turnstore/core'
import { digestOf, isValidId } from '@turnstore/core/adapter'
import type { SessionKey } from './sdk-types.js'

/** Where a transcript is stored. */
export interface Place {
  readonly key: SessionKey
  /** The id of the session in Turnstore. */
  readonly id: string
  readonly workspaceId: string
  /** Of a subagent: the session that it belongs to. */
  readonly parentSessionId: string | null
  /** What lists select by. */
  readonly metadata: JsonObject
}

/** The members of a session's metadata that say which transcript it is. The subpath is null for the main transcript. */
const PROJECT = 'claudeProject'
const SESSION = 'claudeSession'
const SUBPATH = 'claudeSubpath'

/**
 * The same session id may occur in two projects, and a project key may be longer than an id may be. So the id is a digest of
 * the key, and the metadata keeps the key readable.
 * @throws `INVALID_ARGUMENT`
 */
export function placeOf({ projectKey, sessionId, subpath }: SessionKey): Place {
  checkText(projectKey, 'key.projectKey')
  checkText(sessionId, 'key.sessionId')
  if (subpath !== undefined) checkText(subpath, 'key.subpath')
  const main = { projectKey, sessionId }
  const mainId = idOf(main)
  return {
    key: subpath === undefined ? main : { ...main, subpath },
    id: subpath === undefined ? mainId : idOf({ ...main, subpath }),
    workspaceId: workspaceOf(projectKey),
    parentSessionId: subpath === undefined ? null : mainId,
    metadata: { [PROJECT]: projectKey, [SESSION]: sessionId, [SUBPATH]: subpath ?? null },
  }
}

/** The workspace of a project: its key, or a digest if the key is too long for an id. */
export function workspaceOf(projectKey: string): string {
  checkText(projectKey, 'projectKey')
  return isValidId(projectKey) ? projectKey : `project-${digestOf(projectKey)}`
}

/** A query for the main transcripts of a project. */
export function ofProject(projectKey: string): { workspaceId: string; metadata: Record<string, string | null> } {
  return { workspaceId: workspaceOf(projectKey), metadata: { [PROJECT]: projectKey, [SUBPATH]: null } }
}

/** A query for a session's subagents. Forks of the session are among what it finds. */
export function ofSession({ key, id, workspaceId }: Place): {
  workspaceId: string
  parentSessionId: string
  metadata: Record<string, string | null>
} {
  const metadata = { [PROJECT]: key.projectKey, [SESSION]: key.sessionId }
  return { workspaceId, parentSessionId: id, metadata }
}

/** The key of a session that a query has found; null for a fork, which has the metadata of another session. */
export function keyOf({ sessionId: id, metadata }: Pick<SessionSummary, 'sessionId' | 'metadata'>): SessionKey | null {
  const { [PROJECT]: projectKey, [SESSION]: sessionId, [SUBPATH]: subpath } = metadata
  if (typeof projectKey !== 'string' || typeof sessionId !== 'string') return null
  const key = typeof subpath === 'string' ? { projectKey, sessionId, subpath } : { projectKey, sessionId }
  return idOf(key) === id ? key : null
}

function idOf({ projectKey, sessionId, subpath }: SessionKey): string {
  return `claude-${digestOf([projectKey, sessionId, subpath ?? null])}`
}

function checkText(value: unknown, what: string): void {
  if (typeof value === 'string' && value !== '') return
  throw new TurnstoreError('INVALID_ARGUMENT', `${what} must be a string that is not empty`)
}
