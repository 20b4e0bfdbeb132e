import { decodeSession, type JsonObject, type LastTurn, type SessionRecord, type SessionSummary } from '@turnstore/core'
import { encodeSession, lastTurnOf, timeKey } from '@turnstore/core/adapter'
import { corruptSession, newerSession } from '../server/redis-errors.js'
import { workspaceField, workspaceOf } from './keyspace.js'
import { decodePart, decodeStoredTurn } from './stored-records.js'
import { splitElement } from './stored-turn.js'

/** The version of the format, which a state begins with. */
export const FORMAT = '1'

/** The part of a head that every write changes. `src/lua/include/session.lua` describes it. */
export interface State {
  /** Changes when turns get new places. */
  readonly generation: string
  readonly revision: number
  /** The revision of the last change of the frame or the metadata. */
  readonly wideRevision: number
  readonly turnCount: number
  readonly transitionCount: number
  /** How many entries the log of changes has had. */
  readonly logged: number
  readonly updated: Stamped
  /** `updatedAt` as JSON. */
  readonly updatedAt: string
  readonly workspaceId: string | null
}

/** A session without its turns and transitions, and the fields that conditions of writes use. */
export interface Head {
  readonly state: State
  /** Without its last turn, unless that was read too. */
  readonly summary: SessionSummary
  readonly extra: JsonObject | undefined
  readonly created: Stamped
}

/** The instant that places a session in an index, and the stamp of its entry there. */
export interface Stamped {
  readonly time: string
  readonly stamp: string
}

/** The fields of a head, in the order of {@link decodeHead}: state, frame, metadata, instant and stamp of createdAt. */
export const HEAD_FIELDS: readonly string[] = ['c', 'f', 'd', 'ck', 'cs']

/** The field of a head that holds its state. */
export const STATE_FIELD = 'c'

/** The number of values in a reply up to the end of the head: the status and the fields. */
export const HEAD_LENGTH: number = 1 + HEAD_FIELDS.length

const LACKS_A_MEMBER = 'its head lacks a member'

/** Members of the wire format that have fields of their own in a head. */
const OWN_FIELDS = new Set(['turns', 'agent_transitions', 'metadata', 'revision', 'updated_at', 'schema_version'])

/** The members of a record that few changes alter, as one text. */
export function encodeFrame(members: Omit<SessionRecord, 'turns' | 'agentTransitions'>): string {
  const wire = encodeSession({ ...members, turns: [], agentTransitions: [], metadata: {}, updatedAt: '', revision: 1 })
  return JSON.stringify(Object.fromEntries(Object.entries(wire).filter(([name]) => !OWN_FIELDS.has(name))))
}

/** Decodes the fields of a head, and behind them the last turn. Null if there is no session. @throws `CORRUPT_SESSION`, `SCHEMA_TOO_NEW` */
export function decodeFields(sessionId: string, fields: readonly (string | null)[]): Head | null {
  return fields.slice(0, HEAD_FIELDS.length).every(field => field === null) ? null : decodeHead(sessionId, fields)
}

/** @throws `CORRUPT_SESSION`, `SCHEMA_TOO_NEW` */
export function decodeState(sessionId: string, text: string | null | undefined): State {
  const values = (text ?? '').split('\u001f')
  const [
    version,
    generation = '',
    revision,
    wide,
    turns,
    transitions,
    logged,
    ,
    ,
    ,
    ws = '',
    uk = '',
    us = '',
    u = '',
  ] = values
  if (version !== FORMAT) {
    if (version !== undefined && /^[1-9]\d*$/.test(version)) throw newerSession(sessionId, version)
    throw corruptSession(sessionId, 'its head has no version')
  }
  const counts = [revision, wide, turns, transitions, logged].map(countOf)
  if (values.length !== 14 || !/^(?:n$|w.)/s.test(ws) || counts.includes(-1)) {
    throw corruptSession(sessionId, LACKS_A_MEMBER)
  }
  const [revisionNumber = 0, wideRevision = 0, turnCount = 0, transitionCount = 0, logCount = 0] = counts
  return {
    generation,
    revision: revisionNumber,
    wideRevision,
    turnCount,
    transitionCount,
    logged: logCount,
    updated: { time: uk, stamp: us },
    updatedAt: u,
    workspaceId: workspaceOf(ws),
  }
}

/** @throws `CORRUPT_SESSION`, `SCHEMA_TOO_NEW` */
export function decodeHead(sessionId: string, fields: readonly (string | null | undefined)[]): Head {
  const [text, frame, metadata, ck, cs, last] = fields
  const state = decodeState(sessionId, text)
  if (!isText(frame) || !isText(metadata) || !isText(ck) || !isText(cs)) throw corruptSession(sessionId, LACKS_A_MEMBER)
  const record = decodePart(sessionId, 'its head', frame, source => decodeSession(source))
  if (record.sessionId !== sessionId) throw corruptSession(sessionId, 'its head is that of another session')
  if (workspaceField(record.workspaceId) !== workspaceField(state.workspaceId)) {
    throw corruptSession(sessionId, 'its head names two workspaces')
  }
  const updatedAt = decodePart(sessionId, 'its updatedAt', state.updatedAt, textOf)
  if (timeKey(updatedAt) !== state.updated.time || timeKey(record.createdAt) !== ck) {
    throw corruptSession(sessionId, 'its head names two times')
  }
  return {
    state,
    summary: {
      sessionId,
      workspaceId: record.workspaceId,
      parentSessionId: record.parentSessionId,
      agentId: record.agentId,
      createdAt: record.createdAt,
      updatedAt,
      metadata: decodePart(sessionId, 'its metadata', metadata, objectOf),
      revision: state.revision,
      turnCount: state.turnCount,
      agentTransitionCount: state.transitionCount,
      lastTurn: last === undefined ? null : decodeLastTurn(sessionId, last, state.turnCount),
    },
    extra: record.extra,
    created: { time: ck, stamp: cs },
  }
}

/** @throws `CORRUPT_SESSION` */
function decodeLastTurn(sessionId: string, element: string | null, turnCount: number): LastTurn | null {
  if (turnCount === 0) return null
  if (element === null) throw corruptSession(sessionId, 'turns are missing or too many')
  return lastTurnOf(decodeStoredTurn(sessionId, splitElement(element).json, turnCount - 1))
}

function textOf(source: unknown): string {
  if (typeof source !== 'string') throw new TypeError('no string')
  return source
}

export function objectOf(source: unknown): JsonObject {
  if (typeof source !== 'object' || source === null || Array.isArray(source)) throw new TypeError('no object')
  return { ...source }
}

/** -1 if it is none. */
function countOf(field: string | undefined): number {
  const count = field !== undefined && /^\d+$/.test(field) ? Number(field) : -1
  return Number.isSafeInteger(count) ? count : -1
}

function isText(value: string | null | undefined): value is string {
  return typeof value === 'string'
}
