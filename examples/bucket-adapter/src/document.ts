import { randomUUID } from 'node:crypto'
import { decodeSession, encodeSession, isTurnstoreError, type SessionRecord, TurnstoreError } from '@turnstore/core'
import { parseJson } from '@turnstore/core/adapter'

export interface Document {
  /** The write that made it. */
  readonly write: unknown
  readonly session: SessionRecord
}

/**
 * What is stored for a session. An ETag is a hash of the content: the same content again, as after a delete, would have
 * the same one, and a writer from before would not notice. The id of the write makes the bytes of each write, and with
 * them its ETag, like no other's.
 */
export function encode(session: SessionRecord): { write: string; body: string } {
  const write = randomUUID()
  return { write, body: JSON.stringify({ write, session: encodeSession(session) }) }
}

/** @throws `CORRUPT_SESSION`, which says where and quotes nothing; `SCHEMA_TOO_NEW` */
export function decode(body: string, sessionId: string): Document {
  try {
    const document = parseJson(body, 'the object')
    if (typeof document !== 'object' || document === null) throw corrupt('the object is no document of this store')
    const session = decodeSession(Reflect.get(document, 'session'), 'the session in the object')
    if (session.sessionId !== sessionId) throw corrupt('the object holds another session')
    return { write: Reflect.get(document, 'write'), session }
  } catch (error) {
    throw isTurnstoreError(error, 'INVALID_RECORD') ? corrupt(error.message) : error
  }
}

function corrupt(message: string): TurnstoreError {
  return new TurnstoreError('CORRUPT_SESSION', message)
}
