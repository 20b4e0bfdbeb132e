import { TurnstoreError } from './errors.js'
import { utf8Length } from './text.js'

const MAX_ID_BYTES = 200

/** C0, DEL and C1. */
// oxlint-disable-next-line no-control-regex -- finding control characters is its whole purpose
const CONTROL_CHARACTER = /[\u0000-\u001F\u007F-\u009F]/

/**
 * Checks the id of a session, workspace, turn, transition or agent: a case-sensitive, well-formed
 * string of 1 to 200 UTF-8 bytes without control characters. Whatever else is in it works.
 *
 * @param what names the id in the message, `sessionId`. The id itself is never quoted: whatever a
 *   caller handed in by mistake stays out of logs.
 * @throws `INVALID_ID`
 */
export function checkId(id: unknown, what: string): string {
  const problem = problemOf(id)
  if (problem !== null || typeof id !== 'string') throw new TurnstoreError('INVALID_ID', `${what} ${problem}`)
  return id
}

/** Whether {@link checkId} would take it. */
export function isValidId(id: unknown): id is string {
  return problemOf(id) === null
}

function problemOf(id: unknown): string | null {
  if (typeof id !== 'string') return `must be a string, not ${id === null ? 'null' : typeof id}`
  if (id === '') return 'is empty; an id has 1 to 200 bytes'
  if (id.length > MAX_ID_BYTES || utf8Length(id) > MAX_ID_BYTES) return `is longer than ${MAX_ID_BYTES} bytes of UTF-8`
  if (CONTROL_CHARACTER.test(id)) return 'has a control character'
  if (/\p{Surrogate}/u.test(id)) return 'has a lone surrogate, which is no character'
  return null
}
