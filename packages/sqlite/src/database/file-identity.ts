import { fstatSync, readdirSync, statSync } from 'node:fs'

/** Which file it is, whatever its name. No other file gets the same while somebody has this one open. */
export interface FileIdentity {
  readonly dev: bigint
  readonly ino: bigint
}

/** Of a file or a folder at a path, with the times at which its content and anything of it changed last. */
export interface FoundFile extends FileIdentity {
  readonly ctimeNs: bigint
  readonly mtimeNs: bigint
}

/** A missing file is an answer, not an error. */
const OPTIONS = { bigint: true, throwIfNoEntry: false } as const

/** Links are followed. Undefined where there is no file. @throws an error of the system where it cannot be looked at */
export function identityOf(path: string): FoundFile | undefined {
  return statSync(path, OPTIONS)
}

export function isSameFile(a: FileIdentity, b: FileIdentity): boolean {
  return a.ino === b.ino && a.dev === b.dev
}

/**
 * A descriptor of this process on a file: `none` where it has no such file open, `unknown` where that cannot be seen.
 * It belongs to whoever opened it: never close it. To open the database here once more and close that again would take
 * SQLite's locks away (https://sqlite.org/howtocorrupt.html, 2.2).
 */
export function descriptorOf(file: FileIdentity): number | 'none' | 'unknown' {
  let unseen = 0
  for (const descriptor of openDescriptors()) {
    const found = identityOfOpen(descriptor)
    if (found === undefined) unseen++
    else if (isSameFile(found, file)) return descriptor
  }
  // One is that of the listing itself, closed by now. Deno has numbers of its own, and so sees none.
  return unseen === 1 ? 'none' : 'unknown'
}

function openDescriptors(): number[] {
  try {
    return process.platform === 'win32' ? [] : readdirSync('/dev/fd').map(Number)
  } catch {
    return []
  }
}

function identityOfOpen(descriptor: number): FileIdentity | undefined {
  try {
    return fstatSync(descriptor, { bigint: true })
  } catch {
    return undefined
  }
}
