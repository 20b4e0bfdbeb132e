import type { SessionRecord } from '@turnstore/core'
import type { Cli } from './cli.js'

/**
 * Tells of a session whose whole numbers may be others than those that were once written: JSON.parse rounds what lies
 * beyond 2^53, in an application as in a store, and nobody can see it afterwards.
 */
export function noteLargeNumbers(cli: Cli, session: SessionRecord): void {
  if (!holdsLargeNumber(session)) return
  cli.note(
    `Session ${session.sessionId} has whole numbers beyond 2^53, which may have been rounded when they were read`,
  )
}

function holdsLargeNumber(value: unknown): boolean {
  if (typeof value === 'number') return Number.isInteger(value) && !Number.isSafeInteger(value)
  return typeof value === 'object' && value !== null && Object.values(value).some(holdsLargeNumber)
}
