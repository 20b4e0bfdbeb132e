import { accessSync, constants, copyFileSync, existsSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { TurnstoreError } from '@turnstore/core'
import { quote } from '@turnstore/core/adapter'

/** A copy of a database in a temporary folder. */
export interface ReadOnlyCopy {
  readonly path: string
  remove(): void
}

/** SQLite writes beside a database even to read it. Whether it cannot do so here. */
export function isReadOnly(path: string): boolean {
  return existsSync(path) && [path, dirname(path), ...besideOf(path)].some(each => !mayWrite(each))
}

function besideOf(path: string): string[] {
  return [`${path}-wal`, `${path}-shm`].filter(existsSync)
}

function mayWrite(path: string): boolean {
  try {
    accessSync(path, constants.W_OK)
    return true
  } catch {
    return false
  }
}

/** How often the files are copied again because a program that may write them changed them meanwhile. */
const ATTEMPTS = 5

/**
 * Copies a database with its WAL, as they are at one moment.
 * @throws `STORE_BUSY` if they do not stay the same long enough; errors of the system
 */
export async function copyReadOnly(path: string): Promise<ReadOnlyCopy> {
  const folder = mkdtempSync(join(tmpdir(), 'turnstore-'))
  const remove = (): void => rmSync(folder, { recursive: true, force: true })
  const copy = join(folder, 'sessions.db')
  try {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      const before = stateOf(path)
      copyFileSync(path, copy)
      if (existsSync(`${path}-wal`)) copyFileSync(`${path}-wal`, `${copy}-wal`)
      if (stateOf(path) === before) return { path: copy, remove }
      rmSync(`${copy}-wal`, { force: true })
      await sleep(100)
    }
    const message = `The database ${quote(path)} may not be written, and others write it while it is copied; try again`
    throw new TurnstoreError('STORE_BUSY', message)
  } catch (error) {
    remove()
    throw error
  }
}

function stateOf(path: string): string {
  return [path, `${path}-wal`]
    .map(each => statSync(each, { bigint: true, throwIfNoEntry: false }))
    .map(found => (found === undefined ? '' : `${found.ino} ${found.size} ${found.ctimeNs}`))
    .join()
}
