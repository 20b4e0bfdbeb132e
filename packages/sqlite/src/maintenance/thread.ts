import { Worker } from 'node:worker_threads'
import { TurnstoreError } from '@turnstore/core'
import { storeError } from '../database/sqlite-errors.js'
import type { IntegrityProblem } from './integrity.js'
import type { Answer, Task } from './sqlite-maintenance-worker.js'

/**
 * Runs work that reads the whole database in a thread with its own handle, so that it does not block the store.
 *
 * @returns null if the handle of the store has to do it: it needs functions that its owner has registered, or the thread
 *   did not start, as in a program that was bundled without its file
 */
export function inThread(task: Task): Promise<readonly IntegrityProblem[] | null> {
  return new Promise((resolve, reject) => {
    const worker = start(task)
    if (worker === null) {
      resolve(null)
      return
    }
    worker.once('message', (answer: Answer) => {
      if ('problems' in answer) resolve(answer.problems)
      else if ('needsHandle' in answer) resolve(null)
      else reject(new TurnstoreError(answer.code, answer.message))
    })
    // The thread answers whatever happens, so it did not start, or there is no memory left.
    worker.once('error', error => (isOutOfMemory(error) ? reject(storeError(error, task.path)) : resolve(null)))
    // Has no effect after an answer.
    worker.once('exit', () => resolve(null))
  })
}

/** The name of the file is like no other that may be beside a bundle. */
function start(task: Task): Worker | null {
  try {
    return new Worker(new URL('./sqlite-maintenance-worker.js', import.meta.url), {
      workerData: task,
      // Not the options of the process: `--input-type` would keep the thread from starting, and `--import` is for the process.
      execArgv: [],
    })
  } catch {
    // Bundlers replace the URL by what they please.
    return null
  }
}

function isOutOfMemory(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY'
}
