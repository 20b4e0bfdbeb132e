import {
  type DamagedSession,
  isTurnstoreError,
  printableLine,
  TurnstoreError,
  type WriteOutcome,
} from '@turnstore/core'
import { quote, safeCause, withDetails } from '@turnstore/core/adapter'
import { FileWriteError } from '../disk/file-write-error.js'
import { inWords, systemCode } from '../disk/system-code.js'
import { LockError } from '../locks/lock-error.js'

/** `CORRUPT_SESSION`, with the file. `reason` names the place in it and never quotes content. */
export function corruptSession(sessionId: string, path: string, reason: string): TurnstoreError {
  return new TurnstoreError('CORRUPT_SESSION', `Session ${sessionId} cannot be read. ${quotePath(path)}: ${reason}`, {
    sessionId,
  })
}

/** Codes that mean that this one file cannot be read, rather than that the disk fails. */
const CODES_OF_ONE_FILE = new Set(['EACCES', 'EPERM', 'EISDIR', 'ELOOP', 'ENXIO', 'NOT_A_FILE'])

/** The error that a caller gets for one thrown while a session's file was read. */
export function readError(error: unknown, sessionId: string, path: string): unknown {
  if (isTurnstoreError(error, 'INVALID_RECORD')) return corruptSession(sessionId, path, error.message)
  const code = systemCode(error)
  return code !== null && CODES_OF_ONE_FILE.has(code)
    ? corruptSession(sessionId, path, `it cannot be opened (${code})`)
    : error
}

const NOT_ALLOWED = 'Let this account read it, or move it away'
const DISK_FAILS = 'The disk or its file system failed. See the system log'
const TOO_MANY_OPEN = 'Too many files are open. Raise the limit of the process, or close some'

const ADVICE: ReadonlyMap<string, string> = new Map([
  ['EACCES', NOT_ALLOWED],
  ['EPERM', NOT_ALLOWED],
  ['ENOTDIR', 'Move it away'],
  ['EIO', DISK_FAILS],
  ['EUCLEAN', DISK_FAILS],
  ['EMFILE', TOO_MANY_OPEN],
  ['ENFILE', TOO_MANY_OPEN],
])

/** A folder, or a file of the store itself, cannot be read, so nothing is known of what it holds. */
export function unreadable(path: string, error: unknown): TurnstoreError {
  if (isTurnstoreError(error)) return error
  const code = systemCode(error) ?? 'an error without a code'
  const reason = code === 'ENOTDIR' ? 'is a file where a folder must be' : `cannot be read (${code})`
  const advice = ADVICE.get(code)
  const message = `${quotePath(path)} ${reason}${advice === undefined ? '' : `. ${advice}`}`
  return new TurnstoreError('STORE_UNAVAILABLE', message, { cause: safeCause(error) })
}

/** The file that was written is no longer the one at its path, so no reader will find the change. */
export function movedAway(path: string): TurnstoreError {
  const message = `${quotePath(path)} was moved, removed or replaced while it was written, so the change may be lost`
  return new TurnstoreError('STORE_UNAVAILABLE', `${message}. Check what is stored there, then write again`, {
    outcome: 'unknown',
  })
}

/** The lock of a session was moved away with its folder, so another process may write at the same time. */
export function lockMovedAway(path: string): TurnstoreError {
  const message = `The folder of ${quotePath(path)} was moved, removed or replaced, so nothing was written`
  return new TurnstoreError('STORE_UNAVAILABLE', `${message}. Check what is stored there, then write again`, {
    outcome: 'not-stored',
  })
}

/** Something in a listing that may be a session, or contain some, and cannot be listed. */
export function damagedPlace(shown: string, path: string, reason: string): DamagedSession {
  return { sessionId: shown, code: 'CORRUPT_SESSION', message: `${quotePath(path)}: ${reason}` }
}

/** A session whose id another workspace has too. Calls with its id alone reach the other one. */
export function inTwoPlaces(sessionId: string, path: string, other: string): DamagedSession {
  const reason = `another session has this id, in ${quotePath(other)}. Name the workspace of the one you mean`
  return damagedPlace(sessionId, path, reason)
}

/**
 * The error that a caller gets for one thrown during a write, with its outcome.
 * @param outcome used if the error has none
 */
export function writeError(error: unknown, outcome: WriteOutcome = 'unknown'): TurnstoreError {
  if (isTurnstoreError(error)) {
    const lacksOutcome = error.code === 'STORE_UNAVAILABLE' && error.outcome === undefined
    return lacksOutcome ? withDetails(error, { outcome }) : error
  }
  if (error instanceof LockError) {
    const code = error.code === 'LOCK_TIMEOUT' ? 'STORE_BUSY' : 'STORE_UNAVAILABLE'
    return new TurnstoreError(code, `${printableLine(error.message)}; nothing was written`, { outcome: 'not-stored' })
  }
  if (error instanceof FileWriteError) {
    const details = { outcome: error.outcome, cause: safeCause(error.cause ?? error) }
    return new TurnstoreError('STORE_UNAVAILABLE', printableLine(error.message), details)
  }
  const code = inWords(systemCode(error) ?? 'an error without a code')
  const message = `The files could not be written (${code}${placeOf(error)})`
  return new TurnstoreError('STORE_UNAVAILABLE', message, { outcome, cause: safeCause(error) })
}

function placeOf(error: unknown): string {
  const path = error instanceof Error && 'path' in error ? error.path : undefined
  return typeof path === 'string' ? ` at ${quotePath(path)}` : ''
}

/** A path contains ids and may contain anything. Quoted, none of its characters controls a terminal. */
function quotePath(path: string): string {
  return quote(path, 1000)
}
