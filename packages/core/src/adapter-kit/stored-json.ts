import { isTurnstoreError, TurnstoreError } from '../basics/errors.js'
import { isJsonObject, type JsonObject } from '../basics/json.js'
import { quote } from '../basics/text.js'
import { decodeRemembered, type RememberedChange } from '../changes/remembered-change.js'
import type { AgentTransitionRecord, TurnRecord } from '../records/models.js'
import { decodeTransition, decodeTurn } from '../records/decode-record.js'

/*
 * Stored JSON as records. What a backend returns is checked like any input: it may have been damaged, edited, or
 * written by something else. The errors name the place, and never quote what is stored.
 */

/** `CORRUPT_SESSION` with the place and what is wrong there: `turns are missing`. {@link ofSession} adds the session. */
export function damaged(reason: string): TurnstoreError {
  return new TurnstoreError('CORRUPT_SESSION', reason)
}

/** Adds the session to a `CORRUPT_SESSION` that `read` throws: once around all that is read of a session. */
export function ofSession<T>(sessionId: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw namingSession(sessionId, error)
  }
}

/** The same for an error that was caught. Errors of another kind, or with a session, stay as they are. */
export function namingSession(sessionId: string, error: unknown): unknown {
  if (!isTurnstoreError(error, 'CORRUPT_SESSION') || error.sessionId !== undefined) return error
  return new TurnstoreError('CORRUPT_SESSION', `Session ${quote(sessionId)} cannot be read: ${error.message}`, {
    sessionId,
  })
}

/**
 * Parses stored JSON and decodes it.
 * @param place what stands there: `turn 7`, `the metadata`
 * @param decode its error is dropped, since it may name a caller's record
 * @throws `CORRUPT_SESSION`, `SCHEMA_TOO_NEW`
 */
export function readStored<T>(json: unknown, place: string, decode: (value: unknown) => T): T {
  const what = (): string => place
  return decodeStored(parseStored(json, what), what, decode)
}

/** @throws `CORRUPT_SESSION` */
function parseStored(json: unknown, place: () => string): unknown {
  try {
    if (typeof json === 'string') return JSON.parse(json)
  } catch {
    // The error of JSON.parse quotes its input.
  }
  throw damaged(`${place()} is not JSON`)
}

/** @throws `CORRUPT_SESSION`, `SCHEMA_TOO_NEW` */
function decodeStored<T>(value: unknown, place: () => string, decode: (value: unknown) => T): T {
  try {
    return decode(value)
  } catch (error) {
    if (isTurnstoreError(error, 'SCHEMA_TOO_NEW')) throw error
    throw damaged(`${place()} is not what was stored there`)
  }
}

const asTurn = (value: unknown): TurnRecord => decodeTurn(value)

/** A turn in the wire format. @throws `CORRUPT_SESSION` */
export function readStoredTurn(json: unknown, index: number): TurnRecord {
  return readStored(json, `turn ${index}`, asTurn)
}

/**
 * Turns in the wire format, from an index on. First parses all, then decodes all: alternating is slower, since the two
 * evict each other's caches. For a long session, read some dozens at a time, with a `TimeSlice`.
 * @throws `CORRUPT_SESSION`
 */
export function readStoredTurns(jsons: readonly unknown[], firstIndex: number): TurnRecord[] {
  let at = 0
  const place = (): string => `turn ${firstIndex + at}`
  const values: unknown[] = []
  for (at = 0; at < jsons.length; at++) values.push(parseStored(jsons[at], place))
  const turns: TurnRecord[] = []
  for (at = 0; at < values.length; at++) turns.push(decodeStored(values[at], place, asTurn))
  return turns
}

/** An agent transition in the wire format. @throws `CORRUPT_SESSION` */
export function readStoredTransition(json: unknown, index?: number): AgentTransitionRecord {
  const place = index === undefined ? 'an agent transition' : `agent transition ${index}`
  return readStored(json, place, value => decodeTransition(value))
}

/** What `encodeRemembered` encoded. @throws `CORRUPT_SESSION` */
export function readStoredRemembered(json: unknown): RememberedChange {
  return readStored(json, 'a remembered change', value => decodeRemembered(isJsonObject(value) ? value : null))
}

/** Metadata, `extra`, or another object. @throws `CORRUPT_SESSION` */
export function readStoredObject(json: unknown, place: string): JsonObject {
  const value = parseStored(json, () => place)
  if (isJsonObject(value)) return value
  throw damaged(`${place} is not what was stored there`)
}
