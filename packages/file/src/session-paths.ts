import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Scope } from '@turnstore/core/adapter'
import { identify } from './file-identity.js'
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
  readonly sealed: string
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
   * Where documents of this session may stand, in the order in which they count; only those that exist.
   * @param hint where it was found last, so that not every folder has to be looked through
   */
  *find(sessionId: string, scope: Scope, hint?: SessionPaths): Generator<SessionPaths> {
    const names = this.#sessionNames(sessionId)
    for (const workspaceFolder of this.#foldersOf(scope, hint)) {
      for (const name of names) {
        const paths = this.#paths(sessionId, workspaceFolder, name)
        if (identify(paths.document) !== null) yield paths
      }
    }
  }

  /** All documents of a scope. */
  *documents(scope: Scope): Generator<FoundDocument> {
    for (const workspaceFolder of this.#foldersOf(scope)) {
      const folder = workspaceFolder === null ? this.base : join(this.base, workspaceFolder)
      const isFolderCertain = workspaceFolder === null || (!this.foldsCase && !workspaceFolder.includes('%'))
      const entries = entriesOf(folder)
      const names = new Set(entries.map(entry => entry.name))
      for (const entry of entries) {
        if (!entry.name.endsWith('.json')) continue
        // The reference takes a dotfile for a session as well, and a folder too; the latter cannot be read.
        const name = entry.name.slice(0, -'.json'.length)
        const id = decodeName(name, { foldsCase: this.foldsCase, kind: 'session' })
        const isNameCertain = isFolderCertain && id !== null && !name.includes('%')
        const sessionId = id ?? name
        const hasJournal = names.has(`${name}.journal`) || names.has(`${name}.sealed`)
        yield { ...this.#paths(sessionId, workspaceFolder, name), isNameCertain, hasJournal }
      }
    }
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
    for (const entry of entriesOf(this.base)) {
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
    const found = identify(join(this.base, name))
    return found !== null && found.isFolder
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
      sealed: join(folder, `${name}.sealed`),
    }
  }
}

function withVerbatim(encoded: string, id: string): string[] {
  const verbatim = verbatimName(id)
  return verbatim === null || verbatim === encoded ? [encoded] : [encoded, verbatim]
}

function entriesOf(folder: string): { readonly name: string; isDirectory(): boolean }[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return []
    throw error
  }
}
