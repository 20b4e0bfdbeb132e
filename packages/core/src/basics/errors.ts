/**
 * What can go wrong. Each code is stable and has a heading in the README; messages may change.
 *
 * - `INVALID_ARGUMENT`: an option, query, range or cursor is wrong, or a member that nobody knows
 * - `INVALID_ID`: an id is empty, too long, not well-formed or has a control character
 * - `INVALID_RECORD`: a record holds what JSON cannot, or is too large or too deep
 * - `SESSION_NOT_FOUND`: there is no such session, or not in the workspace that was named
 * - `SESSION_EXISTS`: the id is in use
 * - `TURN_NOT_FOUND`: an update names a turn that the session does not have
 * - `TURN_ID_CONFLICT`, `TRANSITION_ID_CONFLICT`: the id is there with other content
 * - `REVISION_CONFLICT`: the session is not at the revision that the caller named
 * - `CORRUPT_SESSION`: what is stored cannot be read; nothing was changed
 * - `SCHEMA_TOO_NEW`: a newer version wrote it
 * - `STORE_CLOSED`, `STORE_BUSY`, `STORE_UNAVAILABLE`: the store cannot serve, now or any more
 */
export type ErrorCode = (typeof errorCodes)[number]

export const errorCodes = [
  'INVALID_ARGUMENT',
  'INVALID_ID',
  'INVALID_RECORD',
  'SESSION_NOT_FOUND',
  'SESSION_EXISTS',
  'TURN_NOT_FOUND',
  'TURN_ID_CONFLICT',
  'TRANSITION_ID_CONFLICT',
  'REVISION_CONFLICT',
  'CORRUPT_SESSION',
  'SCHEMA_TOO_NEW',
  'STORE_CLOSED',
  'STORE_BUSY',
  'STORE_UNAVAILABLE',
] as const

/** Whether a rejected write may have happened. */
export type WriteOutcome = 'not-stored' | 'unknown'

export interface ErrorDetails {
  sessionId?: string
  /** On every rejected write. */
  outcome?: WriteOutcome
  /** On `REVISION_CONFLICT`: the revision that the session has (0: there is none). */
  actualRevision?: number
  /** Must be safe to print: no payload, no password, no URL that holds one. */
  cause?: unknown
}

/**
 * The one error that stores, the manager and the factories throw. Recognise it by its `code`, never
 * by `instanceof`: two installed copies of core would each have a class of their own.
 *
 * @example
 * try {
 *   await store.changeSession(id, change, { ifRevision: 7 })
 * } catch (error) {
 *   if (isTurnstoreError(error, 'REVISION_CONFLICT')) console.log(error.actualRevision)
 *   else throw error
 * }
 */
export class TurnstoreError extends Error {
  override readonly name = 'TurnstoreError'
  readonly code: ErrorCode
  declare readonly sessionId?: string
  declare readonly outcome?: WriteOutcome
  declare readonly actualRevision?: number

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    const { cause, ...members } = details
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    Object.assign(this, members)
  }
}

/** Whether a value is a `TurnstoreError` of whichever copy of core, and has that code if one is named. */
export function isTurnstoreError<Code extends ErrorCode>(
  value: unknown,
  code?: Code,
): value is TurnstoreError & { readonly code: Code } {
  return (
    value instanceof Error &&
    value.name === 'TurnstoreError' &&
    'code' in value &&
    (code === undefined ? errorCodes.some(known => known === value.code) : value.code === code)
  )
}

/**
 * The same error with more said about it. What is known already stays: the place that threw knew best.
 */
export function withDetails(error: TurnstoreError, details: ErrorDetails): TurnstoreError {
  const complete = new TurnstoreError(error.code, error.message, {
    ...details,
    ...(error.sessionId === undefined ? {} : { sessionId: error.sessionId }),
    ...(error.outcome === undefined ? {} : { outcome: error.outcome }),
    ...(error.actualRevision === undefined ? {} : { actualRevision: error.actualRevision }),
    ...(error.cause === undefined ? {} : { cause: error.cause }),
  })
  if (error.stack !== undefined) complete.stack = error.stack
  return complete
}

/**
 * A stand-in for an error of a driver or of the system, safe to print: its name and its code, never
 * its message, since JSON.parse quotes its input there and Redis clients the command.
 */
export function safeCause(error: unknown): Error {
  const name = error instanceof Error && isPlainWord(error.name) ? error.name : 'Error'
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return new Error(typeof code === 'string' && isPlainWord(code) ? `${name} ${code}` : name)
}

/** An error of a backend as a caller gets it, stripped of its message, which might quote what was stored. */
export function backendError(error: unknown): TurnstoreError {
  if (isTurnstoreError(error)) return error
  return new TurnstoreError('STORE_UNAVAILABLE', 'The backend of the store failed; see cause', { cause: safeCause(error) })
}

function isPlainWord(text: string): boolean {
  return /^[A-Za-z][A-Za-z0-9_]{0,63}$/.test(text)
}

export function sessionNotFound(sessionId: string): TurnstoreError {
  return new TurnstoreError('SESSION_NOT_FOUND', `Session not found: ${sessionId}`, { sessionId, outcome: 'not-stored' })
}

export function sessionExists(sessionId: string): TurnstoreError {
  return new TurnstoreError('SESSION_EXISTS', `Session exists already: ${sessionId}; choose another id, or resume it`, {
    sessionId,
    outcome: 'not-stored',
  })
}

export function revisionConflict(sessionId: string, expected: number, actualRevision: number): TurnstoreError {
  const found = actualRevision === 0 ? 'there is no such session' : `it is at ${actualRevision}`
  return new TurnstoreError(
    'REVISION_CONFLICT',
    `Session ${sessionId} is not at revision ${expected}: ${found}; load it again and decide anew`,
    { sessionId, actualRevision, outcome: 'not-stored' },
  )
}
