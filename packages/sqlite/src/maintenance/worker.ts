import { parentPort, workerData } from 'node:worker_threads'
import type { ErrorCode } from '@turnstore/core'
import { Connection } from '../database/connection.js'
import { openToRead } from '../database/open-database.js'
import { busyError, isBusy, isOfSchema, storeError } from '../database/sqlite-errors.js'
import { findProblems, type IntegrityProblem } from './integrity.js'

/*
 * The thread that `maintenance.ts` starts: one task, one answer, and the end. It may wait inside SQLite.
 */

interface Common {
  readonly path: string
  readonly timeoutMs: number
}

export type Task = Common & ({ readonly kind: 'backup'; readonly target: string } | { readonly kind: 'check' })

export type Answer =
  | { readonly problems: readonly IntegrityProblem[] }
  /** The owner of a lent handle has given it functions, and an index of his uses one. */
  | { readonly needsHandle: true }
  | { readonly code: ErrorCode; readonly message: string }

function perform(task: Task): readonly IntegrityProblem[] {
  const database = openToRead(task.path, task.timeoutMs)
  try {
    const connection = new Connection(database, { synchronous: 'FULL', isLent: false })
    if (task.kind === 'check') return findProblems(connection)
    connection.vacuumInto(task.target)
    return []
  } finally {
    // Not the connection's close(), which checkpoints the WAL: it would wait for readers here, and all writers with it.
    database.close()
  }
}

function answerTo(task: Task): Answer {
  try {
    return { problems: perform(task) }
  } catch (error) {
    if (isOfSchema(error)) return { needsHandle: true }
    const { code, message } = isBusy(error) ? busyError(error, task.timeoutMs) : storeError(error, task.path)
    // Damage that keeps it from being opened is what a check is there to tell.
    const isFinding = task.kind === 'check' && code === 'CORRUPT_SESSION'
    return isFinding ? { problems: [{ sessionId: null, message }] } : { code, message }
  }
}

function isTask(value: unknown): value is Task {
  return typeof value === 'object' && value !== null && 'kind' in value && 'path' in value && 'timeoutMs' in value
}

const given: unknown = workerData
if (!isTask(given)) throw new Error('This thread is started by maintenance.ts alone')
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
parentPort?.postMessage(answerTo(given))
