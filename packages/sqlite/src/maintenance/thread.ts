import { Worker } from 'node:worker_threads'
import { TurnstoreError } from '@turnstore/core'
import { storeError } from '../database/sqlite-errors.js'
import type { IntegrityProblem } from './integrity.js'
import type { Answer, Task } from './sqlite-maintenance-worker.js'

/**
 * Runs work that reads the whole database in a thread with its own handle, so that it does not block the store.
 *
 * @returns null if only the handle of the store can do it: it needs functions that its owner has registered, or the
 *   program was bundled without the file of the thread
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
    worker.once('error', error => (isMissing(error) ? resolve(null) : reject(storeError(error, task.path))))
    // Has no effect after an answer.
    worker.once('exit', () =>
      reject(new TurnstoreError('STORE_UNAVAILABLE', 'The thread that read the database ended early')),
    )
  })
}

/** The name of the file is like no other that may be beside a bundle. Null if a bundle has no place. */
function start(task: Task): Worker | null {
  let file: URL
  try {
    file = new URL('./sqlite-maintenance-worker.js', import.meta.url)
  } catch {
    return null
  }
  // Not the options of the process: `--input-type` would keep the thread from starting, and `--import` is for the process.
  return new Worker(file, { workerData: task, execArgv: [] })
}

function isMissing(error: unknown): boolean {
  const codes: unknown[] = ['MODULE_NOT_FOUND', 'ERR_MODULE_NOT_FOUND']
  return error instanceof Error && 'code' in error && codes.includes(error.code)
}
