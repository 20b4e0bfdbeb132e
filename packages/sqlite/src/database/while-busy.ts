import { Backoff } from '@turnstore/core/adapter'
import { busyError, isBusy, storeError } from './sqlite-errors.js'

/**
 * Longest pause between two tries, in milliseconds. A try costs microseconds, and who comes back late
 * finds that another has been first once more: with pauses of up to 64 ms, two that never rest share in
 * proportions of up to two to one where nothing else runs, with these about evenly.
 */
const LONGEST_PAUSE_MS = 4

export function newBackoff(timeoutMs: number): Backoff {
  return new Backoff(timeoutMs, LONGEST_PAUSE_MS)
}

/**
 * Tries until the database is free, with pauses in which the process goes on, at most until the deadline.
 * @throws `STORE_BUSY`, or what the error of the driver means
 */
export async function whileBusy<T>(attempt: () => T, timeoutMs: number, path: string): Promise<T> {
  const backoff = newBackoff(timeoutMs)
  for (;;) {
    try {
      return attempt()
    } catch (error) {
      if (!isBusy(error)) throw storeError(error, path)
      if (!(await backoff.wait())) throw busyError(error, timeoutMs)
    }
  }
}
