import { randomBytes } from 'node:crypto'
import { existsSync, renameSync, statSync } from 'node:fs'
import { readHeader } from './database-header.js'
import { descriptorOf, type FileIdentity, identityOf, isSameFile } from './file-identity.js'
import { StrayFile } from './sqlite-errors.js'

/*
 * Files beside a database that belong to another one, which had the same path before. SQLite would read the WAL as if
 * it belonged to the database that it opens, and lose what it writes.
 */

/** The `-wal` and the `-shm` beside a path, as far as they exist. */
export function strayFilesOf(path: string): ReadonlyMap<string, FileIdentity> {
  const left = new Map<string, FileIdentity>()
  for (const name of [`${path}-wal`, `${path}-shm`]) {
    const found = identityOf(name)
    if (found !== undefined) left.set(name, found)
  }
  return left
}

/** Renames those files if they are still the same, so that the WAL can be recovered. */
export function setAside(left: ReadonlyMap<string, FileIdentity>): void {
  const suffix = randomBytes(4).toString('hex')
  for (const [name, file] of left) {
    const found = identityOf(name)
    if (found !== undefined && isSameFile(found, file)) renameSync(name, `${name}.left-${suffix}`)
  }
}

/**
 * Checks a database that SQLite has opened and not read yet. Its `-wal` exists only while it is in WAL mode: SQLite marks
 * the mode in the header first, and removes the file before the mark. Its `-shm` is created after the `-wal` and removed
 * before it.
 * @throws `StrayFile`
 */
export function checkStrayFiles(main: FileIdentity, file: string): void {
  const left = strayFilesOf(file)
  const [name] = left.keys()
  if (name === undefined) return
  // After the files were found: a process that is just changing the mode marks it before they appear.
  if (!mayBeInWalMode(main, file)) throw new StrayFile(name, left)
  if (!left.has(`${file}-wal`) && !existsSync(`${file}-wal`) && existsSync(name)) throw new StrayFile(name, null)
}

/** A file that is no database, such as an encrypted one, counts as in WAL mode: its files belong to its program. */
function mayBeInWalMode(main: FileIdentity, file: string): boolean {
  const descriptor = descriptorOf(main)
  const header = typeof descriptor === 'number' ? readHeader(descriptor) : null
  if (header === null) return statSync(file).size > 0
  return !header.isDatabase || header.isInWal
}
