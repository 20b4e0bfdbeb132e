import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { lstat, open, readdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { isMissing, systemCode } from '../disk/system-code.js'

/**
 * Whether the file system of this folder ignores differences in case or Unicode normalisation, or does not keep
 * names as given. Creates files with random names and looks for them in another spelling. The files are gone when
 * the promise settles. Rejects with the system's error if the folder cannot be written.
 *
 * The answer is for this folder and those created in it: ext4 and NTFS can fold case per folder, and a new folder
 * inherits the setting.
 */
export async function probeFolding(dir: string): Promise<boolean> {
  const random = randomBytes(12).toString('hex')
  // Separate, so that a file system that allows only ASCII still shows how it treats case.
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
    if (isMissing(error)) return false
    throw error
  }
}

/** A name that the file system refuses must be escaped, like one that it folds. */
function isRefusedName(error: unknown): boolean {
  const code = systemCode(error)
  return code === 'EILSEQ' || code === 'EINVAL'
}
