import { decodeCursor, encodeCursor } from './cursor.js'
import { TurnstoreError } from './errors.js'
import type { JsonObject } from './json.js'
import { isEnded, type SessionSummary } from './models.js'
import { readObject, type Scope, scopeOf } from './options.js'
import { compareUtf8, quote } from './text.js'
import { timeKey } from './time.js'
import { wholeNumber } from './turn-range.js'

/** Which sessions to list, in which order. Everything is optional; what is named must hold together. */
export interface SessionQuery {
  /** Sessions of one workspace; null: those without one; left out: all. */
  workspaceId?: string | null
  /** The session's own, whoever took over from it; null: sessions without one. */
  agentId?: string | null
  /** The session that they were forked from; null: those that are no fork. */
  parentSessionId?: string | null
  /** Sessions that were ended, or those that were not. */
  ended?: boolean
  /** Exclusive, ISO 8601. A stored time that is empty or unreadable matches none of the four. */
  updatedAfter?: string
  updatedBefore?: string
  createdAfter?: string
  createdBefore?: string
  /** Top-level members that must be there and equal, type included. */
  metadata?: { readonly [key: string]: string | number | boolean | null }
  /** Default `updatedAt`. Ids decide between equal times. */
  orderBy?: 'updatedAt' | 'createdAt'
  /** Default `desc`, the exact reverse of `asc`. */
  order?: 'desc' | 'asc'
  /** Sessions a page, 1 to 1,000; default 50. */
  limit?: number
  /** That of the page before. It belongs to its query; only `limit` may differ. */
  cursor?: string
}

/** A page may be short, or even empty where a filter is sparse; only `cursor: null` ends the list. */
export interface SessionPage {
  sessions: SessionSummary[]
  cursor: string | null
  /**
   * Sessions in the scope of the query whose data cannot be read: on the page where they stand, or, in
   * a store without an index, all of them on the first. The others are listed all the same.
   */
  damaged?: DamagedSession[]
}

export interface DamagedSession {
  sessionId: string
  code: 'CORRUPT_SESSION' | 'SCHEMA_TOO_NEW'
  message: string
}

/** A place in an order: the instant of a session as `timeKey` gives it, and its id. */
export interface Position {
  readonly time: string
  readonly sessionId: string
}

/** A query as hooks receive it. Times are keys, comparable as text. */
export interface NormalQuery {
  readonly scope: Scope
  readonly agentId: string | null | undefined
  readonly parentSessionId: string | null | undefined
  readonly ended: boolean | undefined
  readonly updatedAfter: string | undefined
  readonly updatedBefore: string | undefined
  readonly createdAfter: string | undefined
  readonly createdBefore: string | undefined
  readonly metadata: readonly (readonly [key: string, value: string | number | boolean | null])[]
  readonly orderBy: 'updatedAt' | 'createdAt'
  readonly order: 'desc' | 'asc'
  readonly limit: number
  /** The page begins behind this place, in the direction of the order. */
  readonly after: Position | undefined
}

export const queryMembers: readonly string[] = [
  'workspaceId',
  'agentId',
  'parentSessionId',
  'ended',
  'updatedAfter',
  'updatedBefore',
  'createdAfter',
  'createdBefore',
  'metadata',
  'orderBy',
  'order',
  'limit',
  'cursor',
]

export const DEFAULT_LIMIT = 50
export const MAX_LIMIT = 1000

/** @throws `INVALID_ARGUMENT`, `INVALID_ID` */
export function readQuery(source: unknown, what = 'query'): NormalQuery {
  const query = source === undefined ? {} : readObject(source, what, queryMembers)
  const filter = {
    scope: scopeOf(query, what),
    agentId: textOrNull(query, what, 'agentId'),
    parentSessionId: textOrNull(query, what, 'parentSessionId'),
    ended: readBoolean(query, what, 'ended'),
    updatedAfter: readTime(query, what, 'updatedAfter'),
    updatedBefore: readTime(query, what, 'updatedBefore'),
    createdAfter: readTime(query, what, 'createdAfter'),
    createdBefore: readTime(query, what, 'createdBefore'),
    metadata: readMetadata(query.metadata, `${what}.metadata`),
    orderBy: oneOf(query, what, 'orderBy', ['updatedAt', 'createdAt'] as const),
    order: oneOf(query, what, 'order', ['desc', 'asc'] as const),
  }
  const { limit, cursor } = query
  return {
    ...filter,
    limit: limit === undefined ? DEFAULT_LIMIT : wholeNumber(limit, `${what}.limit`, 1, MAX_LIMIT),
    after: cursor === undefined ? undefined : decodeCursor(cursor, filter),
  }
}

/** The cursor of a page that ends with this session, or that looked as far as this place. */
export function cursorBehind(query: NormalQuery, last: SessionSummary | Position): string {
  const { limit: _limit, after: _after, ...filter } = query
  return encodeCursor('time' in last ? last : positionOf(last, query.orderBy), filter)
}

function textOrNull(query: Record<string, unknown>, what: string, name: string): string | null | undefined {
  const value = query[name]
  if (value === undefined || value === null || typeof value === 'string') return value
  throw new TurnstoreError('INVALID_ARGUMENT', `${what}.${name} must be a string or null`)
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
    throw new TurnstoreError('INVALID_ARGUMENT', `${what}.${name} must be a time in ISO 8601, like 2026-01-31T12:00:00Z`)
  }
  return key
}

/** The first of the choices is the default. */
function oneOf<T extends string>(
  query: Record<string, unknown>,
  what: string,
  name: string,
  choices: readonly [T, ...T[]],
): T {
  const value = query[name]
  if (value === undefined) return choices[0]
  const choice = choices.find(known => known === value)
  if (choice === undefined) throw new TurnstoreError('INVALID_ARGUMENT', `${what}.${name} must be ${choices.join(' or ')}`)
  return choice
}

function readMetadata(source: unknown, what: string): NormalQuery['metadata'] {
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

/** Whether a session is one that a query means, wherever the page begins. */
export function matches(query: NormalQuery, session: SessionSummary): boolean {
  return (
    (query.scope === undefined || session.workspaceId === query.scope) &&
    (query.agentId === undefined || session.agentId === query.agentId) &&
    (query.parentSessionId === undefined || session.parentSessionId === query.parentSessionId) &&
    (query.ended === undefined || isEnded(session) === query.ended) &&
    isBetween(session.updatedAt, query.updatedAfter, query.updatedBefore) &&
    isBetween(session.createdAt, query.createdAfter, query.createdBefore) &&
    query.metadata.every(([key, value]) => hasMember(session.metadata, key, value))
  )
}

function isBetween(time: string, after: string | undefined, before: string | undefined): boolean {
  if (after === undefined && before === undefined) return true
  const key = timeKey(time)
  return key !== '' && (after === undefined || key > after) && (before === undefined || key < before)
}

function hasMember(metadata: JsonObject, key: string, value: string | number | boolean | null): boolean {
  return Object.hasOwn(metadata, key) && metadata[key] === value
}

export function positionOf(session: SessionSummary, orderBy: NormalQuery['orderBy']): Position {
  return { time: timeKey(session[orderBy]), sessionId: session.sessionId }
}

/** Ascending: by instant, and by the UTF-8 bytes of the id where two are equal. */
export function comparePositions(a: Position, b: Position): number {
  if (a.time !== b.time) return a.time < b.time ? -1 : 1
  return compareUtf8(a.sessionId, b.sessionId)
}

/** The page that a query means out of summaries in any order, for a store without an index. */
export function pageOfSummaries(query: NormalQuery, summaries: readonly SessionSummary[]): SessionPage {
  const direction = query.order === 'asc' ? 1 : -1
  const { after } = query
  const rest = summaries
    .filter(session => matches(query, session))
    .map(session => ({ session, position: positionOf(session, query.orderBy) }))
    .filter(({ position }) => after === undefined || comparePositions(position, after) * direction > 0)
    .toSorted((a, b) => comparePositions(a.position, b.position) * direction)
  const sessions = rest.slice(0, query.limit).map(({ session }) => session)
  const last = sessions.at(-1)
  return { sessions, cursor: last === undefined || rest.length <= query.limit ? null : cursorBehind(query, last) }
}
