import { type Dirent, statSync } from 'node:fs'
import { join } from 'node:path'
import { type DamagedSession, isTurnstoreError, type TurnstoreError } from '@turnstore/core'
import { quote, type Scope } from '@turnstore/core/adapter'
import { damagedPlace, unreadable } from './file-errors.js'
import { type FileIdentity, identify } from '../disk/file-identity.js'
import { entriesOf, type FolderEntries } from './folder-entries.js'
import { decodeName, encodeName, hashedName, verbatimName } from './file-name.js'

/** The folder with what is ours alone: locks, the format. */
export const OWN_FOLDER = '.turnstore'

/** Where the files of one session stand. */
export interface SessionPaths {
  readonly sessionId: string
  readonly folder: string
  /** The folder's name below the base, null in the base itself. */
  readonly workspaceFolder: string | null
  /** The file's name without `.json`. */
  readonly name: string
  readonly document: string
  /** The changes since the document was written. */
  readonly journal: string
  /** A journal that is being folded into the document. */
  readonly rotated: string
}

/** A document that a listing came by. */
export interface FoundDocument extends SessionPaths {
  /** False where the names do not tell the ids of session and workspace for certain: they are to be read in the document. */
  readonly isNameCertain: boolean
  /** Whether a journal stood beside it. */
  readonly hasJournal: boolean
}

/**
 * The reference's layout: `{base}/{session}.json` without a workspace, `{base}/{workspace}/{session}.json`
 * with one. Finds a session as the reference does: the flat file first, then in each folder. What is
 * ours is named by `encodeName`; what the reference wrote as it came is found as well.
 */
export class Layout {
  readonly base: string
  readonly foldsCase: boolean

  constructor(base: string, foldsCase: boolean) {
    this.base = base
    this.foldsCase = foldsCase
  }

  /** Where a new session goes. The reference may have given the name that we would to another: `%2E` is the one of `.` */
  pathsForNew(sessionId: string, workspaceId: string | null): SessionPaths {
    const workspaceFolder = workspaceId === null ? null : this.#folderFor(workspaceId)
    const paths = this.#paths(sessionId, workspaceFolder, this.#encode(sessionId, 'session'))
    return identify(paths.document) === null ? paths : this.#paths(sessionId, workspaceFolder, hashedName(sessionId))
  }

  /**
   * Where documents of this session may stand, in the order in which they count; only those that exist,
   * and null for each folder, so that who asks may pause.
   * @param hint where it was found last, so that not every folder has to be looked through
   * @throws `STORE_UNAVAILABLE` at the end, where a folder could not be looked into: it may be there
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
   * All documents of a scope, and what cannot be listed in it.
   * @throws `STORE_UNAVAILABLE` where all of it cannot be read
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

  /** The documents of a workspace among others. Where its folder cannot be read, that is told. */
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
    const isFolderCertain = workspaceFolder === null || (!this.foldsCase && !workspaceFolder.includes('%'))
    const names = new Set(entries.map(entry => entry.name))
    for (const entry of entries) {
      if (!entry.name.endsWith('.json')) continue
      // The reference takes a dotfile for a session as well, and a folder too; the latter cannot be read.
      const name = entry.name.slice(0, -'.json'.length)
      const id = decodeName(name, { foldsCase: this.foldsCase, kind: 'session' })
      const isNameCertain = isFolderCertain && id !== null && !name.includes('%')
      const sessionId = id ?? name
      const hasJournal = names.has(`${name}.journal`) || names.has(`${name}.rotated`)
      yield { ...this.#paths(sessionId, workspaceFolder, name), isNameCertain, hasJournal }
    }
    const folder = workspaceFolder === null ? this.base : join(this.base, workspaceFolder)
    for (const { shown } of unnameable) if (shown.endsWith('.json')) yield this.#unnameable(shown, folder)
  }

  #linked(name: string): DamagedSession {
    const reason = 'this folder is a link, and links are not followed: they may lead out of the store'
    return damagedPlace(quote(`${name}/`), join(this.base, name), reason)
  }

  #unnameable(shown: string, folder: string): DamagedSession {
    const reason = `the name of "${shown}" in it is no UTF-8, so it cannot be opened; rename it`
    return damagedPlace(`"${shown}"`, folder, reason)
  }

  /** Whether a document in this place may hold this session of this workspace. */
  isPlaceOf(paths: SessionPaths, sessionId: string, workspaceId: string | null): boolean {
    const hasFolder =
      workspaceId === null
        ? paths.workspaceFolder === null
        : paths.workspaceFolder !== null && this.workspaceNames(workspaceId).includes(paths.workspaceFolder)
    return hasFolder && this.#sessionNames(sessionId).includes(paths.name)
  }

  /** The folder that the reference made for this workspace, where there is one, so that it finds what we add; else ours. */
  #folderFor(workspaceId: string): string {
    return this.workspaceNames(workspaceId).findLast(name => this.#isFolder(name)) ?? this.#encode(workspaceId, 'workspace')
  }

  /** The names that a workspace's folder may have, ours first. */
  workspaceNames(workspaceId: string): string[] {
    return withVerbatim(this.#encode(workspaceId, 'workspace'), workspaceId).filter(name => name !== OWN_FOLDER)
  }

  #sessionNames(sessionId: string): string[] {
    const encoded = this.#encode(sessionId, 'session')
    // Only what is escaped can be another's name.
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
    for (const entry of entriesOf(this.base).entries) {
      if (entry.isDirectory() && entry.name !== OWN_FOLDER) yield entry.name
    }
  }

  /** Whether the folder of a place is still one: somebody may have put a link there. */
  isInPlace({ workspaceFolder }: SessionPaths): boolean {
    return workspaceFolder === null || this.#isFolder(workspaceFolder)
  }

  /** Every folder that holds files of ours. */
  folders(): string[] {
    const workspaces = [...this.#foldersOf(undefined)].map(folder => (folder === null ? this.base : join(this.base, folder)))
    return [...workspaces, join(this.base, OWN_FOLDER)]
  }

  /** A link to a folder is not followed: it may lead out of the base. */
  #isFolder(name: string): boolean {
    return this.#look(name)?.isFolder === true
  }

  #isLinkToFolder(name: string): boolean {
    if (this.#look(name)?.isLink !== true) return false
    try {
      return statSync(join(this.base, name)).isDirectory()
    } catch {
      // To nothing, or to what nobody here may look at.
      return false
    }
  }

  #look(name: string): FileIdentity | null {
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
    return {
      sessionId,
      folder,
      workspaceFolder,
      name,
      document: join(folder, `${name}.json`),
      journal: join(folder, `${name}.journal`),
      rotated: join(folder, `${name}.rotated`),
    }
  }
}

function withVerbatim(encoded: string, id: string): string[] {
  const verbatim = verbatimName(id)
  return verbatim === null || verbatim === encoded ? [encoded] : [encoded, verbatim]
}
