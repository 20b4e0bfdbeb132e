import { closeSync, constants, fdatasync, fstatSync, ftruncateSync, openSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import type { SessionRecord } from '@turnstore/core'
import { waitForDescriptor } from '../disk/descriptors.js'
import { identify, identityOf } from '../disk/file-identity.js'
import { type FileWriteError, fileWriteError } from '../disk/file-write-error.js'
import { syncFolder } from '../disk/folders.js'
import { FilesChanged } from '../disk/read-file.js'
import { systemCode } from '../disk/system-code.js'
import { movedAway } from '../folder/file-errors.js'
import { encodeHeader } from '../format/journal-entry.js'
import { encodeRecord } from '../format/journal.js'
import { type JournalFile, newJournalFile } from './turn-places.js'

const fdatasyncOf = promisify(fdatasync)

const { O_WRONLY, O_APPEND, O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK } = constants

/** Journals that stay open although nothing is written: opening them for each write costs a tenth of an append. */
const idle = new Set<JournalWriter>()
const MOST_IDLE = 64

/**
 * Writes to the journal of one session: `open`, `add` records, `write`, `sync`, then `rest` or `close`. The caller holds
 * the session's lock and has read the journal to its end. A write is one system call into the page cache and takes
 * microseconds. `sync` waits for the disk, without blocking other work.
 */
export class JournalWriter {
  #file: JournalFile
  readonly #path: string
  readonly #descriptor: number
  #isOpen = true
  #lines: Buffer[] = []
  /** Where the next line will be. */
  #end = 0
  #last: JournalFile['last'] = null

  private constructor(file: JournalFile, path: string, descriptor: number) {
    this.#file = file
    this.#path = path
    this.#descriptor = descriptor
  }

  get file(): JournalFile {
    return this.#file
  }

  /**
   * Opens the journal that was read, or creates it.
   * @param last the writer of the last write, which is used again if it is still open
   * @throws {@link FilesChanged} if the journal is not the one that was read; {@link FileWriteError}
   */
  static async open(path: string, known: JournalFile | null, last: JournalWriter | null): Promise<JournalWriter> {
    let writer = last
    // While it is open, no other file has its inode.
    if (writer === null || !writer.#isOpen || writer.#file.identity !== known?.identity) {
      writer?.close()
      writer = await JournalWriter.#open(path, known)
    }
    idle.delete(writer)
    writer.#begin(known ?? writer.#file)
    return writer
  }

  #begin(file: JournalFile): void {
    this.#file = file
    this.#lines = []
    this.#end = file.size
    this.#last = null
    file.unwritten = this.#lines
    // Ends what a killed writer left.
    if (file.torn) this.#put(Buffer.from('\n'))
  }

  static async #open(path: string, known: JournalFile | null): Promise<JournalWriter> {
    const flags = O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK | (known === null ? O_CREAT | O_EXCL : 0)
    let descriptor: number
    try {
      descriptor = await waitForDescriptor(() => openSync(path, flags, 0o600))
    } catch (error) {
      if (['EEXIST', 'ENOENT'].includes(systemCode(error) ?? '')) throw new FilesChanged()
      throw notWritten(path, error, 'not-stored')
    }
    const { file: identity } = identityOf(fstatSync(descriptor, { bigint: true }))
    if (known === null || known.identity === identity) {
      return new JournalWriter(known ?? newJournalFile(identity, path), path, descriptor)
    }
    closeSync(descriptor)
    throw new FilesChanged()
  }

  /** A new journal begins with the session that it continues, at the revision before the first change. */
  addHeader({ sessionId, createdAt, parentSessionId, revision }: SessionRecord): void {
    if (this.#file.header !== null) return
    this.#file.header = { sessionId, createdAt, parentSessionId }
    this.#put(encodeRecord(revision, encodeHeader(this.#file.header)).bytes)
  }

  /** Adds a record to what `write` writes. Returns its payload, and where that will be. */
  add(revision: number, text: string): { payload: Buffer; offset: number } {
    const { front, payload, bytes } = encodeRecord(revision, text)
    const offset = this.#end + front.length
    this.#last = { offset: this.#end, front }
    this.#put(bytes)
    return { payload, offset }
  }

  #put(line: Buffer): void {
    this.#lines.push(line)
    this.#end += line.length
  }

  /** @throws {@link FileWriteError}; `not-stored` if a partial write could be undone */
  write(): void {
    const [line] = this.#lines
    const bytes = line !== undefined && this.#lines.length === 1 ? line : Buffer.concat(this.#lines)
    try {
      // A write is short if the disk or a quota is full. The next call then reports why.
      for (let written = 0; written < bytes.length;) written += writeSync(this.#descriptor, bytes, written)
    } catch (error) {
      throw notWritten(this.#path, error, this.#truncate() ? 'not-stored' : 'unknown')
    }
    const file = this.#file
    file.unwritten = []
    file.end = this.#end
    file.size = this.#end
    file.torn = false
    file.last = this.#last
    file.isNeeded = true
  }

  #truncate(): boolean {
    try {
      ftruncateSync(this.#descriptor, this.#file.size)
      return true
    } catch {
      return false
    }
  }

  /**
   * Waits until all of the journal is on the disk, whichever process wrote it.
   * @throws {@link FileWriteError} with outcome `unknown`. Linux then forgets which pages were not written, so another
   *   sync would prove nothing
   */
  async sync(): Promise<void> {
    const { size } = this.#file
    try {
      await fdatasyncOf(this.#descriptor)
      // If another process created the file, its entry in the folder may not be synced yet.
      if (this.#file.syncedTo === 0) await syncFolder(dirname(this.#path))
    } catch (error) {
      throw notWritten(this.#path, error, 'unknown')
    }
    this.#file.syncedTo = size
  }

  /** Ends a write. The journal stays open for the next one, as long as not too many others are written. */
  rest(): void {
    if (!this.#isOpen) return
    idle.add(this)
    for (const oldest of idle) {
      if (idle.size <= MOST_IDLE) return
      oldest.close()
    }
  }

  /** Ends a write and closes the journal. Another call does nothing. */
  close(): void {
    idle.delete(this)
    this.#file.unwritten = []
    if (this.#isOpen) closeSync(this.#descriptor)
    this.#isOpen = false
  }
}

/**
 * Whether the journal is still in its place: its folder may have been moved, or replaced by a backup.
 * @throws `STORE_UNAVAILABLE`, with outcome `unknown`
 */
export function checkInPlace(path: string, file: JournalFile): void {
  if (identify(path)?.file !== file.identity) throw movedAway(path)
}

function notWritten(path: string, error: unknown, outcome: FileWriteError['outcome']): FileWriteError {
  return fileWriteError(error, `The journal could not be written: ${path}`, outcome)
}
