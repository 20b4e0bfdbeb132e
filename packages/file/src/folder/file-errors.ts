import {
  type DamagedSession,
  isTurnstoreError,
  printableLine,
  TurnstoreError,
  type WriteOutcome,
} from '@turnstore/core'
import { quote, safeCause, withDetails } from '@turnstore/core/adapter'
import { LockError } from '../locks/lock-error.js'
import { FileWriteError } from '../disk/file-write-error.js'
import { systemCode } from '../disk/system-code.js'

/** Damage, naming the file. What reads it knows the place in it, and never quotes. */
export function corruptSession(sessionId: string, path: string, reason: string): TurnstoreError {
  return new TurnstoreError('CORRUPT_SESSION', `Session ${sessionId} cannot be read. ${quotePath(path)}: ${reason}`, {
    sessionId,
  })
}

/** Codes that say that this one file cannot be read, not that the disk fails. */
const OWN_FAULT = new Set(['EACCES', 'EPERM', 'EISDIR', 'ELOOP', 'ENXIO', 'NOT_A_FILE'])

/** An error met while a session's file was read, as the caller gets it. */
export function readError(error: unknown, sessionId: string, path: string): unknown {
  if (isTurnstoreError(error, 'INVALID_RECORD')) return corruptSession(sessionId, path, error.message)
  const code = systemCode(error)
  return code !== null && OWN_FAULT.has(code) ? corruptSession(sessionId, path, `it cannot be opened (${code})`) : error
}

const NOT_ALLOWED = 'Let this account read it, or move it away'
const DISK_FAILS = 'The disk or its file system fails: see the log of the system'
const TOO_MANY_OPEN = 'Too many files are open: let the process open more, or close some'

/** What to do, where the code tells. */
const ADVICE: ReadonlyMap<string, string> = new Map([
  ['EACCES', NOT_ALLOWED],
  ['EPERM', NOT_ALLOWED],
  ['ENOTDIR', 'Move it away'],
  ['EIO', DISK_FAILS],
  ['EUCLEAN', DISK_FAILS],
  ['EMFILE', TOO_MANY_OPEN],
  ['ENFILE', TOO_MANY_OPEN],
])

/** A folder, or a file of ours, that cannot be read: what it holds is not known, and nothing is made up. */
export function unreadable(path: string, error: unknown): TurnstoreError {
  if (isTurnstoreError(error)) return error
  const code = systemCode(error) ?? 'an error without a code'
  const reason = code === 'ENOTDIR' ? 'is a file where a folder has to be' : `cannot be read (${code})`
  const advice = ADVICE.get(code)
  const message = `${quotePath(path)} ${reason}${advice === undefined ? '' : `. ${advice}`}`
  return new TurnstoreError('STORE_UNAVAILABLE', message, { cause: safeCause(error) })
}

/** A write went into a file that is no longer the one at its path: nobody will find it there. */
export function movedAway(path: string): TurnstoreError {
  const message = `${quotePath(path)} was moved, removed or replaced while it was written, and the change may be lost with it`
  return new TurnstoreError('STORE_UNAVAILABLE', `${message}. Look what is stored there now, then write it again`, { outcome: 'unknown' })
}

/** What a listing came by that may be a session, or hold some, and cannot be listed. */
export function damagedPlace(shown: string, path: string, reason: string): DamagedSession {
  return { sessionId: shown, code: 'CORRUPT_SESSION', message: `${quotePath(path)}: ${reason}` }
}

/** A session that a listing of all cannot name: calls that name its id alone reach another. */
export function inTwoPlaces(sessionId: string, path: string, other: string): DamagedSession {
  const reason = `another session has this id, in ${quotePath(other)}; name the workspace of the one that is meant`
  return damagedPlace(sessionId, path, reason)
}

/**
 * An error met while something was written, as the caller gets it: with its outcome, and in a sentence.
 * @param outcome of an error that does not say it itself
 */
export function writeError(error: unknown, outcome: WriteOutcome = 'unknown'): TurnstoreError {
  if (isTurnstoreError(error)) {
    const isOpen = error.code === 'STORE_UNAVAILABLE' && error.outcome === undefined
    return isOpen ? withDetails(error, { outcome }) : error
  }
  if (error instanceof LockError) {
    const code = error.code === 'LOCK_TIMEOUT' ? 'STORE_BUSY' : 'STORE_UNAVAILABLE'
    return new TurnstoreError(code, `${printableLine(error.message)}; nothing was written`, { outcome: 'not-stored' })
  }
  if (error instanceof FileWriteError) {
    const details = { outcome: error.outcome, cause: safeCause(error.cause ?? error) }
    return new TurnstoreError('STORE_UNAVAILABLE', printableLine(error.message), details)
  }
  const code = systemCode(error) ?? 'an error without a code'
  const message = `The files could not be written (${code}${placeOf(error)})`
  return new TurnstoreError('STORE_UNAVAILABLE', message, { outcome, cause: safeCause(error) })
}

function placeOf(error: unknown): string {
  const path = error instanceof Error && 'path' in error ? error.path : undefined
  return typeof path === 'string' ? ` at ${quotePath(path)}` : ''
}

/** A path holds ids and may hold anything; no character in it moves a terminal. */
function quotePath(path: string): string {
  return quote(path, 1000)
}
