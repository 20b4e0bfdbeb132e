import { readFlag, readObject } from './arguments.js'
import { TurnstoreError } from './errors.js'
import { checkId } from './ids.js'

/**
 * Which sessions a call may see. `undefined`: all; a string: those of one workspace; null: those
 * without a workspace.
 */
export type Scope = string | null | undefined

export interface ScopeOptions {
  /**
   * The workspace that the session must belong to, null for one without a workspace. Leave the member
   * out for any; a member whose value is `undefined` is refused, since a forgotten tenant must not
   * mean all tenants.
   */
  workspaceId?: string | null
}

export interface WriteOptions extends ScopeOptions {
  /** Write only if the session is at this revision. 0, on a save: only if there is none. */
  ifRevision?: number
}

export interface DeleteOptions extends ScopeOptions {
  /**
   * Deletes a session whose data cannot be read too. Without it such a session is refused with
   * `CORRUPT_SESSION`, since what is left of it may still be saved. Where the damage hides the workspace,
   * a call with `workspaceId` is refused all the same.
   */
  evenIfDamaged?: boolean
}

/** How a session is to be deleted, as hooks receive it. */
export interface Deletion {
  readonly scope: Scope
  readonly evenIfDamaged: boolean
}

/** What a write is subject to, as hooks receive it; the check is part of the same atomic operation. */
export interface Condition {
  readonly ifRevision: number | undefined
  readonly scope: Scope
}

/** Whether a session of this workspace exists for a call with this scope. */
export function inScope(session: { readonly workspaceId: string | null }, scope: Scope): boolean {
  return scope === undefined || session.workspaceId === scope
}

/** @throws `INVALID_ARGUMENT`, `INVALID_ID` */
export function readScope(options: unknown, what = 'options'): Scope {
  return scopeOf(options === undefined ? {} : readObject(options, what, ['workspaceId']), what)
}

/** @throws `INVALID_ARGUMENT`, `INVALID_ID` */
export function readCondition(options: unknown, what = 'options'): Condition {
  const members = options === undefined ? {} : readObject(options, what, ['workspaceId', 'ifRevision'])
  const { ifRevision } = members
  if (ifRevision !== undefined && !(typeof ifRevision === 'number' && Number.isSafeInteger(ifRevision) && ifRevision >= 0)) {
    throw new TurnstoreError('INVALID_ARGUMENT', `${what}.ifRevision must be a whole number of at least 0`)
  }
  return { ifRevision, scope: scopeOf(members, what) }
}

/** @throws `INVALID_ARGUMENT`, `INVALID_ID` */
export function readDeletion(options: unknown, what = 'options'): Deletion {
  const members = options === undefined ? {} : readObject(options, what, ['workspaceId', 'evenIfDamaged'])
  return { scope: scopeOf(members, what), evenIfDamaged: readFlag(members.evenIfDamaged, `${what}.evenIfDamaged`) }
}

/** The `workspaceId` of options or of a query. @throws `INVALID_ARGUMENT`, `INVALID_ID` */
export function scopeOf(members: Record<string, unknown>, what: string): Scope {
  if (!('workspaceId' in members)) return undefined
  const { workspaceId } = members
  if (workspaceId === undefined) {
    throw new TurnstoreError(
      'INVALID_ARGUMENT',
      `${what}.workspaceId is undefined; leave it out for all workspaces, or say null for sessions without one`,
    )
  }
  return workspaceId === null ? null : checkId(workspaceId, `${what}.workspaceId`)
}
