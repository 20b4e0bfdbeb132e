import type { WaitingWrite } from '@turnstore/core/adapter'
import { writeError } from '../folder/file-errors.js'
import type { Lock } from '../locks/gate.js'

/** Does something under the lock of a session. */
export type Hold = <T>(work: (lock: Lock) => Promise<T>) => Promise<T>

/**
 * A commit of a `GroupCommit` that takes the lock first, so that writes that arrive while it waits for the lock come
 * along.
 * @param most the most writes that share a commit
 * @param commit settles each write that it is given, or throws, and then all of them fail
 */
export function lockedCommit<Write, Result>(
  hold: Hold,
  most: number,
  commit: (batch: readonly WaitingWrite<Write, Result>[], lock: Lock) => Promise<void>,
): (waiting: readonly WaitingWrite<Write, Result>[]) => Promise<void> {
  return async waiting => {
    let batch = waiting
    try {
      await hold(lock => {
        batch = waiting.slice(0, most)
        return commit(batch, lock)
      })
    } catch (error) {
      const failure = writeError(error, batch === waiting ? 'not-stored' : 'unknown')
      // Each write has a deadline of its own.
      if (failure.code === 'STORE_BUSY') throw failure
      // Not thrown: they would be tried one by one, and each would wait for descriptors, say.
      for (const each of batch) each.reject(failure)
    }
  }
}
