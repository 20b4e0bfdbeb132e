import {
  createSession,
  decodeSession,
  type JsonObject,
  type MessageProblem,
  type SessionRecord,
  type TurnRecord,
  turnsFromMessages,
} from '@turnstore/core'
import { isValidId } from '@turnstore/core/adapter'
import { Failure } from '../terminal/cli.js'
import { describeProblems } from './message-problems.js'
import { isAsWritten, isObject, type ParsedJson } from './parse-json.js'
import type { RecordSource } from './record-source.js'

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
  readonly workspaceId: string | undefined
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
  const note = `integers rounded because JavaScript cannot represent them exactly: ${parsed.rounded}`
  return { ...read, notes: [...read.notes, note] }
}

function readRecord({ json, writtenIds }: ParsedJson, { source, place, workspaceId }: Origin): ReadSession {
  if (!isObject(json)) throw new Failure('not a JSON object')
  const idName = Object.hasOwn(json, 'session_id') ? 'session_id' : 'id'
  if (idName === 'session_id' && !isTranscript(json)) return readExport(json, workspaceId)
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
  const known = [idName, 'messages', 'metadata']
  const unknown = Object.keys(json).filter(key => !known.includes(key))
  if (unknown.length > 0) notes.push(`members not imported: ${unknown.join(', ')}`)
  const isNamed = id !== null && id !== ''
  const written = writtenIds.get(idName)
  const givenId = typeof id === 'number' ? numericId(id, written) : id
  const sessionId = isNamed ? givenId : source.nameOf({ json, place })
  if (!isValidId(sessionId)) throw new Failure('the id must be a string of 1 to 200 bytes without control characters')
  if (!isNamed) notes.push(`no id; imported as ${sessionId}`)

  const calls = callsInParts(messages)
  if (calls.length > 0) {
    notes.push(`parts kept, but not read as tool calls: ${calls.join(', ')}`)
  }

  const problems: MessageProblem[] = []
  const turns = turnsFromMessages(messages, { onProblem: problem => problems.push(problem) })
  const sentences = describeProblems(problems, messages.length)
  // Most likely another format. An empty session would look like a successful import.
  if (problems.length > 0 && turns.every(isEmpty)) throw new Failure(sentences[0])
  const session = createSession({
    sessionId,
    workspaceId: workspaceId ?? null,
    createdAt: '',
    updatedAt: '',
    turns,
    metadata: metadata ?? {},
  })
  return { session, problems: sentences, notes }
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

/** Types of parts that are tool calls or results in other formats, such as Anthropic's `tool_use`. */
function callsInParts(messages: readonly unknown[]): string[] {
  const parts = messages.flatMap((message): unknown[] =>
    isObject(message) && Array.isArray(message.content) ? message.content : [],
  )
  const types = parts.map(part => (isObject(part) ? part.type : undefined)).filter(type => typeof type === 'string')
  return [...new Set(types)].filter(type => /^[\w-]{0,30}(?:tool|function)[\w-]{0,30}$/i.test(type))
}

/** For a record with a `session_id`. A version marks the wire format, perhaps a newer one. */
function isTranscript(json: Record<string, unknown>): boolean {
  return Array.isArray(json.messages) && !hasTurns(json) && !Object.hasOwn(json, 'schema_version')
}

function hasTurns({ turns = null }: Record<string, unknown>): boolean {
  return turns !== null
}

function readExport(json: Record<string, unknown>, workspaceId: string | undefined): ReadSession {
  const session = decodeSession(json)
  const notes: string[] = []
  // Unknown members are kept, but not read as turns. The note says so, since they may hold the conversation.
  const unknown = Object.keys(session.extra ?? {})
  if (!hasTurns(json) && unknown.length > 0) {
    notes.push(`no turns; members kept, but not read as turns: ${unknown.join(', ')}`)
  } else if (unknown.includes('messages')) {
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
