import { constants } from 'node:fs'
import { type FileHandle, lstat, mkdir, open } from 'node:fs/promises'
import { waitForDescriptor } from './descriptors.js'
import { FileWriteError, fileWriteError } from './file-write-error.js'
import { isMissing, systemCode } from './system-code.js'

/**
 * Creates the folder, for its owner alone, if it does not exist. Its parent must exist. When this resolves,
 * the folder's entry in its parent survives a power cut. Returns whether the folder was created. Rejects with
 * `NOT_A_FOLDER` if the path is a link or anything else that is not a folder.
 *
 * An existing folder is synced too: another process may have created it a moment ago and not synced it yet.
 */
export async function ensureFolder(path: string, parentToSync: string): Promise<boolean> {
  let isCreated = false
  try {
    await mkdir(path, { mode: 0o700 })
    isCreated = true
  } catch (error) {
    if (systemCode(error) !== 'EEXIST')
      throw fileWriteError(error, `The folder could not be created: ${path}`, 'not-stored')
    if (!(await isFolder(path))) {
      throw new FileWriteError(`Not a folder, or a link to one: ${path}`, 'NOT_A_FOLDER', 'not-stored')
    }
  }
  await syncFolder(parentToSync)
  return isCreated
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isDirectory()
  } catch (error) {
    if (isMissing(error)) return false
    throw error
  }
}

/** Makes the creations, renames and removals in a folder survive a power cut. */
export async function syncFolder(path: string): Promise<void> {
  let folder: FileHandle | null = null
  try {
    folder = await openFolder(path)
    await syncFolderHandle(folder)
  } catch (error) {
    throw fileWriteError(error, `The folder could not be synced: ${path}`, 'unknown')
  } finally {
    await folder?.close().catch(() => undefined)
  }
}

/** Null on Windows, where a folder cannot be opened and synced. */
export async function openFolder(path: string): Promise<FileHandle | null> {
  if (process.platform === 'win32') return null
  return waitForDescriptor(() => open(path, constants.O_RDONLY | constants.O_DIRECTORY))
}

export async function syncFolderHandle(folder: FileHandle | null): Promise<void> {
  try {
    await folder?.sync()
  } catch (error) {
    // The file system does not sync folders at all. PostgreSQL's fsync_fname ignores this error too.
    if (systemCode(error) !== 'EINVAL') throw error
  }
}
