import { readFlag, readObject } from './arguments.js'
import { TurnstoreError } from './errors.js'
import { checkId } from './ids.js'
import { readSignal, type Signal } from './signal.js'

/**
 * Which sessions a call can see: all (`undefined`), those of one workspace (a string), or those without
 * a workspace (null).
 */
export type Scope = string | null | undefined

export interface ScopeOptions {
  /**
   * The workspace that the session must belong to; null for sessions without one. Omit it to allow any
   * workspace. An explicit `undefined` is refused, so that a forgotten tenant never means all tenants.
   */
  workspaceId?: string | null
}

export interface ReadOptions extends ScopeOptions {
  /** Aborts the call: it rejects with the signal's reason. */
  signal?: Signal
}

export interface WriteOptions extends ScopeOptions {
  /** Write only if the session is at this revision. For a save, 0 means: only if it does not exist. */
  ifRevision?: number
}

export interface DeleteOptions extends ScopeOptions {
  /** Delete only if the session is at this revision. Not together with `evenIfDamaged`. */
  ifRevision?: number
  /**
   * Also delete a damaged session. Without this, the call fails with `CORRUPT_SESSION`, because the data
   * may still be recoverable. If the damage hides the session's workspace, a call with `workspaceId` still
   * fails.
   */
  evenIfDamaged?: boolean
}

/** Checked options of a delete, as hooks receive them. */
export interface Deletion {
  readonly scope: Scope
  /** Undefined if `evenIfDamaged` is true. */
  readonly ifRevision: number | undefined
  readonly evenIfDamaged: boolean
}

/** The condition of a write, as hooks receive it. The check is part of the same atomic operation. */
export interface Condition {
  readonly ifRevision: number | undefined
  readonly scope: Scope
}

/** Whether a call with this scope can see the session. */
export function inScope(session: { readonly workspaceId: string | null }, scope: Scope): boolean {
  return scope === undefined || session.workspaceId === scope
}

/** @throws `INVALID_ARGUMENT`, `INVALID_ID` */
export function readScope(options: unknown, what = 'options'): Scope {
  return scopeOf(options === undefined ? {} : readObject(options, what, ['workspaceId']), what)
}

/** The checked options of a read. */
export interface Reading {
  readonly scope: Scope
  readonly signal: Signal | undefined
}

/** @throws `INVALID_ARGUMENT`, `INVALID_ID` */
export function readReading(options: unknown, what = 'options'): Reading {
  const members = options === undefined ? {} : readObject(options, what, ['workspaceId', 'signal'])
  return { scope: scopeOf(members, what), signal: readSignal(members.signal, `${what}.signal`) }
}

/** @throws `INVALID_ARGUMENT`, `INVALID_ID` */
export function readCondition(options: unknown, what = 'options'): Condition {
  const members = options === undefined ? {} : readObject(options, what, ['workspaceId', 'ifRevision'])
  return { ifRevision: readRevision(members.ifRevision, 0, what), scope: scopeOf(members, what) }
}

/** @throws `INVALID_ARGUMENT`, `INVALID_ID` */
export function readDeletion(options: unknown, what = 'options'): Deletion {
  const members = options === undefined ? {} : readObject(options, what, ['workspaceId', 'ifRevision', 'evenIfDamaged'])
  const ifRevision = readRevision(members.ifRevision, 1, what)
  const evenIfDamaged = readFlag(members.evenIfDamaged, `${what}.evenIfDamaged`)
  if (evenIfDamaged && ifRevision !== undefined) {
    const problem = `${what} has ifRevision and evenIfDamaged; a damaged session has no revision to compare`
    throw new TurnstoreError('INVALID_ARGUMENT', problem)
  }
  return { scope: scopeOf(members, what), ifRevision, evenIfDamaged }
}

function readRevision(value: unknown, least: number, what: string): number | undefined {
  if (value === undefined || (typeof value === 'number' && Number.isSafeInteger(value) && value >= least)) return value
  throw new TurnstoreError('INVALID_ARGUMENT', `${what}.ifRevision must be a whole number of at least ${least}`)
}

/** Reads `workspaceId` from options or a query. @throws `INVALID_ARGUMENT`, `INVALID_ID` */
export function scopeOf(members: Record<string, unknown>, what: string): Scope {
  if (!('workspaceId' in members)) return undefined
  const { workspaceId } = members
  if (workspaceId === undefined) {
    throw new TurnstoreError(
      'INVALID_ARGUMENT',
      `${what}.workspaceId is undefined; omit it for all workspaces, or use null for sessions without one`,
    )
  }
  return workspaceId === null ? null : checkId(workspaceId, `${what}.workspaceId`)
}
