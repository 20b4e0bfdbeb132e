import { randomBytes } from 'node:crypto'
import { link, lstat, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { Worker } from 'node:worker_threads'
import { isTurnstoreError, TurnstoreError } from '@turnstore/core'
import { quote } from '@turnstore/core/adapter'
import type { Connection } from '../database/connection.js'
import { storeError } from '../database/sqlite-errors.js'
import { whileBusy } from '../database/while-busy.js'
import { findProblems, type IntegrityProblem, type IntegrityReport } from './integrity.js'
import type { Answer, Task } from './worker.js'

/*
 * Work that reads the whole database, and takes seconds: in a thread of its own with a handle of its own,
 * while the store goes on. A database in memory or with an exclusive handle has no other, and one of another copy of
 * the driver must have none: they are done here. So is what needs the functions that the owner of a lent handle has
 * given it.
 */

/**
 * Writes a copy of the database, as it is at one moment, to a new file: complete and on the disk under its
 * name, or not there. With `VACUUM INTO`, since the backup API begins anew whenever somebody writes.
 *
 * @throws `INVALID_ARGUMENT` where the file is there already, `STORE_BUSY`, `STORE_UNAVAILABLE`
 */
export async function backUp(connection: Connection, target: string, timeoutMs: number): Promise<void> {
  const partial = `${target}.partial-${randomBytes(6).toString('hex')}`
  try {
    if (await exists(target)) throw taken(target)
    // Nobody else may read it, nor the database where we made it.
    await (await open(partial, 'wx', 0o600)).close()
    const { file } = connection
    const isDone = file !== null && (await inThread({ kind: 'backup', path: file, target: partial, timeoutMs })) !== null
    if (!isDone) await whileBusy(() => connection.vacuumInto(partial), timeoutMs, connection.path)
    connection.checkFiles()
    await sync(partial)
    await publish(partial, target)
  } catch (error) {
    if (isTurnstoreError(error)) throw error
    throw new TurnstoreError('STORE_UNAVAILABLE', `The backup ${quote(target)} was not written: ${systemCode(error)}`)
  } finally {
    await rm(partial, { force: true })
  }
}

/** @throws `STORE_BUSY`, `STORE_UNAVAILABLE` */
export async function checkIntegrity(connection: Connection, timeoutMs: number): Promise<IntegrityReport> {
  const { file } = connection
  const found = file === null ? null : await inThread({ kind: 'check', path: file, timeoutMs })
  connection.checkFiles()
  const problems = found ?? (await whileBusy(() => findProblems(connection), timeoutMs, connection.path))
  return { ok: problems.length === 0, problems }
}

/** Null where only the handle itself can do it. */
function inThread(task: Task): Promise<readonly IntegrityProblem[] | null> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./worker.js', import.meta.url), {
      workerData: task,
      // Not those of the process: what runs with `--input-type` could start no thread, and `--import` is for the process.
      execArgv: [],
    })
    worker.once('message', (answer: Answer) => {
      if ('problems' in answer) resolve(answer.problems)
      else if ('needsHandle' in answer) resolve(null)
      else reject(new TurnstoreError(answer.code, answer.message))
    })
    worker.once('error', error => reject(storeError(error, task.path)))
    // After an answer this changes nothing any more.
    worker.once('exit', () => reject(new TurnstoreError('STORE_UNAVAILABLE', 'The thread that read the database ended early')))
  })
}

/** Under its name, unless another file has it by now. */
async function publish(partial: string, target: string): Promise<void> {
  try {
    await link(partial, target)
  } catch (error) {
    if (systemCode(error) === 'EEXIST') throw taken(target)
    // A file system without hard links.
    await rename(partial, target)
  }
  await sync(dirname(target)).catch((error: unknown) => {
    // Windows cannot sync a folder.
    if (process.platform !== 'win32') throw error
  })
}

async function sync(path: string): Promise<void> {
  const file = await open(path, 'r')
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path)
    return true
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false
    throw error
  }
}

function taken(path: string): TurnstoreError {
  return new TurnstoreError('INVALID_ARGUMENT', `There is a file ${quote(path)} already; a backup goes into a new one`)
}

function systemCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'it failed'
}
