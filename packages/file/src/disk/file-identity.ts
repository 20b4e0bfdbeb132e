import { type BigIntStats, lstatSync } from 'node:fs'
import { systemCode } from './system-code.js'

/** What is at a path at one moment. */
export interface FileIdentity {
  /** Device and inode. They stay when the file is renamed or grows. */
  readonly file: string
  /** Changes with every write. */
  readonly version: string
  readonly size: number
  readonly links: number
  readonly isFile: boolean
  readonly isFolder: boolean
  readonly isLink: boolean
}

/**
 * Looks at a path without following a link. Returns null if nothing is there. Synchronous, because it
 * takes about 4 µs and an asynchronous call takes six times as long.
 */
export function identify(path: string): FileIdentity | null {
  let stats: BigIntStats | undefined
  try {
    stats = lstatSync(path, { bigint: true, throwIfNoEntry: false })
  } catch (error) {
    // A parent of the path is a file.
    if (systemCode(error) === 'ENOTDIR') return null
    throw error
  }
  return stats === undefined ? null : identityOf(stats)
}

export function identityOf(stats: BigIntStats): FileIdentity {
  const file = `${stats.dev}:${stats.ino}`
  return {
    file,
    version: `${file}:${stats.size}:${stats.mtimeNs}:${stats.ctimeNs}`,
    size: Number(stats.size),
    links: Number(stats.nlink),
    isFile: stats.isFile(),
    isFolder: stats.isDirectory(),
    isLink: stats.isSymbolicLink(),
  }
}
