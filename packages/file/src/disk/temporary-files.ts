import { randomBytes } from 'node:crypto'
import { lstat, readdir, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { isMissing } from './system-code.js'

/** A new name for the content that will replace the file at `path`, in the same folder. */
export function temporaryPathFor(path: string): string {
  return join(dirname(path), `.turnstore-${randomBytes(16).toString('hex')}.tmp`)
}

export function isTemporaryName(name: string): boolean {
  return /^\.turnstore-[0-9a-f]{32}\.tmp$/.test(name)
}

/**
 * Removes the temporary files that crashes left in a folder: those last written more than `olderThanMs` ago.
 * Returns their number. A writer that loses its file this way fails with `not-stored`.
 */
export async function sweepTemporaries(folder: string, olderThanMs: number): Promise<number> {
  let removed = 0
  for (const name of (await readdir(folder)).filter(isTemporaryName)) {
    try {
      const path = join(folder, name)
      const stats = await lstat(path)
      if (!stats.isFile() || Date.now() - stats.mtimeMs <= olderThanMs) continue
      await unlink(path)
      removed++
    } catch (error) {
      if (!isMissing(error)) throw error
    }
  }
  return removed
}
