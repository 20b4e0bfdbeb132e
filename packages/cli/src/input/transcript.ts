import {
  createSession,
  decodeSession,
  type JsonObject,
  type MessageProblem,
  type SessionRecord,
  type TurnRecord,
} from '@turnstore/core'
import { isValidId } from '@turnstore/core/adapter'
import { type Format, recognize, timeOf } from '@turnstore/formats'
import { Failure } from '../terminal/cli.js'
import { figure } from '../terminal/figure.js'
import { describeProblems } from './message-problems.js'
import { isAsWritten, isObject, type ParsedJson } from './parse-json.js'
import type { RecordSource } from './record-source.js'
import { timesOf } from './session-times.js'

/** A session read from a record of a file. */
export interface ReadSession {
  readonly session: SessionRecord
  /** What turns cannot represent: one sentence per kind, the greatest loss first. */
  readonly problems: readonly string[]
  /** Information that is not a problem. */
  readonly notes: readonly string[]
}

/** Where a record comes from, and the workspace to import it into. */
interface Origin {
  readonly source: RecordSource
  readonly place: number
  /** The format of a transcript's messages; undefined to recognize it. */
  readonly format: Format | undefined
  readonly workspaceId: string | undefined
}

/**
 * Whether a file with this record has one session a record: a transcript, `{ id, messages, metadata }`, or a session in
 * the wire format. Some tools write a session as a record with messages too.
 */
export function isSessionRecord(json: unknown): boolean {
  if (!isObject(json)) return false
  if (Object.hasOwn(json, 'session_id')) return isTranscript(json) || isExport(json)
  return Array.isArray(json.messages) && !('format' in recognize([json]))
}

/**
 * Reads a transcript, `{ id, messages, metadata }`, or a session in the wire format, recognized by its `session_id`.
 * A record with a `session_id`, `messages` and no turns is a transcript.
 *
 * @throws {Failure} and `TurnstoreError`; the message is meant to follow the position of the record
 */
export function readSession(parsed: ParsedJson, origin: Origin): ReadSession {
  const read = readRecord(parsed, origin)
  if (parsed.rounded === 0) return read
  const note = `integers rounded because JavaScript cannot represent them exactly: ${figure(parsed.rounded)}`
  return { ...read, notes: [...read.notes, note] }
}

function readRecord({ json, writtenIds }: ParsedJson, { source, place, format, workspaceId }: Origin): ReadSession {
  if (!isObject(json)) throw new Failure('not a JSON object')
  const idName = Object.hasOwn(json, 'session_id') ? 'session_id' : 'id'
  if (idName === 'session_id' && !isTranscript(json) && isExport(json)) return readExport(json, workspaceId)
  if (isMessage(json)) {
    throw new Failure(
      'a single message; wrap the messages of a conversation in one record: { "id": "chat-1", "messages": [ … ] }',
    )
  }
  if (!Object.hasOwn(json, 'messages')) {
    throw new Failure('neither a transcript { id, messages, metadata } nor an exported session')
  }
  const { [idName]: id = null, messages, metadata = null } = json
  if (!Array.isArray(messages)) throw new Failure('messages must be an array')
  if (metadata !== null && !isJsonObject(metadata)) throw new Failure('metadata must be an object')

  const notes: string[] = []
  const known = [idName, 'messages', 'metadata', 'created_at', 'updated_at']
  const unknown = Object.keys(json).filter(key => !known.includes(key))
  if (unknown.length > 0) notes.push(`members not imported: ${unknown.join(', ')}`)
  const isNamed = id !== null && id !== ''
  const written = writtenIds.get(idName)
  const givenId = typeof id === 'number' ? numericId(id, written) : id
  const sessionId = isNamed ? givenId : source.nameOf({ json, place })
  if (!isValidId(sessionId)) throw new Failure('the id must be a string of 1 to 200 bytes without control characters')
  if (!isNamed) notes.push(`no id; imported as ${sessionId}`)

  const problems: MessageProblem[] = []
  const turns = (format ?? formatOf(messages)).toTurns(messages, { onProblem: problem => problems.push(problem) })
  const sentences = describeProblems(problems, messages.length)
  // Most likely another format. An empty session would look like a successful import.
  if (problems.length > 0 && turns.every(isEmpty)) throw new Failure(sentences[0])
  const session = createSession({
    sessionId,
    workspaceId: workspaceId ?? null,
    ...timesOf(turns, timeIn(json, 'created_at', notes), timeIn(json, 'updated_at', notes)),
    turns,
    metadata: metadata ?? {},
  })
  return { session, problems: sentences, notes }
}

/** An empty list is of any format. @throws {Failure} if the messages mix formats, or have none that is known */
function formatOf(messages: readonly unknown[]): Format {
  const found = recognize(messages.length === 0 ? [{ role: 'user', content: '' }] : messages)
  if ('format' in found) return found.format
  throw new Failure(`its list of messages ${found.problem}`)
}

function timeIn(json: Record<string, unknown>, name: string, notes: string[]): string | undefined {
  const { [name]: value = null } = json
  if (value === null) return undefined
  const time = timeOf(value)
  if (time === undefined) notes.push(`${name} is not a time; not imported`)
  return time
}

/** Whether nothing in a turn was read. */
function isEmpty({ prompt, responseContent, toolCalls }: TurnRecord): boolean {
  return prompt === '' && responseContent === null && toolCalls.length === 0
}

/** Whether a record is a single message instead of a transcript. */
export function isMessage(json: unknown): boolean {
  if (!isObject(json) || !Object.hasOwn(json, 'role')) return false
  return !Object.hasOwn(json, 'session_id') && !Object.hasOwn(json, 'messages')
}

/** For a record with a `session_id`. A version marks the wire format, perhaps a newer one. */
function isTranscript(json: Record<string, unknown>): boolean {
  return Array.isArray(json.messages) && !hasTurns(json) && !Object.hasOwn(json, 'schema_version')
}

function hasTurns({ turns = null }: Record<string, unknown>): boolean {
  return turns !== null
}

/**
 * Whether a record with a `session_id` is a session in the wire format. Events of other programs have a `session_id` too;
 * they have no turns, and members that a session does not have.
 */
function isExport(json: Record<string, unknown>): boolean {
  if (hasTurns(json) || Object.hasOwn(json, 'schema_version')) return true
  try {
    return decodeSession(json).extra === undefined
  } catch {
    return true
  }
}

function readExport(json: Record<string, unknown>, workspaceId: string | undefined): ReadSession {
  const session = decodeSession(json)
  const notes: string[] = []
  if (Object.hasOwn(session.extra ?? {}, 'messages')) {
    notes.push('both turns and messages; the messages are kept, but not read as turns')
  }
  return {
    session: { ...session, ...(workspaceId === undefined ? {} : { workspaceId }) },
    problems: [],
    notes,
  }
}

/** Refuses a number that JavaScript rounds: two different ids could become one and mix two users' sessions. */
function numericId(id: number, written: string | undefined): string {
  const isExact = written === undefined ? Number.isSafeInteger(id) : isAsWritten(id, written)
  if (!isExact) {
    throw new Failure('the id is a number that JavaScript cannot represent exactly; write it as a string')
  }
  return String(id)
}

/** The value comes from JSON.parse, which the compiler cannot know. */
function isJsonObject(value: unknown): value is JsonObject {
  return isObject(value)
}
