import { isTurnstoreError } from '@turnstore/core'

/** Whether an error is about one session whose data cannot be read, so that the others may go on. */
export function isDamage(error: unknown): boolean {
  return isTurnstoreError(error, 'CORRUPT_SESSION') || isTurnstoreError(error, 'SCHEMA_TOO_NEW')
}
