import { constants, type Stats } from 'node:fs'
import { type FileHandle, lstat, open, rename, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { WriteOutcome } from '@turnstore/core'
import { waitForDescriptor } from './descriptors.js'
import { identityOf } from './file-identity.js'
import { FileWriteError, fileWriteError } from './file-write-error.js'
import { openFolder, syncFolderHandle } from './folders.js'
import { isMissing, systemCode } from './system-code.js'
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
  readonly #old: Stats | null
  readonly #file: FileHandle
  // Opened first: if no descriptor is left after the rename, the folder could not be synced any more.
  readonly #folder: FileHandle | null
  #bytes = 0
  #identity = ''
  #isOpen = true
  #isStaged = true

  private constructor(
    path: string,
    temporary: string,
    mode: number,
    old: Stats | null,
    file: FileHandle,
    folder: FileHandle | null,
  ) {
    this.#path = path
    this.#temporary = temporary
    this.#mode = mode
    this.#old = old
    this.#file = file
    this.#folder = folder
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
    let folder: FileHandle | null = null
    try {
      const old = await statOrNull(path)
      if (old && !old.isFile()) {
        throw new FileWriteError(`Not a regular file, so it was not replaced: ${path}`, 'NOT_A_FILE', 'not-stored')
      }
      folder = await openFolder(dirname(path))
      const temporary = temporaryPathFor(path)
      const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW
      const file = await waitForDescriptor(() => open(temporary, flags, 0o600))
      return new StagedFile(path, temporary, options.mode ?? 0o600, old, file, folder)
    } catch (error) {
      await folder?.close().catch(() => undefined)
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

  /** Checks the size, sets the mode and syncs the file. */
  async finish(): Promise<void> {
    try {
      const written = await this.#file.stat({ bigint: true })
      this.#identity = identityOf(written).file
      if (Number(written.size) !== this.#bytes) {
        throw new FileWriteError(`${written.size} of ${this.#bytes} bytes were stored`, 'SHORT_WRITE', 'not-stored')
      }
      // Linux up to 6.12 updates file times only every 4 ms. Two documents written in that time, with the same
      // size and a reused inode, would look the same.
      const now = (performance.timeOrigin + performance.now()) / 1000
      await this.#file.utimes(now, now)
      await this.#file.chmod(await this.#modeToSet({ uid: Number(written.uid), gid: Number(written.gid) }))
      await this.#file.sync()
    } catch (error) {
      throw notWritten(error, this.#path, 'not-stored')
    }
  }

  /** Gives the file the owner of the old one, where allowed, and returns the mode that is safe then. */
  async #modeToSet(now: Pick<Stats, 'uid' | 'gid'>): Promise<number> {
    const old = this.#old
    if (old === null) return this.#mode
    const mode = old.mode & 0o777
    if (now.uid === old.uid && now.gid === old.gid) return mode
    try {
      await this.#file.chown(old.uid, old.gid)
      return mode
    } catch {
      // What the old group could read must not become readable for another group.
      return now.gid === old.gid ? mode : mode & ~0o070
    }
  }

  /** Renames the file onto its path and syncs the folder. Returns the file's device and inode. */
  async commit(): Promise<string> {
    let outcome: WriteOutcome = 'not-stored'
    try {
      await this.#closeFile()
      try {
        await rename(this.#temporary, this.#path)
      } catch (error) {
        // After an I/O error, only the file system's journal knows whether the rename happened.
        if (systemCode(error) === 'EIO') outcome = 'unknown'
        throw error
      }
      this.#isStaged = false
      outcome = 'unknown'
      await syncFolderHandle(this.#folder)
      return this.#identity
    } catch (error) {
      throw notWritten(error, this.#path, outcome)
    } finally {
      await this.#folder?.close().catch(() => undefined)
    }
  }

  async discard(): Promise<void> {
    if (!this.#isStaged) return
    this.#isStaged = false
    await this.#closeFile().catch(() => undefined)
    await this.#folder?.close().catch(() => undefined)
    await unlink(this.#temporary).catch(() => undefined)
  }

  async #closeFile(): Promise<void> {
    if (!this.#isOpen) return
    this.#isOpen = false
    await this.#file.close()
  }
}

async function statOrNull(path: string): Promise<Stats | null> {
  try {
    return await lstat(path)
  } catch (error) {
    if (isMissing(error)) return null
    throw error
  }
}

function notWritten(error: unknown, path: string, outcome: WriteOutcome): FileWriteError {
  return fileWriteError(error, `The file could not be written: ${path}`, outcome)
}
