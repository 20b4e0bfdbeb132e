import { type Dirent, statSync } from 'node:fs'
import { join, sep } from 'node:path'
import { type DamagedSession, isTurnstoreError, type TurnstoreError } from '@turnstore/core'
import { quote, type Scope } from '@turnstore/core/adapter'
import { damagedPlace, unreadable } from './file-errors.js'
import { type FileIdentity, identify } from '../disk/file-identity.js'
import { entriesOf, type FolderEntries } from './folder-entries.js'
import { isAppleDouble } from './apple-double.js'
import { decodeName, encodeName, hashedName, verbatimName } from './file-name.js'

/** The store's own folder in the base: the format, the locks, the summaries. */
export const OWN_FOLDER = '.turnstore'

/** Where the files of one session are. */
export interface SessionPaths {
  readonly sessionId: string
  /** Distinguishes them. Two ids may share the path of a document: `.`, which is escaped there, and the reference's `%2E`. */
  readonly key: string
  readonly folder: string
  /** The name of the folder in the base, or null for the base itself. */
  readonly workspaceFolder: string | null
  /** The file's name without `.json`. */
  readonly name: string
  readonly document: string
  /** The changes since the document was written. */
  readonly journal: string
  /** A journal that is being folded into the document. */
  readonly rotated: string
}

/** A document in a listing. */
export interface FoundDocument extends SessionPaths {
  /** Whether the names determine the ids of session and workspace. If not, they must be read in the document. */
  readonly isNameCertain: boolean
  /** Whether a journal was beside it. */
  readonly hasJournal: boolean
}

/**
 * The reference's layout: `{base}/{session}.json` without a workspace, `{base}/{workspace}/{session}.json`
 * with one. Finds a session as the reference does: in the base first, then in each folder. New files are named
 * by `encodeName`; files that the reference named by the bare id are found too.
 */
export class Layout {
  readonly base: string
  readonly foldsCase: boolean

  constructor(base: string, foldsCase: boolean) {
    this.base = base
    this.foldsCase = foldsCase
  }

  /** Where to create a session. The reference may already use the escaped name for another id: `%2E` is that of `.` */
  pathsForNew(sessionId: string, workspaceId: string | null): SessionPaths {
    const workspaceFolder = workspaceId === null ? null : this.#folderFor(workspaceId)
    const paths = this.#paths(sessionId, workspaceFolder, this.#encode(sessionId, 'session'))
    return identify(paths.document) === null ? paths : this.#paths(sessionId, workspaceFolder, hashedName(sessionId))
  }

  /**
   * The existing documents that may be this session's, in order of precedence. Also yields null for each folder,
   * so that the caller can pause.
   * @param hint where it was found last; searched first
   * @throws `STORE_UNAVAILABLE` at the end if a folder could not be searched: the session may be there
   */
  *find(sessionId: string, scope: Scope, hint?: SessionPaths): Generator<SessionPaths | null> {
    const names = this.#sessionNames(sessionId)
    let obstacle: TurnstoreError | null = null
    for (const workspaceFolder of this.#foldersOf(scope, hint)) {
      yield null
      for (const name of names) {
        const paths = this.#paths(sessionId, workspaceFolder, name)
        let found: FileIdentity | null = null
        try {
          found = identify(paths.document)
        } catch (error) {
          obstacle ??= unreadable(paths.folder, error)
        }
        if (found !== null) yield paths
      }
    }
    if (obstacle !== null) throw obstacle
  }

  /**
   * All documents of a scope, and what in it cannot be listed.
   * @throws `STORE_UNAVAILABLE` if the folder of the scope cannot be read
   */
  *documents(scope: Scope): Generator<FoundDocument | DamagedSession> {
    if (typeof scope === 'string') {
      for (const name of this.workspaceNames(scope)) {
        if (this.#isFolder(name)) yield* this.#documentsAmong(name, entriesOf(join(this.base, name)))
        else if (this.#isLinkToFolder(name)) yield this.#linked(name)
      }
      return
    }
    const found = entriesOf(this.base)
    yield* this.#documentsAmong(null, found)
    if (scope === null) return
    for (const entry of found.entries) yield* this.#documentsIn(entry)
    for (const { shown, isFolder } of found.unnameable) if (isFolder) yield this.#unnameable(`${shown}/`, this.base)
  }

  /** The documents of one workspace in a listing of all. Reports a folder that cannot be read. */
  *#documentsIn(entry: Dirent): Generator<FoundDocument | DamagedSession> {
    const { name } = entry
    if (name === OWN_FOLDER) return
    if (entry.isSymbolicLink() && !name.endsWith('.json') && this.#isLinkToFolder(name)) yield this.#linked(name)
    if (!entry.isDirectory()) return
    const folder = join(this.base, name)
    let found: FolderEntries
    try {
      found = entriesOf(folder)
    } catch (error) {
      if (!isTurnstoreError(error)) throw error
      const message = `The sessions of a workspace are not listed. ${error.message}`
      yield { sessionId: quote(`${name}/`), code: 'CORRUPT_SESSION', message }
      return
    }
    yield* this.#documentsAmong(name, found)
  }

  *#documentsAmong(
    workspaceFolder: string | null,
    { entries, unnameable }: FolderEntries,
  ): Generator<FoundDocument | DamagedSession> {
    const folder = workspaceFolder === null ? this.base : join(this.base, workspaceFolder)
    const isFolderCertain = workspaceFolder === null || (!this.foldsCase && !workspaceFolder.includes('%'))
    const journals = new Set(entries.map(({ name }) => name).filter(isJournal))
    for (const entry of entries) {
      if (!entry.name.endsWith('.json') || isAppleDouble(folder, entry.name)) continue
      // The reference reads a dotfile as a session too, and tries to read a folder.
      const name = entry.name.slice(0, -'.json'.length)
      const id = decodeName(name, { foldsCase: this.foldsCase, kind: 'session' })
      const isNameCertain = isFolderCertain && id !== null && !name.includes('%')
      const sessionId = id ?? name
      const hasJournal = journals.size > 0 && (journals.has(`${name}.journal`) || journals.has(`${name}.rotated`))
      yield { ...this.#paths(sessionId, workspaceFolder, name), isNameCertain, hasJournal }
    }
    for (const { shown } of unnameable) if (shown.endsWith('.json')) yield this.#unnameable(shown, folder)
  }

  #linked(name: string): DamagedSession {
    const reason = 'this folder is a link, and links are not followed, since they may lead out of the store'
    return damagedPlace(quote(`${name}/`), join(this.base, name), reason)
  }

  #unnameable(shown: string, folder: string): DamagedSession {
    const reason = `the name of "${shown}" in it is not UTF-8, so it cannot be opened. Rename it`
    return damagedPlace(`"${shown}"`, folder, reason)
  }

  /** The document at a place in the base. */
  documentAt({ workspaceFolder, name }: Pick<SessionPaths, 'workspaceFolder' | 'name'>): string {
    return this.#paths('', workspaceFolder, name).document
  }

  /** Whether the document at these paths may be this session of this workspace. */
  isPlaceOf(
    { workspaceFolder, name }: Pick<SessionPaths, 'workspaceFolder' | 'name'>,
    sessionId: string,
    workspaceId: string | null,
  ): boolean {
    const hasFolder =
      workspaceId === null
        ? workspaceFolder === null
        : workspaceFolder !== null && this.workspaceNames(workspaceId).includes(workspaceFolder)
    return hasFolder && this.#sessionNames(sessionId).includes(name)
  }

  /** The folder that the reference created for this workspace, if any, so that it finds new sessions. Otherwise the escaped name. */
  #folderFor(workspaceId: string): string {
    return (
      this.workspaceNames(workspaceId).findLast(name => this.#isFolder(name)) ?? this.#encode(workspaceId, 'workspace')
    )
  }

  /** The names that a workspace's folder may have, the escaped one first. */
  workspaceNames(workspaceId: string): string[] {
    return withVerbatim(this.#encode(workspaceId, 'workspace'), workspaceId).filter(name => name !== OWN_FOLDER)
  }

  #sessionNames(sessionId: string): string[] {
    const encoded = this.#encode(sessionId, 'session')
    // Only an escaped name can be that of another id.
    return encoded === sessionId ? [encoded] : [...withVerbatim(encoded, sessionId), hashedName(sessionId)]
  }

  *#foldersOf(scope: Scope, hint?: SessionPaths): Generator<string | null> {
    if (typeof scope === 'string') {
      yield* this.workspaceNames(scope).filter(name => this.#isFolder(name))
      return
    }
    yield null
    if (scope === null) return
    if (typeof hint?.workspaceFolder === 'string' && this.#isFolder(hint.workspaceFolder)) yield hint.workspaceFolder
    if (this.#hasNoWorkspaces()) return
    for (const entry of entriesOf(this.base).entries) {
      if (entry.isDirectory() && entry.name !== OWN_FOLDER) yield entry.name
    }
  }

  /**
   * Whether it is certain without reading the base, which may hold thousands of sessions. A folder has a link for its
   * name, one for its `.`, and one for the `..` of each folder in it. File systems that do not count these always say 1
   * or 2, or count files too.
   */
  #hasNoWorkspaces(): boolean {
    return this.#isFolder(OWN_FOLDER) && this.#identify('')?.links === 3
  }

  /** Whether the folder still is one: it may have been replaced by a link. */
  isInPlace({ workspaceFolder }: SessionPaths): boolean {
    return workspaceFolder === null || this.#isFolder(workspaceFolder)
  }

  /** Every folder with files of the store. */
  folders(): string[] {
    const workspaces = [...this.#foldersOf(undefined)].map(folder =>
      folder === null ? this.base : join(this.base, folder),
    )
    return [...workspaces, join(this.base, OWN_FOLDER)]
  }

  /** False for a link to a folder: it may lead out of the base. */
  #isFolder(name: string): boolean {
    return this.#identify(name)?.isFolder === true
  }

  #isLinkToFolder(name: string): boolean {
    if (this.#identify(name)?.isLink !== true) return false
    try {
      return statSync(join(this.base, name)).isDirectory()
    } catch {
      // A link to nothing, or to something that this account may not see.
      return false
    }
  }

  #identify(name: string): FileIdentity | null {
    try {
      return identify(join(this.base, name))
    } catch (error) {
      throw unreadable(this.base, error)
    }
  }

  #encode(id: string, kind: 'session' | 'workspace'): string {
    return encodeName(id, { foldsCase: this.foldsCase, kind })
  }

  #paths(sessionId: string, workspaceFolder: string | null, name: string): SessionPaths {
    const folder = workspaceFolder === null ? this.base : join(this.base, workspaceFolder)
    const path = `${folder}${sep}${name}`
    return {
      sessionId,
      key: `${path}\0${sessionId}`,
      folder,
      workspaceFolder,
      name,
      document: `${path}.json`,
      journal: `${path}.journal`,
      rotated: `${path}.rotated`,
    }
  }
}

function isJournal(name: string): boolean {
  return name.endsWith('.journal') || name.endsWith('.rotated')
}

function withVerbatim(encoded: string, id: string): string[] {
  const verbatim = verbatimName(id)
  return verbatim === null || verbatim === encoded ? [encoded] : [encoded, verbatim]
}
