import { isTurnstoreError, TurnstoreError, type WriteOutcome } from '@turnstore/core'
import { quote, safeCause } from '@turnstore/core/adapter'

/** What an error of the driver or the server means for a command. */
export type Failure =
  /** The server refused it before anything was done, for now: it may be sent again. */
  | { readonly kind: 'refused for now'; readonly word: string }
  /** The server refused it before anything was done, and will again. */
  | { readonly kind: 'refused'; readonly word: string }
  /** A script of ours failed on the way. Redis does not take back what it had written by then. */
  | { readonly kind: 'broke off'; readonly word: 'ERR' }
  /** The answer is lost, or there is no connection: whether it was carried out is not known. */
  | { readonly kind: 'lost'; readonly word: string }

/** What the server says, with what to do about it. */
const refusals: Readonly<Record<string, string>> = {
  OOM: 'Redis is out of memory (OOM); raise maxmemory or free some, with maxmemory-policy noeviction',
  MISCONF: 'Redis cannot write its snapshots and takes no writes (MISCONF); look at its log and its disk',
  NOAUTH: 'Redis asks for a password (NOAUTH); give username and password',
  WRONGPASS: 'Redis does not accept the username or password (WRONGPASS)',
  NOPERM: 'The Redis user may not do this (NOPERM); docs/redis.md lists the commands and keys that it needs',
  NOREPLICAS: 'Too few replicas are connected (NOREPLICAS); see min-replicas-to-write',
  READONLY: 'This server is a replica and takes no writes (READONLY); connect to its master',
  LOADING: 'Redis is still loading its data (LOADING); try again later',
  BUSY: 'Redis is busy with a script (BUSY); try again later',
  MASTERDOWN: 'The replica has lost its master (MASTERDOWN); connect to the master',
  CLUSTERDOWN: 'The Cluster is down or lacks a master (CLUSTERDOWN); see CLUSTER INFO',
  TRYAGAIN: 'The slot of the session is being moved to another node (TRYAGAIN); try again later',
  MOVED:
    'The Cluster keeps sending the command elsewhere (MOVED); a client of one server cannot use it, give its nodes',
  ASK: 'The slot of the session is being moved to another node (ASK); try again later',
  CROSSSLOT:
    'The keys of one session are in several slots (CROSSSLOT); the keyPrefix of the client must have no braces',
  WRONGTYPE: 'A key of ours holds something else (WRONGTYPE)',
  NOSCRIPT: 'Redis has lost the script and takes no new one (NOSCRIPT)',
}

const passing = new Set(['READONLY', 'LOADING', 'BUSY', 'MASTERDOWN', 'CLUSTERDOWN', 'TRYAGAIN', 'ASK', 'NOREPLICAS'])

/** Where a script fails, older servers put the word of the error behind a sentence of their own. */
const WORDS = new RegExp(`(?:^|[ -])(${Object.keys(refusals).join('|')})(?: |$)`)

/** How servers begin to tell of a script that failed while it ran. */
const WHILE_RUNNING = /^ERR (?:user_script:|Error running script)/

/** Looks at the words of the server and of the driver, which are fixed, and hands none of the rest on. */
export function failureOf(error: unknown): Failure {
  const message = error instanceof Error ? error.message : ''
  if (error instanceof Error && (error.name === 'ReplyError' || message.startsWith('Too many Cluster redirections'))) {
    const word = WORDS.exec(message)?.[1] ?? 'ERR'
    // The connection that was to be redirected may have been lost on the way.
    if (word === 'ERR' && error.name !== 'ReplyError') return { kind: 'lost', word }
    if (word === 'ERR' && WHILE_RUNNING.test(message)) return { kind: 'broke off', word }
    return { kind: passing.has(word) ? 'refused for now' : 'refused', word }
  }
  return { kind: 'lost', word: codeOf(error) ?? '' }
}

export function isRefusal(error: unknown, word: string): boolean {
  const failure = failureOf(error)
  return failure.kind !== 'lost' && failure.word === word
}

/** Whether a server does not know a command, or does not let this user give it. */
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

/** The error of a call that failed, as its caller gets it. */
export function callFailed(failure: Failure, error: unknown, outcome: WriteOutcome): TurnstoreError {
  if (isTurnstoreError(error)) return error
  const details = { outcome, cause: causeOf(error, failure.word) }
  if (failure.kind === 'lost') {
    const what = outcome === 'unknown' ? 'its last answer was lost' : 'nothing was written'
    const why = failure.word === '' ? '' : ` (${failure.word})`
    return new TurnstoreError(
      'STORE_UNAVAILABLE',
      `Redis cannot be reached${why}, and ${what}; look at its address, at the network and at the server`,
      details,
    )
  }
  const message =
    failure.kind === 'broke off'
      ? 'A script failed on the server, and may have written a part; load the session to see, and report it with the log of Redis'
      : (refusals[failure.word] ?? 'Redis refused a command; see its log')
  return new TurnstoreError('STORE_UNAVAILABLE', message, details)
}

/** Damage, naming the session and the place; never what stands there. */
export function corruptSession(sessionId: string, reason: string): TurnstoreError {
  return new TurnstoreError('CORRUPT_SESSION', `Session ${sessionId} cannot be read: ${reason}`, { sessionId })
}

export function newerSession(sessionId: string, version: string): TurnstoreError {
  return new TurnstoreError(
    'SCHEMA_TOO_NEW',
    `Session ${sessionId} is of version ${quote(version, 20)} of the format; use a newer version of @turnstore/redis`,
    { sessionId },
  )
}

export function storeBusy(sessionId: string): TurnstoreError {
  return new TurnstoreError('STORE_BUSY', `Session ${sessionId} is being changed by too many others; try again later`, {
    sessionId,
    outcome: 'not-stored',
  })
}
