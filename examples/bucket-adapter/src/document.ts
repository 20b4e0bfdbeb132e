import { randomUUID } from 'node:crypto'
import { decodeSession, encodeSession, isTurnstoreError, type SessionRecord, TurnstoreError } from '@turnstore/core'
import { parseJson } from '@turnstore/core/adapter'

export interface Document {
  /** The id of the write that stored it. */
  readonly write: unknown
  readonly session: SessionRecord
}

/**
 * The stored form of a session. An ETag is a hash of the content, so a session that is deleted and created again with
 * the same content would get the same ETag, and an older writer would not notice. The id of the write makes the content
 * of every write, and so its ETag, unique.
 */
export function encode(session: SessionRecord): { write: string; body: string } {
  const write = randomUUID()
  return { write, body: JSON.stringify({ write, session: encodeSession(session) }) }
}

/** @throws `CORRUPT_SESSION`, whose message quotes no content; `SCHEMA_TOO_NEW` */
export function decode(body: string, sessionId: string): Document {
  try {
    const document = parseJson(body, 'the object')
    if (typeof document !== 'object' || document === null) throw corrupt('the object is not a document of this store')
    const session = decodeSession(Reflect.get(document, 'session'), 'the session in the object')
    if (session.sessionId !== sessionId) throw corrupt('the object contains another session')
    return { write: Reflect.get(document, 'write'), session }
  } catch (error) {
    throw isTurnstoreError(error, 'INVALID_RECORD') ? corrupt(error.message) : error
  }
}

function corrupt(message: string): TurnstoreError {
  return new TurnstoreError('CORRUPT_SESSION', message)
}
