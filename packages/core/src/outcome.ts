import { isTurnstoreError, withDetails, type WriteOutcome } from './errors.js'

/** Runs what comes before a write of the store: whatever goes wrong in it, nothing was stored. */
export function beforeWrite<T>(prepare: () => T): T {
  try {
    return prepare()
  } catch (error) {
    return failWith('not-stored')(error)
  }
}

/** For reads that belong to a write: throws the error again, with this outcome unless it has one. */
export function failWith(outcome: WriteOutcome): (error: unknown) => never {
  return error => {
    throw isTurnstoreError(error) && error.outcome === undefined ? withDetails(error, { outcome }) : error
  }
}

/** The same for a listing that belongs to a write. */
export async function* eachOrFailWith<T>(outcome: WriteOutcome, items: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield* items
  } catch (error) {
    failWith(outcome)(error)
  }
}
