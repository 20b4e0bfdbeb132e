import {
  createSession,
  decodeSession,
  type JsonObject,
  type MessageProblem,
  type SessionRecord,
  turnsFromMessages,
} from '@turnstore/core'
import { isValidId } from '@turnstore/core/adapter'
import { Failure } from '../terminal/cli.js'
import { tellProblems } from './message-problems.js'
import { isAsWritten, isObject, type ParsedJson } from './parse-json.js'
import type { RecordSource } from './record-source.js'

/** A record of a file, read as a session. */
export interface ReadSession {
  readonly session: SessionRecord
  /** What of it turns cannot hold, a sentence for each kind, the worst first. */
  readonly problems: readonly string[]
  /** What its user may want to know, though nothing is wrong. */
  readonly notes: readonly string[]
}

/** Where a record comes from, and which workspace it goes into. */
interface Origin {
  readonly source: RecordSource
  readonly place: number
  readonly workspaceId: string | undefined
}

/**
 * Reads a transcript, `{ id, messages, metadata }`, or a session in the wire format, which is told by its
 * `session_id`. One with a `session_id`, messages and no turns is a transcript.
 *
 * @throws {Failure} and `TurnstoreError`, with a message that goes behind the place of the record
 */
export function readSession(parsed: ParsedJson, origin: Origin): ReadSession {
  const read = readRecord(parsed, origin)
  if (parsed.rounded === 0) return read
  const note = `has whole numbers that JavaScript cannot hold exactly and that are rounded: ${parsed.rounded}`
  return { ...read, notes: [...read.notes, note] }
}

function readRecord({ json, writtenIds }: ParsedJson, { source, place, workspaceId }: Origin): ReadSession {
  if (!isObject(json)) throw new Failure('is no JSON object')
  const idName = Object.hasOwn(json, 'session_id') ? 'session_id' : 'id'
  if (idName === 'session_id' && !isTranscript(json)) return readExport(json, workspaceId)
  if (isMessage(json)) {
    throw new Failure(
      'is a single message; wrap those of a conversation in one record: { "id": "chat-1", "messages": [ … ] }',
    )
  }
  if (!Object.hasOwn(json, 'messages')) {
    throw new Failure('is neither a transcript { id, messages, metadata } nor an exported session')
  }
  const { [idName]: id = null, messages, metadata = null } = json
  if (!Array.isArray(messages)) throw new Failure('has messages that are no array')
  if (metadata !== null && !isJsonObject(metadata)) throw new Failure('has metadata that is no object')

  const notes: string[] = []
  const known = [idName, 'messages', 'metadata']
  const unknown = Object.keys(json).filter(key => !known.includes(key))
  if (unknown.length > 0) notes.push(`has members that are not imported: ${unknown.join(', ')}`)
  const isNamed = id !== null && id !== ''
  const written = writtenIds.get(idName)
  const givenId = typeof id === 'number' ? numericId(id, written) : id
  const sessionId = isNamed ? givenId : source.nameOf({ json, place })
  if (!isValidId(sessionId)) throw new Failure('has an id that is no text of 1 to 200 bytes without control characters')
  if (!isNamed) notes.push(`has no id; imported as ${sessionId}`)

  const calls = callsInParts(messages)
  if (calls.length > 0) {
    notes.push(`has parts that are tool calls of another format, kept but not read as such: ${calls.join(', ')}`)
  }

  const problems: MessageProblem[] = []
  const turns = turnsFromMessages(messages, { onProblem: problem => problems.push(problem) })
  const sentences = tellProblems(problems, messages.length)
  // Another format, most likely: an empty session would only look like an imported one.
  if (turns.length === 0 && messages.length > 0) throw new Failure(sentences[0])
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

/** A message of a transcript, where one would expect the transcript. */
export function isMessage(json: unknown): boolean {
  if (!isObject(json) || !Object.hasOwn(json, 'role')) return false
  return !Object.hasOwn(json, 'session_id') && !Object.hasOwn(json, 'messages')
}

/** The types of parts that are tool calls or results in other formats, such as `tool_use` in Anthropic's. */
function callsInParts(messages: readonly unknown[]): string[] {
  const parts = messages.flatMap((message): unknown[] =>
    isObject(message) && Array.isArray(message.content) ? message.content : [],
  )
  const types = parts.map(part => (isObject(part) ? part.type : undefined)).filter(type => typeof type === 'string')
  return [...new Set(types)].filter(type => /^[\w-]{0,30}(?:tool|function)[\w-]{0,30}$/i.test(type))
}

/** Of a record with a `session_id`. What has a version is of the wire format, perhaps of a newer one. */
function isTranscript(json: Record<string, unknown>): boolean {
  return Array.isArray(json.messages) && !hasTurns(json) && !Object.hasOwn(json, 'schema_version')
}

function hasTurns({ turns = null }: Record<string, unknown>): boolean {
  return turns !== null
}

function readExport(json: Record<string, unknown>, workspaceId: string | undefined): ReadSession {
  const session = decodeSession(json)
  const notes: string[] = []
  // What the wire format does not know is kept. Whoever expects to see it as turns will look for it in vain.
  const unknown = Object.keys(session.extra ?? {})
  if (!hasTurns(json) && unknown.length > 0) {
    notes.push(`has no turns, but members that are kept without being read as turns: ${unknown.join(', ')}`)
  } else if (unknown.includes('messages')) {
    notes.push('has turns, so its messages are kept without being read as turns')
  }
  return {
    session: { ...session, ...(workspaceId === undefined ? {} : { workspaceId }) },
    problems: [],
    notes,
  }
}

/** Two numbers that are written differently must not become one id: one person's session would go on in another's. */
function numericId(id: number, written: string | undefined): string {
  const isExact = written === undefined ? Number.isSafeInteger(id) : isAsWritten(id, written)
  if (!isExact) {
    throw new Failure('has an id that is a number which JavaScript cannot hold exactly; write it as a text')
  }
  return String(id)
}

/** JSON.parse made it; the compiler has no way to know. */
function isJsonObject(value: unknown): value is JsonObject {
  return isObject(value)
}
