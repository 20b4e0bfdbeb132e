import { mkdir, readFile, realpath } from 'node:fs/promises'
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

/** The version of what the store adds to the reference's documents: journals, names, locks. */
const VERSION = 1

/** The content of `.turnstore/format`. The first writer creates it and all others follow it. */
export interface FolderFormat {
  /** Whether the file system ignores differences in case or Unicode normalisation. */
  readonly foldsCase: boolean
}

/**
 * The format of a folder, or null if the store has not written there yet. Creates nothing: the folder may belong
 * to the reference, or be read-only.
 * @throws `INVALID_ARGUMENT` if the base is not a folder; `SCHEMA_TOO_NEW`; `STORE_UNAVAILABLE`
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
  if (value === null)
    throw new TurnstoreError(
      'STORE_UNAVAILABLE',
      `${OWN_FOLDER}/format is damaged, so the names of the files are not known. Restore it from a backup`,
    )
  if (value.version > VERSION) {
    throw new TurnstoreError(
      'SCHEMA_TOO_NEW',
      'A newer version of Turnstore wrote to this folder. Upgrade Turnstore to use it',
    )
  }
  return { foldsCase: value.foldsCase }
}

function parseFormat(text: string): { version: number; foldsCase: boolean } | null {
  try {
    const value = parseJson(text, 'format')
    if (!isJsonObject(value)) return null
    const { version, folds_case: foldsCase } = value
    return typeof version === 'number' && version >= 1 && typeof foldsCase === 'boolean' ? { version, foldsCase } : null
  } catch {
    return null
  }
}

/** Creates the base and the store's own folder in it, and finds out how the file system treats names. */
export async function createFormat(base: string): Promise<FolderFormat> {
  await makeFolders(dirname(base))
  await ensureFolder(base, dirname(base))
  const own = join(base, OWN_FOLDER)
  await ensureFolder(own, base)
  const known = await readFormat(base)
  if (known !== null) return known
  const format = { foldsCase: await probeFolding(own) }
  // Another process that does the same finds the same.
  await replaceFile(join(own, 'format'), JSON.stringify({ version: VERSION, folds_case: format.foldsCase }))
  return format
}

/** Creates a folder and its parents. Each survives a power cut only once its parent is synced. */
async function makeFolders(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true })
  if (first === undefined) return
  for (let made = path; made.length >= first.length; made = dirname(made)) await syncFolder(dirname(made))
}

/** The real path of the folder, so that it stays the same when the process changes its working directory. */
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
