import { isTurnstoreError, withDetails, type WriteOutcome } from './errors.js'

/**
 * Runs a part of a write, and says of its failure what became of the write, unless the error says so itself:
 * `not-stored` before the write was sent, `unknown` after it.
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
