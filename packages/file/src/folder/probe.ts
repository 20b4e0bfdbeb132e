import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { lstat, open, readdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * Whether the file system of this folder takes names for one that differ in case or in Unicode normalisation, or does
 * not keep a name as it was given. Found by creating files with random names in it and looking for them under another
 * spelling; they are gone when the promise settles. Rejects with the file system's error where the folder cannot be
 * written.
 *
 * Says nothing of other folders: ext4 and NTFS can fold in one and not in the next, but a new folder takes this from
 * the one that it is made in.
 */
export async function probeFolding(dir: string): Promise<boolean> {
  const random = randomBytes(12).toString('hex')
  // Apart, so that a file system which refuses all but ASCII still tells about the case.
  const spellings = [
    [`probe-${random}-a`, `PROBE-${random.toUpperCase()}-A`],
    [`probe-${random}-\u00e9`, `probe-${random}-e\u0301`],
    [`probe-${random}-\u00e4`, `probe-${random}-\u00c4`],
  ] as const
  for (const [name, other] of spellings) {
    if (await isFolded(dir, name, other)) return true
  }
  return false
}

async function isFolded(dir: string, name: string, other: string): Promise<boolean> {
  const path = join(dir, name)
  try {
    const file = await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600)
    await file.close()
  } catch (error) {
    if (isRefusedName(error)) return true
    throw error
  }
  try {
    return (await exists(join(dir, other))) || !(await readdir(dir)).includes(name)
  } finally {
    await unlink(path)
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path)
    return true
  } catch (error) {
    if (isRefusedName(error)) return true
    if (codeOf(error) === 'ENOENT') return false
    throw error
  }
}

/** A file system that does not hold such a name needs it escaped just as one that folds it. */
function isRefusedName(error: unknown): boolean {
  const code = codeOf(error)
  return code === 'EILSEQ' || code === 'EINVAL'
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}
