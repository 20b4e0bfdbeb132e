import { randomBytes } from 'node:crypto'
import { existsSync, renameSync, statSync } from 'node:fs'
import type { DatabaseFiles } from './database-files.js'
import { readHeader } from './database-header.js'
import { descriptorOf, type FileIdentity, identityOf, isSameFile } from './file-identity.js'
import { StrayFile } from './sqlite-errors.js'

/*
 * Files beside a database that belong to another one, which had the same path before. SQLite would read the WAL as if
 * it belonged to the database that it opens, and lose what it writes.
 */

/** The files beside a path at which there is no database. */
export function strayFilesOf(path: string): ReadonlyMap<string, FileIdentity> {
  const left = new Map<string, FileIdentity>()
  for (const name of [`${path}-wal`, `${path}-shm`]) {
    const found = identityOf(name)
    if (found !== undefined) left.set(name, found)
  }
  return left
}

/** Renames those files, so that the WAL can be recovered. SQLite would delete the WAL and use the `-shm`. */
export function setAside(left: ReadonlyMap<string, FileIdentity>): void {
  const suffix = randomBytes(4).toString('hex')
  for (const [name, file] of left) {
    const found = identityOf(name)
    if (found !== undefined && isSameFile(found, file)) renameSync(name, `${name}.left-${suffix}`)
  }
}

/**
 * Checks an existing database before SQLite opens it. `-shm` is created after the WAL and removed before it, and the WAL
 * is created after the database has content.
 * @throws `StrayFile`
 */
export function checkStrayFiles(file: string): void {
  const [wal, shm] = [`${file}-wal`, `${file}-shm`]
  if (existsSync(shm) && !existsSync(wal) && existsSync(shm)) throw new StrayFile(shm)
  const left = [wal, shm].find(existsSync)
  if (left !== undefined && statSync(file).size === 0 && existsSync(left)) throw new StrayFile(left)
}

/**
 * Checks a database that SQLite has opened and not read yet. If it is not in WAL mode, as a backup is, it has no WAL.
 * @throws `StrayFile`
 */
export function checkWal(files: DatabaseFiles, file: string): void {
  const wal = `${file}-wal`
  if (!existsSync(wal)) return
  const descriptor = descriptorOf(files.main)
  if (typeof descriptor !== 'number') return
  const header = readHeader(descriptor)
  if (header !== null && header.isDatabase && !header.isInWal && existsSync(wal)) throw new StrayFile(wal)
}
