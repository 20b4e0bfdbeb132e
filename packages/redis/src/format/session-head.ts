import { decodeSession, type JsonObject, type SessionRecord, type SessionSummary } from '@turnstore/core'
import { encodeSession, timeKey } from '@turnstore/core/adapter'
import { corruptSession, newerSession } from '../server/redis-errors.js'
import { workspaceField, workspaceOf } from './keyspace.js'
import { decodePart } from './stored-records.js'

/** The version of the format, also `v` in a head. */
export const FORMAT = '1'

/** A session without its turns and transitions, and the fields that conditions of writes use. */
export interface Head {
  readonly summary: SessionSummary
  readonly extra: JsonObject | undefined
  /** Changes when turns get new places. */
  readonly generation: string
  /** The revision of the last change other than an append. */
  readonly wideRevision: number
  readonly updated: Stamped
  readonly created: Stamped
}

/** The instant that places a session in an index, and the stamp of its entry there. */
export interface Stamped {
  readonly time: string
  readonly stamp: string
}

/** The fields of a head that describe it, in the order of {@link decodeHead}. */
export const HEAD_FIELDS: readonly string[] = [
  'v',
  'g',
  'r',
  'w',
  'n',
  'm',
  'ws',
  'f',
  'd',
  'u',
  'uk',
  'us',
  'ck',
  'cs',
]

/** The part of a head that reading the last turns needs. */
interface State {
  readonly revision: number
  readonly turnCount: number
  readonly workspaceId: string | null
}

/** The fields of a head that hold its state, in the order of {@link decodeState}. */
export const STATE_FIELDS: readonly string[] = ['v', 'r', 'n', 'ws']

/** The number of values in a reply up to the end of the head: the status and the fields. */
export const HEAD_LENGTH: number = 1 + HEAD_FIELDS.length

const LACKS_A_MEMBER = 'its head lacks a member'

/** Members of the wire format that have fields of their own in a head. */
const OWN_FIELDS = new Set(['turns', 'agent_transitions', 'metadata', 'revision', 'updated_at', 'schema_version'])

/** The members of a record that few changes alter, as one text. */
export function encodeFrame(session: SessionSummary & Pick<SessionRecord, 'extra'>): string {
  const { turnCount: _turns, agentTransitionCount: _transitions, ...members } = session
  const wire = encodeSession({ ...members, turns: [], agentTransitions: [], metadata: {}, updatedAt: '', revision: 1 })
  return JSON.stringify(Object.fromEntries(Object.entries(wire).filter(([name]) => !OWN_FIELDS.has(name))))
}

/** Decodes the reply of HMGET. Null if there is no session. @throws `CORRUPT_SESSION`, `SCHEMA_TOO_NEW` */
export function decodeFields(sessionId: string, fields: readonly (string | null)[]): Head | null {
  return fields.every(field => field === null) ? null : decodeHead(sessionId, fields)
}

/** As {@link decodeFields}, for the fields of the state. @throws `CORRUPT_SESSION`, `SCHEMA_TOO_NEW` */
export function decodeStateFields(sessionId: string, fields: readonly (string | null)[]): State | null {
  return fields.every(field => field === null) ? null : decodeState(sessionId, fields)
}

function decodeState(sessionId: string, fields: readonly (string | null | undefined)[]): State {
  const [version, revision, turns, workspace] = fields
  if (version !== FORMAT) {
    if (isText(version) && /^[1-9]\d*$/.test(version)) throw newerSession(sessionId, version)
    throw corruptSession(sessionId, 'its head has no version')
  }
  const [revisionNumber, turnCount] = [countOf(revision), countOf(turns)]
  if (!isText(workspace) || !/^(?:n$|w.)/s.test(workspace) || revisionNumber === null || turnCount === null) {
    throw corruptSession(sessionId, LACKS_A_MEMBER)
  }
  return { revision: revisionNumber, turnCount, workspaceId: workspaceOf(workspace) }
}

/** @throws `CORRUPT_SESSION`, `SCHEMA_TOO_NEW` */
export function decodeHead(sessionId: string, fields: readonly (string | null | undefined)[]): Head {
  const [version, generation, revision, wide, turns, transitions, workspace, frame, metadata, updatedAt, ...stamps] =
    fields
  const state = decodeState(sessionId, [version, revision, turns, workspace])
  const [wideRevision, agentTransitionCount] = [countOf(wide), countOf(transitions)]
  const [uk, us, ck, cs] = stamps
  if (
    wideRevision === null ||
    agentTransitionCount === null ||
    !isText(generation) ||
    !isText(frame) ||
    !isText(metadata) ||
    !isText(updatedAt) ||
    !isText(uk) ||
    !isText(us) ||
    !isText(ck) ||
    !isText(cs)
  ) {
    throw corruptSession(sessionId, LACKS_A_MEMBER)
  }
  const record = decodePart(sessionId, 'its head', frame, source => decodeSession(source))
  if (record.sessionId !== sessionId) throw corruptSession(sessionId, 'its head is that of another session')
  if (workspaceField(record.workspaceId) !== workspace) throw corruptSession(sessionId, 'its head names two workspaces')
  const updated = decodePart(sessionId, 'its updatedAt', updatedAt, textOf)
  if (timeKey(updated) !== uk || timeKey(record.createdAt) !== ck) {
    throw corruptSession(sessionId, 'its head names two times')
  }
  return {
    summary: {
      sessionId,
      workspaceId: record.workspaceId,
      parentSessionId: record.parentSessionId,
      agentId: record.agentId,
      createdAt: record.createdAt,
      updatedAt: updated,
      metadata: decodePart(sessionId, 'its metadata', metadata, objectOf),
      revision: state.revision,
      turnCount: state.turnCount,
      agentTransitionCount,
    },
    extra: record.extra,
    generation,
    wideRevision,
    updated: { time: uk, stamp: us },
    created: { time: ck, stamp: cs },
  }
}

function textOf(source: unknown): string {
  if (typeof source !== 'string') throw new TypeError('no string')
  return source
}

export function objectOf(source: unknown): JsonObject {
  if (typeof source !== 'object' || source === null || Array.isArray(source)) throw new TypeError('no object')
  return { ...source }
}

function countOf(field: string | null | undefined): number | null {
  const count = isText(field) && /^\d+$/.test(field) ? Number(field) : Number.NaN
  return Number.isSafeInteger(count) ? count : null
}

function isText(value: string | null | undefined): value is string {
  return typeof value === 'string'
}
