import { Worker } from 'node:worker_threads'
import { TurnstoreError } from '@turnstore/core'
import { storeError } from '../database/sqlite-errors.js'
import type { IntegrityProblem } from './integrity.js'
import type { Answer, Task } from './worker.js'

/**
 * Runs work that reads the whole database in a thread with its own handle, so that it does not block the store.
 *
 * @returns null if only the handle of the store can do it, since it needs functions that its owner has registered
 */
export function inThread(task: Task): Promise<readonly IntegrityProblem[] | null> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./worker.js', import.meta.url), {
      workerData: task,
      // Not the options of the process: `--input-type` would keep the thread from starting, and `--import` is for the process.
      execArgv: [],
    })
    worker.once('message', (answer: Answer) => {
      if ('problems' in answer) resolve(answer.problems)
      else if ('needsHandle' in answer) resolve(null)
      else reject(new TurnstoreError(answer.code, answer.message))
    })
    worker.once('error', error => reject(storeError(error, task.path)))
    // Has no effect after an answer.
    worker.once('exit', () =>
      reject(new TurnstoreError('STORE_UNAVAILABLE', 'The thread that read the database ended early')),
    )
  })
}
