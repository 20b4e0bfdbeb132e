import { fstatSync, readdirSync, statSync } from 'node:fs'

/** Identifies a file, whatever its name. No other file gets the same identity while this one is open. */
export interface FileIdentity {
  readonly dev: bigint
  readonly ino: bigint
}

/** A file or folder at a path. `ctimeNs`: anything about it last changed. */
export interface FoundFile extends FileIdentity {
  readonly ctimeNs: bigint
}

const OPTIONS = { bigint: true, throwIfNoEntry: false } as const

/** Follows links. Undefined if there is no file. @throws an error of the system if access fails */
export function identityOf(path: string): FoundFile | undefined {
  return statSync(path, OPTIONS)
}

export function isSameFile(a: FileIdentity, b: FileIdentity): boolean {
  return a.ino === b.ino && a.dev === b.dev
}

/**
 * A descriptor of this process on a file; `none` if the process does not have it open, `unknown` if that cannot be seen.
 * Never close it: it belongs to SQLite. Opening the database once more and closing that would release SQLite's locks
 * (https://sqlite.org/howtocorrupt.html, 2.2).
 */
export function descriptorOf(file: FileIdentity): number | 'none' | 'unknown' {
  let unseen = 0
  for (const descriptor of openDescriptors()) {
    const found = identityOfOpen(descriptor)
    if (found === undefined) unseen++
    else if (isSameFile(found, file)) return descriptor
  }
  // One is the descriptor of the listing itself, closed by now. Deno numbers its descriptors itself, so all are unseen.
  return unseen === 1 ? 'none' : 'unknown'
}

/** Whether a descriptor of this process is one on a file. */
export function isOpenOn(descriptor: number, file: FileIdentity): boolean {
  const found = identityOfOpen(descriptor)
  return found !== undefined && isSameFile(found, file)
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
