import { randomBytes } from 'node:crypto'
import { link, lstat, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { isTurnstoreError, TurnstoreError } from '@turnstore/core'
import { quote } from '@turnstore/core/adapter'
import type { Connection } from '../database/connection.js'
import { whileBusy } from '../database/while-busy.js'
import { inThread } from './thread.js'

/**
 * Writes a copy of the database at one moment to a new file. The file appears under its name when it is complete and on
 * the disk. Uses `VACUUM INTO`, since the backup API restarts whenever another process writes.
 *
 * @throws `INVALID_ARGUMENT` if the file exists, `STORE_BUSY`, `STORE_UNAVAILABLE`
 */
export async function backUp(connection: Connection, target: string, timeoutMs: number): Promise<void> {
  const partial = `${target}.partial-${randomBytes(6).toString('hex')}`
  try {
    if (await exists(target)) throw taken(target)
    // Readable by its owner alone, like a database that the store creates.
    await (await open(partial, 'wx', 0o600)).close()
    const { file } = connection
    const isDone =
      file !== null && (await inThread({ kind: 'backup', path: file, target: partial, timeoutMs })) !== null
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

/** Gives the file its name, unless another file has it by now. */
async function publish(partial: string, target: string): Promise<void> {
  try {
    await link(partial, target)
  } catch (error) {
    if (systemCode(error) === 'EEXIST') throw taken(target)
    // The file system has no hard links.
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
  return new TurnstoreError('INVALID_ARGUMENT', `There is already a file ${quote(path)}; a backup needs a new one`)
}

function systemCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'unknown error'
}
