import {
  decodeSession,
  type JsonObject,
  type SessionRecord,
  type SessionSummary,
} from '@turnstore/core'
import { encodeSession, timeKey } from '@turnstore/core/adapter'
import { workspaceField, workspaceOf } from './keyspace.js'
import { corruptSession, newerSession } from '../server/redis-errors.js'
import { decodePart } from './stored-records.js'

/** Version of the keyspace's format that we write and the newest that we read; `v` in a head. */
export const FORMAT = '1'

/** Everything of a session but its turns and transitions, with what conditions of writes are based on. */
export interface Head {
  readonly summary: SessionSummary
  readonly extra: JsonObject | undefined
  /** Another whenever old places of turns are void. */
  readonly generation: string
  /** The revision of the last change that did more than append. */
  readonly wideRevision: number
  readonly updated: Stamped
  readonly created: Stamped
}

/** The instant that a session stands at in an index, and the stamp of its entry there. */
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

/** What those who read the last turns need of a head. */
interface State {
  readonly revision: number
  readonly turnCount: number
  readonly workspaceId: string | null
}

/** The fields of a head that hold its state, in the order of {@link decodeState}. */
export const STATE_FIELDS: readonly string[] = ['v', 'r', 'n', 'ws']

/** How many values a reply has before what follows the head: its status and the fields. */
export const HEAD_LENGTH: number = 1 + HEAD_FIELDS.length

const LACKS_A_MEMBER = 'its head lacks a member'

/** Members of the wire format that a head has fields of their own for. */
const APART = new Set(['turns', 'agent_transitions', 'metadata', 'revision', 'updated_at', 'schema_version'])

/** What a head holds of a record as one text: all but what most changes alter. */
export function encodeFrame(session: SessionSummary & Pick<SessionRecord, 'extra'>): string {
  const { turnCount: _turns, agentTransitionCount: _transitions, ...members } = session
  const wire = encodeSession({ ...members, turns: [], agentTransitions: [], metadata: {}, updatedAt: '', revision: 1 })
  return JSON.stringify(Object.fromEntries(Object.entries(wire).filter(([name]) => !APART.has(name))))
}

/** What HMGET gives of the fields; null where there is no session. @throws `CORRUPT_SESSION`, `SCHEMA_TOO_NEW` */
export function decodeFields(sessionId: string, fields: readonly (string | null)[]): Head | null {
  return fields.every(field => field === null) ? null : decodeHead(sessionId, fields)
}

/** The same of the fields of its state. @throws `CORRUPT_SESSION`, `SCHEMA_TOO_NEW` */
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

function objectOf(source: unknown): JsonObject {
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
