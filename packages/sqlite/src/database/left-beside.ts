import { randomBytes } from 'node:crypto'
import { existsSync, renameSync, statSync } from 'node:fs'
import type { DatabaseFiles } from './database-files.js'
import { readHeader } from './database-header.js'
import { descriptorOf, type FileIdentity, identityOf, isSameFile } from './file-identity.js'
import { LeftBeside } from './sqlite-errors.js'

/*
 * Files beside a database that belong to another one, which was there before. SQLite takes them for those of the
 * database that it opens: what is in the WAL would be read as if it were of this one, and what is written be lost.
 */

/** The files that a database which does not exist has left. */
export function leftBeside(path: string): ReadonlyMap<string, FileIdentity> {
  const left = new Map<string, FileIdentity>()
  for (const name of [`${path}-wal`, `${path}-shm`]) {
    const found = identityOf(name)
    if (found !== undefined) left.set(name, found)
  }
  return left
}

/**
 * Gives those files other names, for whoever moved the database away and wants what was in its WAL. SQLite would
 * delete the one and use the other.
 */
export function setAside(left: ReadonlyMap<string, FileIdentity>): void {
  const suffix = randomBytes(4).toString('hex')
  for (const [name, file] of left) {
    const found = identityOf(name)
    if (found !== undefined && isSameFile(found, file)) renameSync(name, `${name}.left-${suffix}`)
  }
}

/**
 * Looks at a database that is there, before SQLite opens it. `-shm` is made after the WAL and removed before it, and
 * the WAL is made after the database has content.
 * @throws `LeftBeside`
 */
export function checkBeside(file: string): void {
  const [wal, shm] = [`${file}-wal`, `${file}-shm`]
  if (existsSync(shm) && !existsSync(wal) && existsSync(shm)) throw new LeftBeside(shm)
  const left = [wal, shm].find(existsSync)
  if (left !== undefined && statSync(file).size === 0 && existsSync(left)) throw new LeftBeside(left)
}

/**
 * Looks at a database that SQLite has open and has not read yet: one that is not in WAL, as a backup is, has none.
 * @throws `LeftBeside`
 */
export function checkPairing(files: DatabaseFiles, file: string): void {
  const wal = `${file}-wal`
  if (!existsSync(wal)) return
  const descriptor = descriptorOf(files.main)
  if (typeof descriptor !== 'number') return
  const header = readHeader(descriptor)
  if (header !== null && header.isDatabase && !header.isInWal && existsSync(wal)) throw new LeftBeside(wal)
}
