import { isTurnstoreError, withDetails, type WriteOutcome } from './errors.js'

/**
 * Runs part of a write and adds `outcome` to its error, unless the error already has one. Use
 * `not-stored` before the write is sent and `unknown` after.
 */
export function withOutcome<T>(outcome: WriteOutcome, work: () => Promise<T>): Promise<T>
export function withOutcome<T>(outcome: WriteOutcome, work: () => T): T
export function withOutcome(outcome: WriteOutcome, work: () => unknown): unknown {
  const fail = (error: unknown): never => {
    throw isTurnstoreError(error) && error.outcome === undefined ? withDetails(error, { outcome }) : error
  }
  try {
    const result = work()
    return result instanceof Promise ? result.catch(fail) : result
  } catch (error) {
    return fail(error)
  }
}
