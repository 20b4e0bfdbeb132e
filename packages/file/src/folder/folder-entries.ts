import { isUtf8 } from 'node:buffer'
import { type Dirent, readdirSync } from 'node:fs'
import { withDescriptor } from '../disk/descriptors.js'
import { unreadable } from './file-errors.js'
import { isOutOfDescriptors } from '../disk/system-code.js'

export interface FolderEntries {
  readonly entries: readonly Dirent[]
  /** What has a name that is no UTF-8, and so none by which it could be opened. */
  readonly unnameable: readonly UnnameableEntry[]
}

export interface UnnameableEntry {
  /** Its name in printable ASCII, all other bytes as `\xE9`. */
  readonly shown: string
  readonly isFolder: boolean
}

/**
 * What is in a folder; nothing where there is none.
 * @throws `STORE_UNAVAILABLE` where it may not be read; `EMFILE`, `ENFILE` as they come
 */
export function entriesOf(folder: string): FolderEntries {
  try {
    const entries = withDescriptor(() => readdirSync(folder, { withFileTypes: true }))
    // Node puts it in the place of what is no UTF-8. There may be a name that has it of its own.
    return entries.some(({ name }) => name.includes('\ufffd')) ? entriesByBytes(folder) : { entries, unnameable: [] }
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) {
      return { entries: [], unnameable: [] }
    }
    // The process's doing, not the folder's: it is neither damaged nor empty.
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

/** A printable one of ASCII, but for the backslash. */
function isPlain(byte: number): boolean {
  return byte > 0x1f && byte < 0x7f && byte !== 0x5c
}

function hex(byte: number): string {
  return byte.toString(16).toUpperCase().padStart(2, '0')
}
