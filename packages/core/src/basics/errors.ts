/**
 * Error codes. Codes are stable, and each has a heading in the README. Messages may change.
 *
 * - `INVALID_ARGUMENT`: an option, query, range or cursor is invalid, or has an unknown member
 * - `INVALID_ID`: an id is empty, too long, not well-formed or contains a control character
 * - `INVALID_RECORD`: a record holds a value that JSON cannot represent, or is too large or too deep
 * - `SESSION_NOT_FOUND`: the session does not exist, or not in the given workspace
 * - `SESSION_EXISTS`: the session id is in use
 * - `TURN_NOT_FOUND`: an update names a turn that the session does not have
 * - `TURN_ID_CONFLICT`, `TRANSITION_ID_CONFLICT`: the id exists with different content
 * - `CALL_ID_CONFLICT`: a finished tool call has this id, with another name or other arguments
 * - `MESSAGE_CONFLICT`: the session has another message at this position
 * - `IDEMPOTENCY_KEY_CONFLICT`: the session remembers another change under this key
 * - `REVISION_CONFLICT`: the session is not at the revision in `ifRevision`
 * - `CORRUPT_SESSION`: the stored data cannot be read; nothing was changed
 * - `SCHEMA_TOO_NEW`: a newer version of Turnstore wrote the data
 * - `STORE_CLOSED`, `STORE_BUSY`, `STORE_UNAVAILABLE`: the store cannot serve the call
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
  'CALL_ID_CONFLICT',
  'MESSAGE_CONFLICT',
  'IDEMPOTENCY_KEY_CONFLICT',
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
  /** Set on every rejected write. */
  outcome?: WriteOutcome
  /** Set on `REVISION_CONFLICT`: the current revision, or 0 if the session does not exist. */
  actualRevision?: number
  /** Must be safe to print: no payload, no password, no URL with a password. */
  cause?: unknown
}

/**
 * The error that stores, the manager and the factories throw. Check its `code`, never `instanceof`:
 * each installed copy of core has its own class.
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

/** Whether a value is a `TurnstoreError`, from any copy of core, and has this code if you pass one. */
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

/** A copy of the error with details added. Details that the error already has are kept. */
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
 * A replacement for a driver or system error that is safe to print: it has the error's name and code,
 * never its message. JSON.parse quotes its input in messages, and Redis clients quote the command.
 */
export function safeCause(error: unknown): Error {
  const name = error instanceof Error && isPlainWord(error.name) ? error.name : 'Error'
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return new Error(typeof code === 'string' && isPlainWord(code) ? `${name} ${code}` : name)
}

/** Wraps a backend error for the caller, without its message, which might quote stored data. */
export function backendError(error: unknown): TurnstoreError {
  if (isTurnstoreError(error)) return error
  return new TurnstoreError('STORE_UNAVAILABLE', "The store's backend failed; see cause", { cause: safeCause(error) })
}

function isPlainWord(text: string): boolean {
  return /^[A-Za-z][A-Za-z0-9_]{0,63}$/.test(text)
}

export function sessionNotFound(sessionId: string): TurnstoreError {
  return new TurnstoreError('SESSION_NOT_FOUND', `Session not found: ${sessionId}`, {
    sessionId,
    outcome: 'not-stored',
  })
}

export function sessionExists(sessionId: string): TurnstoreError {
  return new TurnstoreError(
    'SESSION_EXISTS',
    `Session already exists: ${sessionId}; choose another id, or resume the session`,
    {
      sessionId,
      outcome: 'not-stored',
    },
  )
}

export function revisionConflict(sessionId: string, expected: number, actualRevision: number): TurnstoreError {
  const actual = actualRevision === 0 ? 'does not exist' : `is at revision ${actualRevision}`
  return new TurnstoreError(
    'REVISION_CONFLICT',
    `Session ${sessionId} ${actual}, but the write expected revision ${expected}; load the session again and retry`,
    { sessionId, actualRevision, outcome: 'not-stored' },
  )
}
