import { TurnstoreError } from './errors.js'
import { utf8Length } from './text.js'

const MAX_ID_BYTES = 200

// oxlint-disable-next-line no-control-regex -- matches control characters on purpose
const CONTROL_CHARACTER = /[\u0000-\u001F\u007F-\u009F]/

/**
 * Checks the id of a session, workspace, turn, agent transition or agent. An id is a case-sensitive,
 * well-formed string of 1 to 200 UTF-8 bytes without control characters. All other characters are allowed.
 *
 * @param what the name of the argument, such as `sessionId`. The message never quotes the id itself, so
 *   a secret passed by mistake stays out of logs.
 * @throws `INVALID_ID`
 */
export function checkId(id: unknown, what: string): string {
  const problem = problemOf(id)
  if (problem !== null || typeof id !== 'string') throw new TurnstoreError('INVALID_ID', `${what} ${problem}`)
  return id
}

/** Whether {@link checkId} accepts the id. */
export function isValidId(id: unknown): id is string {
  return problemOf(id) === null
}

/** Nearly all ids. One look instead of three: a turn may have thousands. */
const PLAIN_ID = /^[\u0020-\u007e]{1,200}$/

function problemOf(id: unknown): string | null {
  if (typeof id === 'string' && PLAIN_ID.test(id)) return null
  if (typeof id !== 'string') return `must be a string, not ${id === null ? 'null' : typeof id}`
  if (id === '') return 'is empty; an id has 1 to 200 bytes'
  if (id.length > MAX_ID_BYTES || utf8Length(id) > MAX_ID_BYTES) return `is longer than ${MAX_ID_BYTES} bytes of UTF-8`
  if (CONTROL_CHARACTER.test(id)) return 'contains a control character'
  if (/\p{Surrogate}/u.test(id)) return 'contains a lone surrogate, which is not a character'
  return null
}
