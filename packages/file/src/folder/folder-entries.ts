import { isUtf8 } from 'node:buffer'
import { type Dirent, readdirSync } from 'node:fs'
import { unreadable } from './file-errors.js'
import { isMissing, isOutOfDescriptors, systemCode } from '../disk/system-code.js'

export interface FolderEntries {
  readonly entries: readonly Dirent[]
  /** Entries whose names are not UTF-8, so that they cannot be opened. */
  readonly unnameable: readonly UnnameableEntry[]
}

export interface UnnameableEntry {
  /** The name in printable ASCII, with all other bytes like `\xE9`. */
  readonly shown: string
  readonly isFolder: boolean
}

/**
 * The entries of a folder; none if it does not exist.
 * @throws `STORE_UNAVAILABLE` if it cannot be read; `EMFILE` and `ENFILE` unchanged
 */
export function entriesOf(folder: string): FolderEntries {
  try {
    const entries = readdirSync(folder, { withFileTypes: true })
    // Node puts U+FFFD in place of invalid bytes. A valid name may also contain it.
    return entries.some(({ name }) => name.includes('\ufffd')) ? entriesByBytes(folder) : { entries, unnameable: [] }
  } catch (error) {
    if (isMissing(error) || systemCode(error) === 'ENOTDIR') {
      return { entries: [], unnameable: [] }
    }
    // The process is out of descriptors: the folder is neither damaged nor empty.
    if (isOutOfDescriptors(error)) throw error
    throw unreadable(folder, error)
  }
}

function entriesByBytes(folder: string): FolderEntries {
  const all = readdirSync(folder, { withFileTypes: true, encoding: 'buffer' })
  const names = new Set(all.flatMap(({ name }) => (isUtf8(name) ? [name.toString()] : [])))
  const unnameable = all
    .filter(({ name }) => !isUtf8(name))
    .map(entry => ({ shown: shownBytes(entry.name), isFolder: entry.isDirectory() }))
  const entries = new Map<string, Dirent>()
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (names.has(entry.name)) entries.set(entry.name, entry)
  }
  return { entries: [...entries.values()], unnameable }
}

function shownBytes(name: Buffer): string {
  return Array.from(name, byte => (isPlain(byte) ? String.fromCharCode(byte) : `\\x${hex(byte)}`)).join('')
}

/** Printable ASCII except the backslash. */
function isPlain(byte: number): boolean {
  return byte > 0x1f && byte < 0x7f && byte !== 0x5c
}

function hex(byte: number): string {
  return byte.toString(16).toUpperCase().padStart(2, '0')
}
