import { isTurnstoreError, TurnstoreError, type WriteOutcome } from '@turnstore/core'
import { quote, safeCause } from '@turnstore/core/adapter'

/** What an error of the driver or of the server means for a command. */
export type Failure =
  /** The server refused it without doing anything, for now: it may be sent again. */
  | { readonly kind: 'refused for now'; readonly word: string }
  /** The server refused it without doing anything, and will refuse it again. */
  | { readonly kind: 'refused'; readonly word: string }
  /** A script failed while it ran. Redis does not undo what it had written. */
  | { readonly kind: 'broke off'; readonly word: 'ERR' }
  /** The reply is lost, or there is no connection: the command may have been carried out. */
  | { readonly kind: 'lost'; readonly word: string }

/** A message for each error of the server, with what to do. */
const refusals: Readonly<Record<string, string>> = {
  OOM: 'Redis is out of memory (OOM); raise maxmemory or free memory, with maxmemory-policy noeviction',
  MISCONF: 'Redis cannot write its snapshots and refuses writes (MISCONF); check its log and its disk',
  NOAUTH: 'Redis requires a password (NOAUTH); set username and password',
  WRONGPASS: 'Redis refuses the username or password (WRONGPASS)',
  NOPERM: 'The Redis user lacks a permission (NOPERM); docs/redis.md lists the commands and keys that the store needs',
  NOREPLICAS: 'Too few replicas are connected (NOREPLICAS); see min-replicas-to-write',
  READONLY: 'This server is a replica and refuses writes (READONLY); connect to its master',
  LOADING: 'Redis is still loading its data (LOADING); try again later',
  BUSY: 'Redis is busy running a script (BUSY); try again later',
  MASTERDOWN: 'The replica has lost its master (MASTERDOWN); connect to the master',
  CLUSTERDOWN: 'The Cluster is down or lacks a master (CLUSTERDOWN); check CLUSTER INFO',
  TRYAGAIN: 'The slot of the session is being moved to another node (TRYAGAIN); try again later',
  MOVED: 'The Cluster redirects the command (MOVED); a client of one server cannot use a Cluster, set nodes instead',
  ASK: 'The slot of the session is being moved to another node (ASK); try again later',
  CROSSSLOT:
    'The keys of one session are in several slots (CROSSSLOT); the keyPrefix of the client must have no braces',
  WRONGTYPE: 'A key of the store has another type (WRONGTYPE)',
  NOSCRIPT: 'Redis has lost the script and refuses a new one (NOSCRIPT)',
}

const temporary = new Set(['READONLY', 'LOADING', 'BUSY', 'MASTERDOWN', 'CLUSTERDOWN', 'TRYAGAIN', 'ASK', 'NOREPLICAS'])

/** The first word of an error. If a script fails, older servers put a sentence before it. */
const WORDS = new RegExp(`(?:^|[ -])(${Object.keys(refusals).join('|')})(?: |$)`)

/** The error of a script that failed while it ran. It has no code of its own. */
const WHILE_RUNNING = /^ERR (?:user_script:|Error running script)/

/** Reads only the codes of an error. The rest of its message may be content. */
export function failureOf(error: unknown): Failure {
  const message = error instanceof Error ? error.message : ''
  if (error instanceof Error && (error.name === 'ReplyError' || message.startsWith('Too many Cluster redirections'))) {
    const word = WORDS.exec(message)?.[1] ?? 'ERR'
    // The driver lost the connection that it was redirected to. That error has no code.
    if (word === 'ERR' && error.name !== 'ReplyError') return { kind: 'lost', word }
    if (word === 'ERR' && WHILE_RUNNING.test(message)) return { kind: 'broke off', word }
    return { kind: temporary.has(word) ? 'refused for now' : 'refused', word }
  }
  return { kind: 'lost', word: codeOf(error) ?? '' }
}

export function isRefusal(error: unknown, word: string): boolean {
  const failure = failureOf(error)
  return failure.kind !== 'lost' && failure.word === word
}

/** Whether the server does not know a command, or forbids it to this user. */
export function isForbidden(error: unknown): boolean {
  const { kind, word } = failureOf(error)
  return kind === 'refused' && (word === 'NOPERM' || word === 'ERR')
}

/** Whether a call failed because the server refused it with this word: the code of the error's cause. */
export function wasRefusedWith(error: unknown, word: string): boolean {
  return isTurnstoreError(error) && codeOf(error.cause) === word
}

/** A cause that is safe to print. Its `code` is the first word of Redis's error, or the code of a network error. */
export function causeOf(error: unknown, word: string): Error {
  return Object.assign(safeCause(error), word !== '' && { code: word })
}

/** The code of an error: ECONNREFUSED, ENOTFOUND; the first word of Redis's error in a cause of ours. */
export function codeOf(error: unknown): string | null {
  if (!(error instanceof Error)) return null
  const code: unknown = Reflect.get(error, 'code')
  return typeof code === 'string' && /^[A-Z][A-Z0-9_]{1,40}$/.test(code) ? code : null
}

/** The error that the caller of a failed call gets. */
export function callFailed(failure: Failure, error: unknown, outcome: WriteOutcome): TurnstoreError {
  if (isTurnstoreError(error)) return error
  const details = { outcome, cause: causeOf(error, failure.word) }
  if (failure.kind === 'lost') {
    const why = failure.word === '' ? '' : ` (${failure.word})`
    const what = outcome === 'unknown' ? ', and its last answer was lost' : ''
    return new TurnstoreError(
      'STORE_UNAVAILABLE',
      `Redis cannot be reached${why}${what}; check its address, the network and the server`,
      details,
    )
  }
  const message =
    failure.kind === 'broke off'
      ? 'A script failed on the server, and may have written a part; load the session to check, and report this with the log of Redis'
      : (refusals[failure.word] ?? 'Redis refused a command; check its log')
  return new TurnstoreError('STORE_UNAVAILABLE', message, details)
}

/** Names the session and the place of the damage, never the content. */
export function corruptSession(sessionId: string, reason: string): TurnstoreError {
  return new TurnstoreError('CORRUPT_SESSION', `Session ${sessionId} cannot be read: ${reason}`, { sessionId })
}

export function newerSession(sessionId: string, version: string): TurnstoreError {
  return new TurnstoreError(
    'SCHEMA_TOO_NEW',
    `Session ${sessionId} has version ${quote(version, 20)} of the format; use a newer version of @turnstore/redis`,
    { sessionId },
  )
}

export function storeBusy(sessionId: string): TurnstoreError {
  return new TurnstoreError('STORE_BUSY', `Other writers kept changing session ${sessionId}; try again later`, {
    sessionId,
    outcome: 'not-stored',
  })
}

/** An option that cannot be used. */
export function invalid(message: string): TurnstoreError {
  return new TurnstoreError('INVALID_ARGUMENT', message)
}

/** A server that cannot be used as it is set. */
export function unusable(message: string): TurnstoreError {
  return new TurnstoreError('STORE_UNAVAILABLE', message)
}
