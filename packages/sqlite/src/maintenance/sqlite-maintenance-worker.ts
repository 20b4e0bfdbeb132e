import { parentPort, workerData } from 'node:worker_threads'
import type { ErrorCode } from '@turnstore/core'
import { Connection } from '../database/connection.js'
import { openToRead } from '../database/open-database.js'
import { busyError, isBusy, isOfSchema, storeError } from '../database/sqlite-errors.js'
import { findProblems, type IntegrityProblem } from './integrity.js'

/*
 * The thread that `thread.ts` starts. It does one task, posts one answer and ends. It may wait inside SQLite.
 */

interface Common {
  readonly path: string
  readonly timeoutMs: number
}

export type Task = Common & ({ readonly kind: 'backup'; readonly target: string } | { readonly kind: 'check' })

export type Answer =
  | { readonly problems: readonly IntegrityProblem[] }
  /** An index uses a function that the owner of a shared handle has registered on it. */
  | { readonly needsHandle: true }
  | { readonly code: ErrorCode; readonly message: string }

function perform(task: Task): readonly IntegrityProblem[] {
  const database = openToRead(task.path, task.timeoutMs)
  try {
    const connection = new Connection(database, false)
    if (task.kind === 'check') return findProblems(connection)
    connection.vacuumInto(task.target)
    return []
  } finally {
    // Not the connection's close(), which checkpoints the WAL: here it would wait for readers, and block all writers.
    database.close()
  }
}

function answerTo(task: Task): Answer {
  try {
    return { problems: perform(task) }
  } catch (error) {
    if (isOfSchema(error)) return { needsHandle: true }
    const { code, message } = isBusy(error) ? busyError(error, task.timeoutMs) : storeError(error, task.path)
    // Damage that keeps the database from being opened is a finding of the check.
    const isFinding = task.kind === 'check' && code === 'CORRUPT_SESSION'
    return isFinding ? { problems: [{ sessionId: null, message }] } : { code, message }
  }
}

function isTask(value: unknown): value is Task {
  return typeof value === 'object' && value !== null && 'kind' in value && 'path' in value && 'timeoutMs' in value
}

const given: unknown = workerData
if (!isTask(given)) throw new Error('Only thread.ts starts this thread')
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
parentPort?.postMessage(answerTo(given))
