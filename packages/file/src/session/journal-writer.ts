import { closeSync, constants, fdatasync, fstatSync, ftruncateSync, openSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { TurnstoreError, type WriteOutcome } from '@turnstore/core'
import { safeCause } from '@turnstore/core/adapter'
import { addHolder, type DescriptorHolder, removeHolder, waitForDescriptor } from '../disk/descriptors.js'
import { encodeHeader } from '../format/entry.js'
import { systemCode } from '../disk/system-code.js'
import { movedAway } from '../folder/file-errors.js'
import { identify, identityOf } from '../disk/file-identity.js'
import { encodeRecord } from '../format/journal.js'
import { syncFolder } from '../disk/folders.js'
import { type JournalFile, newJournalFile, type TurnIndex } from './turn-index.js'
import { FilesChanged } from './part-reader.js'

const sync = promisify(fdatasync)

const { O_WRONLY, O_APPEND, O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK } = constants

/**
 * Appends to the journal of one session. Whoever calls it holds the session's lock and has read the
 * journal to its end. Writing is one system call and goes to the page cache, which takes
 * microseconds; waiting for the disk is left to `sync`, beside which others run.
 */
export class JournalWriter implements DescriptorHolder {
  readonly #path: string
  #open: { readonly descriptor: number; readonly identity: string } | null = null
  /** From `begin` until it is synced, or closed: what was written is synced through the same descriptor. */
  #isInUse = false

  constructor(path: string) {
    this.#path = path
  }

  /**
   * Opens the journal, or begins one, and gives what has to stand before the next record: the header
   * of a new one, a line break behind a tear.
   * @throws {@link FilesChanged} where the journal is not the one that was read
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
   * Writes behind the end of the journal that was read.
   * @throws `STORE_UNAVAILABLE`; `not-stored` where what was written of it could be taken back
   */
  append(journal: JournalFile, bytes: Buffer): void {
    const { descriptor } = this.#known()
    try {
      // A short write happens where a disk runs full or a quota ends; the next call then says why.
      for (let written = 0; written < bytes.length; ) written += writeSync(descriptor, bytes, written)
    } catch (error) {
      throw unavailable(error, this.#takeBack(journal.size) ? 'not-stored' : 'unknown')
    }
  }

  /**
   * Waits until everything in the journal is on the disk, whoever wrote it, and looks whether the journal is still in
   * its place: a folder may be moved away, or replaced by a backup, while it is written.
   * @throws `STORE_UNAVAILABLE`, `unknown`
   */
  async sync(journal: JournalFile): Promise<void> {
    try {
      if (journal.syncedTo !== journal.size) await this.#sync(journal)
      if (identify(this.#path)?.file !== journal.identity) throw movedAway(this.#path)
    } finally {
      this.#isInUse = false
    }
  }

  async #sync(journal: JournalFile): Promise<void> {
    await this.#attach(journal, 'unknown')
    const { descriptor } = this.#known()
    const { size } = journal
    try {
      await sync(descriptor)
      // Whoever waits for a descriptor may have this one, ourselves among them.
      this.#isInUse = false
      // The entry of a file that another process began may not be in its folder for good either.
      if (journal.syncedTo === 0) await syncFolder(dirname(this.#path))
    } catch (error) {
      // Linux forgets which pages were not written: the same descriptor would report success next time.
      this.close()
      throw unavailable(error, 'unknown')
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

  /** @param outcome of the change, where it cannot be opened */
  async #attach(journal: JournalFile | null, outcome: WriteOutcome): Promise<JournalFile> {
    if (journal === null || this.#open?.identity !== journal.identity) await this.#reopen(journal, outcome)
    this.#isInUse = true
    const { identity } = this.#known()
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
      throw unavailable(error, outcome)
    }
  }

  #known(): { readonly descriptor: number; readonly identity: string } {
    if (this.#open === null) throw new FilesChanged()
    return this.#open
  }

  #takeBack(size: number): boolean {
    try {
      ftruncateSync(this.#known().descriptor, size)
      return true
    } catch {
      return false
    }
  }
}

function unavailable(error: unknown, outcome: WriteOutcome): TurnstoreError {
  const code = systemCode(error) ?? 'an error without a code'
  const told = outcome === 'unknown' ? 'whether the change is stored is not known' : 'nothing was stored'
  return new TurnstoreError('STORE_UNAVAILABLE', `The journal could not be written (${code}); ${told}`, {
    outcome,
    cause: safeCause(error),
  })
}
