import { isTurnstoreError, TurnstoreError, type WriteOutcome } from '@turnstore/core'
import { safeCause } from '@turnstore/core/adapter'

/** What an error of the driver or of the server means for a statement. */
export interface Failure {
  /**
   * - `refused`: the server undid it, and will refuse it again
   * - `refused for now`: the server undid it, or nothing was sent; it may be sent again
   * - `lost`: the answer is lost; the statement may have been carried out
   */
  readonly kind: 'refused' | 'refused for now' | 'lost'
  /** The SQLSTATE, or the code of a network error, or ''. */
  readonly code: string
}

/** A sentence for each SQLSTATE that a user can do something about. */
const sentences: Readonly<Record<string, string>> = {
  '22021': 'The encoding of the database cannot hold a text (22021); the store needs a database in UTF8',
  '22P05': 'The encoding of the database cannot hold a text (22P05); the store needs a database in UTF8',
  '25006': 'This server is a read-only replica (25006), or its transactions are read-only; connect to the primary',
  '28000': 'Postgres refuses the user (28000); check the user name, pg_hba.conf and whether TLS is required',
  '28P01': 'Postgres refuses the password (28P01)',
  '3D000': 'The database does not exist (3D000); create it, or correct its name',
  '40001': 'Other transactions kept conflicting with the statement (40001); try again later',
  '40P01': 'The statement ran into a deadlock with other transactions (40P01); try again later',
  '42501': 'The user of the database lacks a right (42501); docs/postgres.md lists those that the store needs',
  '42P01':
    'The tables or functions of the store are missing (42P01): another version of Turnstore changed them, or somebody dropped them',
  '42883':
    'The tables or functions of the store are missing (42883): another version of Turnstore changed them, or somebody dropped them',
  '53100': 'The disk of the server is full (53100); free some space',
  '53200': 'The server is out of memory (53200)',
  '53300': 'The server has too many connections (53300); lower max, or put a pooler in front of it',
  '54000': 'The statement exceeds a limit of Postgres (54000)',
  '57014': 'The server canceled the statement (57014): statement_timeout is too short for it, or somebody canceled it',
  '57P01': 'An administrator ended the connection, or the server shuts down (57P01); try again',
  '57P02': 'Another process of the server crashed (57P02), and it restarts; try again',
  '57P03': 'The server is starting, stopping or recovering (57P03); try again later',
}

const temporary = new Set(['25006', '40001', '40P01', '53300', '57P03'])

/** The server, or a pooler in front of it, ended the connection at some moment. */
const ENDED = /^(?:08|57P01$|57P02$|57P05$)/

/** Errors before a connection: nothing was sent. */
const UNCONNECTED = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOENT'])

/** Reads only the code of an error. Its message, detail and hint may be content. */
export function failureOf(error: unknown): Failure {
  const code = codeOf(error)
  if (UNCONNECTED.has(code)) return { kind: 'refused for now', code }
  if (!isSqlState(error, code) || ENDED.test(code)) return { kind: 'lost', code }
  return { kind: temporary.has(code) ? 'refused for now' : 'refused', code }
}

function codeOf(error: unknown): string {
  const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined
  return typeof code === 'string' && /^[A-Z0-9_]{2,41}$/.test(code) ? code : ''
}

/** EPIPE has five letters too. */
function isSqlState(error: unknown, code: string): boolean {
  return /^[A-Z0-9]{5}$/.test(code) && (/\d/.test(code) || (error instanceof Error && 'severity' in error))
}

/** The error that the caller of a failed statement gets. */
export function callFailed({ kind, code }: Failure, error: unknown, outcome: WriteOutcome | undefined): TurnstoreError {
  if (isTurnstoreError(error)) return error
  const details = { ...(outcome !== undefined && { outcome }), cause: causeOf(error, code) }
  if (code === '55P03') {
    return new TurnstoreError('STORE_BUSY', 'Another transaction kept the session locked (55P03); try again', details)
  }
  if (code === 'TS001' || code === '23505' || code === 'XX001' || code === 'XX002') {
    return new TurnstoreError('CORRUPT_SESSION', 'the database found that rows are missing, or too many', details)
  }
  const sentence = sentences[code]
  const lost = outcome === 'unknown' ? ', and the answer to a write was lost' : ''
  if (sentence !== undefined) return new TurnstoreError('STORE_UNAVAILABLE', `${sentence}${lost}`, details)
  if (kind === 'refused') {
    return new TurnstoreError('STORE_UNAVAILABLE', `Postgres refused a statement (${code}); check its log`, details)
  }
  const why = code === '' ? '' : ` (${code})`
  const message = `Postgres cannot be reached${why}${lost}; check its address, the network and the server`
  return new TurnstoreError('STORE_UNAVAILABLE', message, details)
}

/** A cause that is safe to print, with the code as its `code`. */
function causeOf(error: unknown, code: string): Error {
  return Object.assign(safeCause(error), code !== '' && { code })
}

/** An option that cannot be used. */
export function invalid(message: string): TurnstoreError {
  return new TurnstoreError('INVALID_ARGUMENT', message)
}

/** A server that cannot be used as it is. */
export function unusable(message: string): TurnstoreError {
  return new TurnstoreError('STORE_UNAVAILABLE', message)
}

export function storeBusy(sessionId: string): TurnstoreError {
  return new TurnstoreError('STORE_BUSY', `Other writers kept changing session ${sessionId}; try again later`, {
    sessionId,
    outcome: 'not-stored',
  })
}

/** A write that may have happened, and cannot be told from the writes of others since. */
export function unsettled(sessionId: string): TurnstoreError {
  return new TurnstoreError(
    'STORE_UNAVAILABLE',
    `The answer to a write of session ${sessionId} was lost, and others have written since; load the session to check`,
    { sessionId, outcome: 'unknown' },
  )
}
