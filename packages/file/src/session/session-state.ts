import { randomUUID } from 'node:crypto'
import { renameSync } from 'node:fs'
import { join } from 'node:path'
import type { Limits } from '@turnstore/core'
import type { Layout, SessionPaths } from '../folder/layout.js'
import type { Lock } from '../locks/gate.js'
import type { LockFolder } from '../locks/lock-folder.js'
import { JournalWriter } from './journal-writer.js'
import { Mutex } from './mutex.js'
import { refreshIndex } from './refresh-index.js'
import type { TurnIndex } from './turn-index.js'

/** What all sessions of a store share. */
export interface StoreFolder {
  readonly layout: Layout
  /** `.turnstore` in the base. */
  readonly ownFolder: string
  readonly locks: LockFolder
  readonly limits: Limits
  readonly timeoutMs: number
}

/**
 * What this handle knows of one session on disk, shared by reads, changes and compaction.
 *
 * Every write happens under the session's lock, which excludes other processes. The mutex protects the index
 * within this handle; it is not held while waiting for the disk.
 */
export class SessionState {
  readonly paths: SessionPaths
  readonly folder: StoreFolder
  readonly writer: JournalWriter
  readonly #mutex = new Mutex()
  /** Null if the session was not read yet, or must be read again. */
  index: TurnIndex | null = null
  /** The version of the document whose entry in the folder is known to be synced. */
  syncedDocument: string | null = null
  /** A sync failed: the journal may not be on the disk, even if a later sync succeeds. */
  isJournalSuspect = false
  isReleased = false

  constructor(paths: SessionPaths, folder: StoreFolder) {
    this.paths = paths
    this.folder = folder
    this.writer = new JournalWriter(paths.journal)
  }

  /** Runs `work` with exclusive use of the index. */
  exclusively<T>(work: () => Promise<T>): Promise<T> {
    return this.#mutex.run(work)
  }

  /** The same under the session's lock, so that no other process writes either. */
  async locked<T>(work: (lock: Lock) => Promise<T>): Promise<T> {
    const lock = await this.folder.locks.acquire(this.paths.sessionId, this.folder.timeoutMs)
    try {
      return await this.exclusively(() => work(lock))
    } finally {
      lock.release()
    }
  }

  /** The current index, or null if the session is not at these paths. */
  current(): Promise<TurnIndex | null> {
    return this.exclusively(() => this.refresh())
  }

  /** {@link current}, for a caller with exclusive use of the index. */
  async refresh(): Promise<TurnIndex | null> {
    const known = this.index
    this.index = null
    this.index = await refreshIndex(known, this.paths, this.folder.layout)
    return this.index
  }

  /** {@link refresh}, for a caller that also holds the lock. Moves journals of a deleted session away. */
  async refreshToWrite(): Promise<TurnIndex | null> {
    const index = await this.refresh()
    if (index === null) return null
    index.takeDocumentTurns()
    if (index.journal?.isStale === true) {
      this.#moveAside(this.paths.journal)
      index.journal = null
    }
    if (index.rotated?.isStale === true) {
      this.#moveAside(this.paths.rotated)
      index.rotated = null
    }
    return index
  }

  /**
   * {@link refreshToWrite} for removing or replacing stored data. Reads all of it again, since later damage changes
   * neither size nor times.
   */
  rereadToWrite(): Promise<TurnIndex | null> {
    this.index = null
    return this.refreshToWrite()
  }

  #moveAside(path: string): void {
    this.writer.close()
    renameSync(path, join(this.folder.ownFolder, `left-behind-${randomUUID()}.journal`))
  }

  /** Closes the files. Work in progress may continue; it closes them again when it is done. */
  release(): void {
    this.isReleased = true
    this.writer.close()
    this.index = null
  }
}
