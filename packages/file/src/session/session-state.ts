import { randomUUID } from 'node:crypto'
import { renameSync } from 'node:fs'
import { join } from 'node:path'
import type { Limits } from '@turnstore/core'
import { JournalWriter } from './journal-writer.js'
import type { LockFolder } from '../locks/lock-folder.js'
import { Mutex } from './mutex.js'
import type { TurnIndex } from './turn-index.js'
import type { Layout, SessionPaths } from '../folder/layout.js'
import { refreshIndex } from './refresh-index.js'

/** What all sessions of a store share. */
export interface StoreFolder {
  readonly layout: Layout
  /** What is ours alone. */
  readonly ownFolder: string
  readonly locks: LockFolder
  readonly limits: Limits
  readonly timeoutMs: number
}

/**
 * What this handle knows of one session on disk, shared by those who read it, change it and compact it.
 *
 * Every write happens under the session's lock, which the kernel keeps between processes. The index is
 * touched by one at a time; to wait for the disk nobody has to hold it.
 */
export class SessionState {
  readonly paths: SessionPaths
  readonly folder: StoreFolder
  readonly writer: JournalWriter
  readonly #mutex = new Mutex()
  /** Null where the session is not known, or not any more. */
  index: TurnIndex | null = null
  /** The document that is known to be in its folder for good. */
  settledDocument: string | null = null
  /** A sync failed: what stands in the journal may not be on the disk, whatever a later sync says. */
  distrustsJournal = false
  isReleased = false

  constructor(paths: SessionPaths, folder: StoreFolder) {
    this.paths = paths
    this.folder = folder
    this.writer = new JournalWriter(paths.journal)
  }

  /** Lets nobody else at the index meanwhile. */
  exclusively<T>(work: () => Promise<T>): Promise<T> {
    return this.#mutex.run(work)
  }

  /** The same under the session's lock, so that no other process writes either. */
  async locked<T>(work: () => Promise<T>): Promise<T> {
    const deadline = performance.now() + this.folder.timeoutMs
    const lock = await this.folder.locks.acquire(this.paths.sessionId, { deadline })
    try {
      return await this.exclusively(work)
    } finally {
      lock.release()
    }
  }

  /** The index as of now; null where the session is not in this place. */
  upToDate(): Promise<TurnIndex | null> {
    return this.exclusively(() => this.refresh())
  }

  /** {@link upToDate} for who has the index to himself. */
  async refresh(): Promise<TurnIndex | null> {
    const known = this.index
    this.index = null
    this.index = await refreshIndex(known, this.paths, this.folder.layout)
    return this.index
  }

  /** The same for who holds the lock as well. What a session that was deleted left behind is moved out of the way. */
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
   * {@link refreshToWrite} for what removes or replaces stored data: it reads all of it again, since damage that came
   * after the last look shows in no size and no time.
   */
  readAnewToWrite(): Promise<TurnIndex | null> {
    this.index = null
    return this.refreshToWrite()
  }

  #moveAside(path: string): void {
    this.writer.close()
    renameSync(path, join(this.folder.ownFolder, `left-behind-${randomUUID()}.journal`))
  }

  /** Lets go of the files. Who is still at work may go on; he then lets go himself. */
  release(): void {
    this.isReleased = true
    this.writer.close()
    this.index = null
  }
}
