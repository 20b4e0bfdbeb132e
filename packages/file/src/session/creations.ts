import type { SessionRecord } from '@turnstore/core'
import { GroupCommit, RecentMap, TimeSlice, type WaitingWrite } from '@turnstore/core/adapter'
import { identify } from '../disk/file-identity.js'
import { ensureFolder, openFolder, syncFolder } from '../disk/folders.js'
import { Limiter } from '../disk/limiter.js'
import { StagedFile } from '../disk/replace-file.js'
import { movedAway, writeError } from '../folder/file-errors.js'
import type { SessionPaths } from '../folder/layout.js'
import { documentText } from '../format/document.js'
import type { Remembered } from '../format/remembered.js'
import type { Lock } from '../locks/gate.js'
import { checkLock } from './document-files.js'
import { lockedCommit } from './locked-commit.js'
import type { StoreFolder } from './session-on-disk.js'

/** The most documents that are written and synced at a time, and so the most files that creations keep open. */
const CONCURRENT_DOCUMENTS = 16

/** The most creations that share a lock. Their renames block other work of this process. */
const BATCH = 64

/** Workspace folders that are known to be synced in the base. */
const REMEMBERED = 10_000

interface Creation {
  readonly paths: SessionPaths
  readonly folder: StoreFolder
  readonly file: StagedFile
}

/** The result is whether it was created: not if a session may be there. */
type WaitingCreation = WaitingWrite<Creation, boolean>

/**
 * Creates sessions. Each document is written and synced under a temporary name without the lock. Under the lock it is
 * only renamed. Creations that wait for the same lock share it, and creations in the same folder share its sync.
 */
export class Creations {
  readonly #documents = new Limiter(CONCURRENT_DOCUMENTS)
  readonly #queues = new Map<number, GroupCommit<Creation, boolean>>()
  readonly #syncedFolders = new RecentMap<string>(REMEMBERED)

  /**
   * Creates a session at revision 1, or returns false and writes nothing: something is where the session may be.
   * @throws the error of a write, with its outcome
   */
  async create(session: SessionRecord, remembered: Remembered, folder: StoreFolder): Promise<boolean> {
    let paths: SessionPaths
    let file: StagedFile
    try {
      // Only a first look, so that a document is not written in vain. The one under the lock decides.
      for (const found of folder.layout.find(session.sessionId, session.workspaceId)) if (found !== null) return false
      paths = folder.layout.pathsForNew(session.sessionId, session.workspaceId)
      file = await this.#documents.run(async () => {
        await this.#ensureFolder(paths, folder)
        return StagedFile.of(paths.document, documentText({ ...session, revision: 1 }, remembered))
      })
    } catch (error) {
      throw writeError(error, 'not-stored')
    }
    try {
      return await this.#queueFor(session.sessionId, folder).add({ paths, folder, file })
    } finally {
      await file.discard()
    }
  }

  /** A folder that another process created may not be synced yet, so each is synced once. */
  async #ensureFolder({ folder: path }: SessionPaths, { layout }: StoreFolder): Promise<void> {
    if (path === layout.base) return
    const found = identify(path)
    if (found !== null && found.file === this.#syncedFolders.get(path)) return
    await ensureFolder(path, layout.base)
    const created = identify(path)
    if (created !== null) this.#syncedFolders.set(path, created.file)
  }

  #queueFor(sessionId: string, { locks, timeoutMs }: StoreFolder): GroupCommit<Creation, boolean> {
    const shard = locks.shardOf(sessionId)
    const known = this.#queues.get(shard)
    if (known !== undefined) return known
    const commit = lockedCommit(work => locks.hold(sessionId, timeoutMs, work), BATCH, createAll)
    const queue = new GroupCommit({ timeoutMs, commit, idle: () => this.#queues.delete(shard) })
    this.#queues.set(shard, queue)
    return queue
  }
}

/** Decides which creations go ahead. The lock keeps other processes from creating or deleting these ids meanwhile. */
async function createAll(batch: readonly WaitingCreation[], lock: Lock): Promise<void> {
  const slice = new TimeSlice()
  const ids = new Set<string>()
  const byFolder = new Map<string, WaitingCreation[]>()
  for (const creation of batch) {
    const { sessionId, folder } = creation.write.paths
    try {
      if (ids.has(sessionId) || !(await isFree(creation.write, slice))) {
        creation.resolve(false)
        continue
      }
    } catch (error) {
      creation.reject(writeError(error, 'not-stored'))
      continue
    }
    ids.add(sessionId)
    byFolder.set(folder, [...(byFolder.get(folder) ?? []), creation])
  }
  await Promise.all([...byFolder].map(([folder, creations]) => createIn(folder, creations, lock)))
}

/** Whether no file of the session is anywhere, not even a journal that a delete left behind. */
async function isFree({ paths, folder: { layout } }: Creation, slice: TimeSlice): Promise<boolean> {
  for (const found of layout.find(paths.sessionId, undefined)) {
    if (found !== null) return false
    if (slice.isOver) await slice.yield()
  }
  return layout.isInPlace(paths) && isUnused(paths)
}

function isUnused({ document, journal, rotated }: SessionPaths): boolean {
  return [document, journal, rotated].every(path => identify(path) === null)
}

async function createIn(path: string, creations: readonly WaitingCreation[], lock: Lock): Promise<void> {
  const identities = new Map<WaitingCreation, string>()
  try {
    // Opened first: without a descriptor, the folder could not be synced after the renames.
    const folder = await openFolder(path)
    try {
      for (const creation of creations) {
        const { paths, file } = creation.write
        try {
          checkLock(lock, paths)
          identities.set(creation, file.putInPlace())
        } catch (error) {
          creation.reject(writeError(error))
        }
      }
      await syncFolder(path, folder)
    } finally {
      await folder?.close()
    }
    for (const [creation, identity] of identities) {
      const { document } = creation.write.paths
      if (identify(document)?.file === identity) creation.resolve(true)
      else creation.reject(movedAway(document))
    }
  } catch (error) {
    for (const creation of creations)
      creation.reject(writeError(error, identities.has(creation) ? 'unknown' : 'not-stored'))
  }
}
