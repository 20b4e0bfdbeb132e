import type { SessionRecord } from '@turnstore/core'
import type { Cli } from './cli.js'

/**
 * Reports a session whose integers may have been rounded: JSON.parse rounds integers beyond 2^53, which cannot be
 * detected afterwards.
 */
export function noteLargeNumbers(cli: Cli, session: SessionRecord): void {
  if (!holdsLargeNumber(session)) return
  cli.note(`Session ${session.sessionId} has integers beyond 2^53, which may have been rounded when they were read`)
}

function holdsLargeNumber(value: unknown): boolean {
  if (typeof value === 'number') return Number.isInteger(value) && !Number.isSafeInteger(value)
  return typeof value === 'object' && value !== null && Object.values(value).some(holdsLargeNumber)
}
