import { constants, fchmodSync, fchownSync, fstatSync, futimesSync, lstatSync, renameSync, type Stats } from 'node:fs'
import { type FileHandle, open, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { WriteOutcome } from '@turnstore/core'
import { waitForDescriptor } from './descriptors.js'
import { identityOf } from './file-identity.js'
import { FileWriteError, fileWriteError } from './file-write-error.js'
import { openFolder, syncFolder } from './folders.js'
import { systemCode } from './system-code.js'
import { temporaryPathFor } from './temporary-files.js'

/**
 * Replaces or creates the file at `path`. When this resolves, the new content survives a power cut. At every
 * moment, and after a crash at any moment, readers find the old content or the new one, whole. An existing
 * file keeps its mode and, where allowed, its owner. A new file gets `mode` (default 0600).
 *
 * Links are never followed. Anything but a regular file is refused with `NOT_A_FILE`. Rejects with a
 * {@link FileWriteError} and then leaves nothing behind; `sweepTemporaries` removes what a crash leaves.
 * Returns the device and inode of the new file.
 */
export async function replaceFile(
  path: string,
  data: string | Uint8Array,
  options: { mode?: number } = {},
): Promise<string> {
  const staged = await StagedFile.of(path, data, options)
  try {
    return await staged.commit()
  } catch (error) {
    await staged.discard()
    throw error
  }
}

/**
 * {@link replaceFile} in steps, for content that is produced in pieces: call `write` as often as needed,
 * then `finish`, which syncs the content under a temporary name, then `commit`. `discard` gives up at any
 * moment and does nothing after a commit. Each step rejects with a {@link FileWriteError}.
 */
export class StagedFile {
  readonly #path: string
  readonly #temporary: string
  readonly #mode: number
  readonly #old: Stats | undefined
  readonly #file: FileHandle
  #bytes = 0
  #identity = ''
  #isOpen = true
  #isStaged = true

  private constructor(path: string, temporary: string, mode: number, old: Stats | undefined, file: FileHandle) {
    this.#path = path
    this.#temporary = temporary
    this.#mode = mode
    this.#old = old
    this.#file = file
  }

  /** A file with all of its content, synced, and not in its place yet. */
  static async of(path: string, data: string | Uint8Array, options: { mode?: number } = {}): Promise<StagedFile> {
    const staged = await StagedFile.open(path, options)
    try {
      await staged.write(typeof data === 'string' ? Buffer.from(data) : data)
      await staged.finish()
      return staged
    } catch (error) {
      await staged.discard()
      throw error
    }
  }

  static async open(path: string, options: { mode?: number } = {}): Promise<StagedFile> {
    try {
      const old = lstatSync(path, { throwIfNoEntry: false })
      if (old?.isFile() === false) {
        throw new FileWriteError(`Not a regular file, so it was not replaced: ${path}`, 'NOT_A_FILE', 'not-stored')
      }
      const temporary = temporaryPathFor(path)
      const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW
      const file = await waitForDescriptor(() => open(temporary, flags, 0o600))
      return new StagedFile(path, temporary, options.mode ?? 0o600, old, file)
    } catch (error) {
      throw notWritten(error, path, 'not-stored')
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    try {
      this.#bytes += bytes.byteLength
      await this.#file.writeFile(bytes)
    } catch (error) {
      throw notWritten(error, this.#path, 'not-stored')
    }
  }

  /** Checks the size, sets the mode, and syncs and closes the file. */
  async finish(): Promise<void> {
    try {
      const { fd } = this.#file
      const written = fstatSync(fd, { bigint: true })
      this.#identity = identityOf(written).file
      if (Number(written.size) !== this.#bytes) {
        throw new FileWriteError(`${written.size} of ${this.#bytes} bytes were stored`, 'SHORT_WRITE', 'not-stored')
      }
      // Linux up to 6.12 updates file times only every 4 ms. Two documents written in that time, with the same
      // size and a reused inode, would look the same.
      const now = (performance.timeOrigin + performance.now()) / 1000
      futimesSync(fd, now, now)
      fchmodSync(fd, this.#modeToSet(fd, { uid: Number(written.uid), gid: Number(written.gid) }))
      await this.#file.sync()
      await this.#closeFile()
    } catch (error) {
      throw notWritten(error, this.#path, 'not-stored')
    }
  }

  /** Gives the file the owner of the old one, where allowed, and returns the mode that is safe then. */
  #modeToSet(fd: number, now: Pick<Stats, 'uid' | 'gid'>): number {
    const old = this.#old
    if (old === undefined) return this.#mode
    const mode = old.mode & 0o777
    if (now.uid === old.uid && now.gid === old.gid) return mode
    try {
      fchownSync(fd, old.uid, old.gid)
      return mode
    } catch {
      // What the old group could read must not become readable for another group.
      return now.gid === old.gid ? mode : mode & ~0o070
    }
  }

  /** Renames the file onto its path and syncs the folder. Returns the file's device and inode. */
  async commit(): Promise<string> {
    let folder: FileHandle | null = null
    let outcome: WriteOutcome = 'not-stored'
    try {
      // Opened first: if no descriptor is left after the rename, the folder could not be synced any more.
      folder = await openFolder(dirname(this.#path))
      const identity = this.putInPlace()
      outcome = 'unknown'
      await syncFolder(dirname(this.#path), folder)
      return identity
    } catch (error) {
      throw notWritten(error, this.#path, outcome)
    } finally {
      await folder?.close().catch(() => undefined)
    }
  }

  /** The rename of `commit` alone. The caller syncs the folder. Returns the file's device and inode. */
  putInPlace(): string {
    try {
      renameSync(this.#temporary, this.#path)
    } catch (error) {
      // After an I/O error, only the file system's journal knows whether the rename happened.
      throw notWritten(error, this.#path, systemCode(error) === 'EIO' ? 'unknown' : 'not-stored')
    }
    this.#isStaged = false
    return this.#identity
  }

  async discard(): Promise<void> {
    if (!this.#isStaged) return
    this.#isStaged = false
    await this.#closeFile().catch(() => undefined)
    await unlink(this.#temporary).catch(() => undefined)
  }

  async #closeFile(): Promise<void> {
    if (!this.#isOpen) return
    this.#isOpen = false
    await this.#file.close()
  }
}

function notWritten(error: unknown, path: string, outcome: WriteOutcome): FileWriteError {
  return fileWriteError(error, `The file could not be written: ${path}`, outcome)
}
