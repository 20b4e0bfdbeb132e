import { decodeCursor } from './cursor.js'
import type { CheckedFilter } from './filter.js'
import type { Position } from './position.js'
import { TurnstoreError } from '../basics/errors.js'
import { readObject } from '../basics/arguments.js'
import { readSignal, type Signal } from '../basics/signal.js'
import type { TurnStatus } from '../records/models.js'
import { scopeOf } from '../basics/scope.js'
import { quote } from '../basics/text.js'
import { timeKey } from '../basics/time.js'
import { wholeNumber } from '../basics/arguments.js'

/** Which sessions to list, and in which order. All members are optional. A session must match all of them. */
export interface SessionQuery {
  /** One workspace; null for sessions without a workspace. Omit it for all sessions. */
  workspaceId?: string | null
  /** The session's `agentId`, which agent transitions do not change; null for sessions without an agent. */
  agentId?: string | null
  /** Forks of this session; null for sessions that are not forks. */
  parentSessionId?: string | null
  /** Only sessions that have ended (`true`) or have not (`false`). */
  ended?: boolean
  /** Only sessions whose last turn has this status. With `running` and `updatedBefore`, those that may be abandoned. */
  lastTurnStatus?: TurnStatus
  /** ISO 8601, exclusive. A stored time that is empty or invalid matches none of these four. */
  updatedAfter?: string
  updatedBefore?: string
  createdAfter?: string
  createdBefore?: string
  /** Top-level metadata members that must exist with the same value and type. */
  metadata?: { readonly [key: string]: string | number | boolean | null }
  /** Default `updatedAt`. Sessions with equal times are ordered by id. */
  orderBy?: 'updatedAt' | 'createdAt'
  /** Default `desc`, which is the exact reverse of `asc`. */
  order?: 'desc' | 'asc'
  /** Sessions per page, 1 to 1,000; default 50. */
  limit?: number
  /** The `cursor` of the previous page. The query must be the same, except for `limit`. */
  cursor?: string
  /** Aborts the call: it rejects with the signal's reason. */
  signal?: Signal
}

/** A checked query, as hooks receive it. */
export interface CheckedQuery extends CheckedFilter {
  readonly limit: number
  /** The page starts after this position, in the query's order. */
  readonly after: Position | undefined
}

export const queryMembers: readonly string[] = [
  'workspaceId',
  'agentId',
  'parentSessionId',
  'ended',
  'lastTurnStatus',
  'updatedAfter',
  'updatedBefore',
  'createdAfter',
  'createdBefore',
  'metadata',
  'orderBy',
  'order',
  'limit',
  'cursor',
  'signal',
]

export const DEFAULT_LIMIT = 50
export const MAX_LIMIT = 1000

/** @throws `INVALID_ARGUMENT`, `INVALID_ID` */
export function readQuery(source: unknown, what = 'query'): CheckedQuery {
  const query = source === undefined ? {} : readObject(source, what, queryMembers)
  const filter = {
    scope: scopeOf(query, what),
    agentId: textOrNull(query, what, 'agentId'),
    parentSessionId: textOrNull(query, what, 'parentSessionId'),
    ended: readBoolean(query, what, 'ended'),
    lastTurnStatus: readText(query, what, 'lastTurnStatus'),
    updatedAfter: readTime(query, what, 'updatedAfter'),
    updatedBefore: readTime(query, what, 'updatedBefore'),
    createdAfter: readTime(query, what, 'createdAfter'),
    createdBefore: readTime(query, what, 'createdBefore'),
    metadata: readMetadata(query.metadata, `${what}.metadata`),
    orderBy: oneOf(query, what, 'orderBy', ['updatedAt', 'createdAt'] as const),
    order: oneOf(query, what, 'order', ['desc', 'asc'] as const),
  }
  const { limit, cursor } = query
  readSignal(query.signal, `${what}.signal`)
  return {
    ...filter,
    limit: limit === undefined ? DEFAULT_LIMIT : wholeNumber(limit, `${what}.limit`, 1, MAX_LIMIT),
    after: cursor === undefined ? undefined : decodeCursor(cursor, filter),
  }
}

function textOrNull(query: Record<string, unknown>, what: string, name: string): string | null | undefined {
  const value = query[name]
  if (value === undefined || value === null || typeof value === 'string') return value
  throw new TurnstoreError('INVALID_ARGUMENT', `${what}.${name} must be a string or null`)
}

function readText(query: Record<string, unknown>, what: string, name: string): string | undefined {
  const value = query[name]
  if (value === undefined || typeof value === 'string') return value
  throw new TurnstoreError('INVALID_ARGUMENT', `${what}.${name} must be a string`)
}

function readBoolean(query: Record<string, unknown>, what: string, name: string): boolean | undefined {
  const value = query[name]
  if (value === undefined || typeof value === 'boolean') return value
  throw new TurnstoreError('INVALID_ARGUMENT', `${what}.${name} must be true or false`)
}

function readTime(query: Record<string, unknown>, what: string, name: string): string | undefined {
  const value = query[name]
  if (value === undefined) return undefined
  const key = typeof value === 'string' ? timeKey(value) : ''
  if (key === '') {
    throw new TurnstoreError('INVALID_ARGUMENT', `${what}.${name} must be an ISO 8601 time, like 2026-01-31T12:00:00Z`)
  }
  return key
}

/** The first choice is the default. */
function oneOf<T extends string>(
  query: Record<string, unknown>,
  what: string,
  name: string,
  choices: readonly [T, ...T[]],
): T {
  const value = query[name]
  if (value === undefined) return choices[0]
  const choice = choices.find(known => known === value)
  if (choice === undefined)
    throw new TurnstoreError('INVALID_ARGUMENT', `${what}.${name} must be ${choices.join(' or ')}`)
  return choice
}

function readMetadata(source: unknown, what: string): CheckedFilter['metadata'] {
  if (source === undefined) return []
  if (typeof source !== 'object' || source === null || Array.isArray(source)) {
    throw new TurnstoreError('INVALID_ARGUMENT', `${what} must be an object`)
  }
  return Object.entries(source).map(([key, value]: [string, unknown]) => {
    if (value === null || typeof value === 'string' || typeof value === 'boolean') return [key, value]
    if (typeof value === 'number' && Number.isFinite(value)) return [key, value === 0 ? 0 : value]
    throw new TurnstoreError(
      'INVALID_ARGUMENT',
      `${what}[${quote(key)}] must be a string, a finite number, true, false or null`,
    )
  })
}
