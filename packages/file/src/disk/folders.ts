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

/** For each folder that is being synced. `next` has not begun yet. */
const syncs = new Map<string, { last: Promise<void>; next: Promise<void> | null }>()

/**
 * Makes the creations, renames and removals in a folder survive a power cut. Callers share the next sync that begins.
 * @param handle of the folder, if it is open already
 */
export function syncFolder(path: string, handle: FileHandle | null = null): Promise<void> {
  const syncing = syncs.get(path) ?? { last: Promise.resolve(), next: null }
  if (syncing.next !== null) return syncing.next
  syncs.set(path, syncing)
  const next = syncing.last.then(() => {
    syncing.next = null
    return syncNow(path, handle)
  })
  const end = (): void => {
    if (syncing.next === null) syncs.delete(path)
  }
  syncing.next = next
  syncing.last = next.then(end, end)
  return next
}

async function syncNow(path: string, handle: FileHandle | null): Promise<void> {
  let folder = handle
  try {
    folder ??= await openFolder(path)
    await folder?.sync()
  } catch (error) {
    // The file system does not sync folders at all. PostgreSQL's fsync_fname ignores this error too.
    if (systemCode(error) !== 'EINVAL') {
      throw fileWriteError(error, `The folder could not be synced: ${path}`, 'unknown')
    }
  } finally {
    if (folder !== handle) await folder?.close().catch(() => undefined)
  }
}

/** Null on Windows, where a folder cannot be opened and synced. */
export async function openFolder(path: string): Promise<FileHandle | null> {
  if (process.platform === 'win32') return null
  return waitForDescriptor(() => open(path, constants.O_RDONLY | constants.O_DIRECTORY))
}
