import { mkdir } from 'node:fs/promises'
import { readFile, realpath } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { TurnstoreError } from '@turnstore/core'
import { isJsonObject, parseJson } from '@turnstore/core/adapter'
import { unreadable } from './file-errors.js'
import { isMissing, systemCode } from '../disk/system-code.js'
import { type FileIdentity, identify } from '../disk/file-identity.js'
import { probeFolding } from './probe.js'
import { ensureFolder, syncFolder } from '../disk/folders.js'
import { replaceFile } from '../disk/replace-file.js'
import { OWN_FOLDER } from './layout.js'

/** The version of what we put beside the reference's documents: journals, names, locks. */
const FORMAT = 1

/** What a folder was found to be by the first who wrote to it; all others go by that. */
export interface FolderFormat {
  readonly foldsCase: boolean
}

/**
 * What a base folder is; null where nothing of ours is there yet. Reading leaves no trace: the folder
 * may be the reference's alone, or read-only.
 * @throws `INVALID_ARGUMENT` where the base is no folder; `SCHEMA_TOO_NEW`; `STORE_UNAVAILABLE`
 */
export async function readFormat(base: string): Promise<FolderFormat | null> {
  const found = lookAt(base)
  if (found !== null && !found.isFolder && !found.isLink) {
    throw new TurnstoreError('INVALID_ARGUMENT', 'The path of a file store must be a folder, and this is a file')
  }
  const path = join(base, OWN_FOLDER, 'format')
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (isMissing(error)) return null
    throw unreadable(systemCode(error) === 'ENOTDIR' ? join(base, OWN_FOLDER) : path, error)
  }
  const value = parseFormat(text)
  if (value === null) throw new TurnstoreError('STORE_UNAVAILABLE', `${OWN_FOLDER}/format is damaged; it says how names are written`)
  if (value.version > FORMAT) {
    throw new TurnstoreError('SCHEMA_TOO_NEW', 'A newer version of Turnstore wrote to this folder; this one leaves it untouched')
  }
  return { foldsCase: value.foldsCase }
}

function parseFormat(text: string): { version: number; foldsCase: boolean } | null {
  try {
    const value = parseJson(text, 'format')
    if (!isJsonObject(value)) return null
    const { version, folds_case: foldsCase } = value
    return typeof version === 'number' && typeof foldsCase === 'boolean' ? { version, foldsCase } : null
  } catch {
    return null
  }
}

/** Makes the base and our own folder in it, and finds out what names it holds. */
export async function createFormat(base: string): Promise<FolderFormat> {
  await makeFolders(dirname(base))
  await ensureFolder(base, dirname(base))
  const own = join(base, OWN_FOLDER)
  await ensureFolder(own, base)
  const known = await readFormat(base)
  if (known !== null) return known
  const format = { foldsCase: await probeFolding(own) }
  // Whoever else is first finds out the same.
  await replaceFile(join(own, 'format'), JSON.stringify({ version: FORMAT, folds_case: format.foldsCase }))
  return format
}

/** Makes a folder and those above it; each is on the disk only with its entry in the one above it. */
async function makeFolders(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true })
  if (first === undefined) return
  for (let made = path; made.length >= first.length; made = dirname(made)) await syncFolder(dirname(made))
}

/** The folder that a path means, so that it stays the same wherever the process goes. */
export async function resolveBase(base: string): Promise<string> {
  try {
    return await realpath(base)
  } catch (error) {
    if (isMissing(error)) return base
    throw unreadable(base, error)
  }
}

function lookAt(base: string): FileIdentity | null {
  try {
    return identify(base)
  } catch (error) {
    throw unreadable(base, error)
  }
}
