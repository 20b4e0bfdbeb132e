import { isTurnstoreError, TurnstoreError } from '@turnstore/core'
import { quote } from '@turnstore/core/adapter'

/*
 * Errors about data that cannot be read. They name the place, and never quote what is stored.
 */

export function turnsMissing(): TurnstoreError {
  return damaged('turns are missing')
}

export function damaged(reason: string): TurnstoreError {
  return new TurnstoreError('CORRUPT_SESSION', reason)
}

/** Adds the session to an error about damage. */
export function ofSession<T>(sessionId: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw naming(sessionId, error)
  }
}

export function naming(sessionId: string, error: unknown): unknown {
  if (!isTurnstoreError(error, 'CORRUPT_SESSION') || error.sessionId !== undefined) return error
  return new TurnstoreError('CORRUPT_SESSION', `Session ${quote(sessionId)} cannot be read: ${error.message}`, {
    sessionId,
  })
}
