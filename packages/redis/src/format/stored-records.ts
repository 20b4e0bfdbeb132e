import { type AgentTransitionRecord, isTurnstoreError, type TurnRecord } from '@turnstore/core'
import { decodeTransition, decodeTurn } from '@turnstore/core/adapter'
import { corruptSession } from '../server/redis-errors.js'

/**
 * Decodes the turns from an index on. First parses all, then decodes all: alternating would thrash the CPU caches.
 * @throws `CORRUPT_SESSION`
 */
export function decodeStoredTurns(sessionId: string, texts: readonly string[], firstIndex: number): TurnRecord[] {
  const what = (index: number): string => `turn ${firstIndex + index}`
  return texts
    .map((text, index) => parsePart(sessionId, what(index), text))
    .map((source, index) => readPart(sessionId, what(index), () => decodeTurn(source, 'it')))
}

/** @throws `CORRUPT_SESSION` */
export function decodeStoredTurn(sessionId: string, text: string, index: number): TurnRecord {
  return decodePart(sessionId, `turn ${index}`, text, source => decodeTurn(source, 'it'))
}

/** @throws `CORRUPT_SESSION` */
export function decodeStoredTransition(sessionId: string, text: string, index: number): AgentTransitionRecord {
  return decodePart(sessionId, `transition ${index}`, text, source => decodeTransition(source, 'it'))
}

/** @throws `CORRUPT_SESSION`; `what` names the place */
export function decodePart<T>(sessionId: string, what: string, text: string, decode: (source: unknown) => T): T {
  const source = parsePart(sessionId, what, text)
  return readPart(sessionId, what, () => decode(source))
}

/** Drops the error of JSON.parse, whose message quotes the input. */
function parsePart(sessionId: string, what: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw corruptSession(sessionId, `${what} is not JSON`)
  }
}

function readPart<T>(sessionId: string, what: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (isTurnstoreError(error, 'SCHEMA_TOO_NEW')) throw error
    throw corruptSession(sessionId, `${what} has an invalid form`)
  }
}
