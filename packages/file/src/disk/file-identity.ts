import { type BigIntStats, lstatSync } from 'node:fs'

/** What a path held at a moment. */
export interface FileIdentity {
  /** Device and inode: stays when the file is renamed or grows. */
  readonly file: string
  /** The file as it was at this moment: changes with every write. */
  readonly version: string
  readonly size: number
  readonly isFile: boolean
  readonly isFolder: boolean
  readonly isLink: boolean
}

/**
 * Looks at a path without following a link; null where there is nothing. Synchronous: it takes some
 * 4 µs, an asynchronous call six times as long.
 */
export function identify(path: string): FileIdentity | null {
  let stats: BigIntStats | undefined
  try {
    stats = lstatSync(path, { bigint: true, throwIfNoEntry: false })
  } catch (error) {
    // A folder on the way is a file.
    if (error instanceof Error && 'code' in error && error.code === 'ENOTDIR') return null
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
    isFile: stats.isFile(),
    isFolder: stats.isDirectory(),
    isLink: stats.isSymbolicLink(),
  }
}
