import { closeSync, constants, fdatasync, fstatSync, ftruncateSync, openSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import type { WriteOutcome } from '@turnstore/core'
import { addHolder, type DescriptorHolder, removeHolder, waitForDescriptor } from '../disk/descriptors.js'
import { identify, identityOf } from '../disk/file-identity.js'
import { type FileWriteError, fileWriteError } from '../disk/file-write-error.js'
import { syncFolder } from '../disk/folders.js'
import { FilesChanged } from '../disk/read-file.js'
import { systemCode } from '../disk/system-code.js'
import { movedAway } from '../folder/file-errors.js'
import { encodeHeader } from '../format/journal-entry.js'
import { encodeRecord } from '../format/journal.js'
import type { TurnIndex } from './turn-index.js'
import { type JournalFile, newJournalFile } from './turn-places.js'

const sync = promisify(fdatasync)

const { O_WRONLY, O_APPEND, O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK } = constants

/**
 * Appends to the journal of one session. The caller holds the session's lock and has read the journal to its
 * end. A write is one system call into the page cache and takes microseconds. `sync` waits for the disk, without
 * blocking other work.
 */
export class JournalWriter implements DescriptorHolder {
  readonly #path: string
  #open: { readonly descriptor: number; readonly identity: string } | null = null
  /** From `begin` until synced or closed: what was written must be synced through the same descriptor. */
  #isInUse = false

  constructor(path: string) {
    this.#path = path
  }

  /**
   * Opens or creates the journal. `preface` must be written before the next record: the header of a new journal,
   * or a line break after a torn write.
   * @throws {@link FilesChanged} if the journal is not the one that was read
   */
  async begin(index: TurnIndex): Promise<{ journal: JournalFile; preface: string }> {
    const journal = await this.#attach(index.journal, 'not-stored')
    let preface = journal.torn ? '\n' : ''
    if (journal.header === null) {
      const { sessionId, createdAt, parentSessionId } = index.head
      journal.header = { sessionId, createdAt, parentSessionId }
      preface += encodeRecord(index.revision, encodeHeader(journal.header)).text
    }
    return { journal, preface }
  }

  /**
   * Writes at the end of the journal that was read.
   * @throws {@link FileWriteError}; `not-stored` if a partial write could be undone
   */
  append(journal: JournalFile, bytes: Buffer): void {
    const { descriptor } = this.#attached()
    try {
      // A write is short if the disk or a quota is full. The next call then reports why.
      for (let written = 0; written < bytes.length;) written += writeSync(descriptor, bytes, written)
    } catch (error) {
      throw this.#notWritten(error, this.#truncate(journal.size) ? 'not-stored' : 'unknown')
    }
  }

  /**
   * Waits until all of the journal is on the disk, whichever process wrote it.
   * @throws {@link FileWriteError}, with outcome `unknown`
   */
  async sync(journal: JournalFile): Promise<void> {
    try {
      if (journal.syncedTo !== journal.size) await this.#sync(journal)
    } finally {
      this.#isInUse = false
    }
  }

  /**
   * Whether the journal is still in its place: its folder may have been moved, or replaced by a backup.
   * @throws `STORE_UNAVAILABLE`, with outcome `unknown`
   */
  checkInPlace(journal: JournalFile): void {
    if (identify(this.#path)?.file !== journal.identity) throw movedAway(this.#path)
  }

  async #sync(journal: JournalFile): Promise<void> {
    await this.#attach(journal, 'unknown')
    const { descriptor } = this.#attached()
    const { size } = journal
    try {
      await sync(descriptor)
      // Other code may be waiting for a descriptor, `syncFolder` included.
      this.#isInUse = false
      // If another process created the file, its entry in the folder may not be synced yet.
      if (journal.syncedTo === 0) await syncFolder(dirname(this.#path))
    } catch (error) {
      // Linux forgets which pages were not written, so a second sync of this descriptor would report success.
      this.close()
      throw this.#notWritten(error, 'unknown')
    }
    journal.syncedTo = size
  }

  close(): void {
    if (this.#open !== null) closeSync(this.#open.descriptor)
    this.#open = null
    this.#isInUse = false
    removeHolder(this)
  }

  closeIdle(): boolean {
    if (this.#open === null || this.#isInUse) return false
    this.close()
    return true
  }

  /** @param outcome of the change if the journal cannot be opened */
  async #attach(journal: JournalFile | null, outcome: WriteOutcome): Promise<JournalFile> {
    if (journal === null || this.#open?.identity !== journal.identity) await this.#reopen(journal, outcome)
    this.#isInUse = true
    const { identity } = this.#attached()
    if (journal !== null && identity !== journal.identity) throw new FilesChanged()
    return journal ?? newJournalFile(identity, this.#path)
  }

  async #reopen(journal: JournalFile | null, outcome: WriteOutcome): Promise<void> {
    this.close()
    const create = journal === null ? O_CREAT | O_EXCL : 0
    try {
      const flags = O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK | create
      const descriptor = await waitForDescriptor(async () => openSync(this.#path, flags, 0o600))
      const identity = identityOf(fstatSync(descriptor, { bigint: true })).file
      this.#open = { descriptor, identity }
      this.#isInUse = true
      addHolder(this)
    } catch (error) {
      if (['EEXIST', 'ENOENT'].includes(systemCode(error) ?? '')) throw new FilesChanged()
      throw this.#notWritten(error, outcome)
    }
  }

  #attached(): { readonly descriptor: number; readonly identity: string } {
    if (this.#open === null) throw new FilesChanged()
    return this.#open
  }

  #truncate(size: number): boolean {
    try {
      ftruncateSync(this.#attached().descriptor, size)
      return true
    } catch {
      return false
    }
  }

  #notWritten(error: unknown, outcome: WriteOutcome): FileWriteError {
    return fileWriteError(error, `The journal could not be written: ${this.#path}`, outcome)
  }
}
