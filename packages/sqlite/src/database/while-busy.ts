import { Backoff } from '@turnstore/core/adapter'
import { busyError, isBusy, StrayFile, storeError } from './sqlite-errors.js'
import { setAside } from './stray-files.js'

/**
 * Longest pause between two tries, in milliseconds. A try costs microseconds, and longer pauses are unfair: with up to
 * 64 ms, two processes that write all the time share up to two to one; with these, about evenly.
 */
export const LONGEST_PAUSE_MS = 4

/**
 * Retries until the database is free, with pauses that do not block the process, at most until the deadline. Files of
 * another database that are still beside it then are set aside.
 * @throws `STORE_BUSY`, or what the error of the driver means
 */
export async function whileBusy<T>(attempt: () => T, timeoutMs: number, path: string): Promise<T> {
  const backoff = new Backoff(timeoutMs, LONGEST_PAUSE_MS)
  for (;;) {
    try {
      return attempt()
    } catch (error) {
      if (!isBusy(error)) throw storeError(error, path)
      if (await backoff.wait()) continue
      // Only now: whoever replaces a database may remove these files next, and would then remove ours.
      if (!(error instanceof StrayFile && error.left !== null)) throw busyError(error, timeoutMs)
      setAside(error.left)
    }
  }
}
