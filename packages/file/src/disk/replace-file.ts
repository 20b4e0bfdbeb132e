import { randomBytes } from 'node:crypto'
import { constants, type Stats } from 'node:fs'
import { lstat, mkdir, open, readdir, rename, unlink, type FileHandle } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { closeIdleDescriptors } from './descriptors.js'
import { identityOf } from './file-identity.js'
import { isOutOfDescriptors, systemCode } from './system-code.js'

/** A file or folder was not written. Its `message` and `cause` have paths in them, never content. */
export class FileWriteError extends Error {
  override readonly name: string = 'FileWriteError'
  /**
   * The operating system's code (`ENOSPC`, `EACCES`, …), `NOT_A_FILE` or `NOT_A_FOLDER` for what stands in the way,
   * `SHORT_WRITE` where less was stored than was written.
   */
  readonly code: string
  /** `not-stored`: everything is as it was. `unknown`: it may have happened, and may be undone by a power cut. */
  readonly outcome: 'not-stored' | 'unknown'

  constructor(message: string, code: string, outcome: 'not-stored' | 'unknown', cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    this.outcome = outcome
  }
}

/**
 * Replaces the file at `path`, or creates it. When it resolves, the new content survives a power cut; at every moment,
 * and after a crash at any moment, readers find the old content or the new one, whole. An existing file keeps its mode
 * and, as far as allowed, its owner; a new one gets `mode` (default 0600).
 *
 * Whatever is no regular file is refused with `NOT_A_FILE`; a link that is put there later is itself replaced. A link
 * is never followed. Rejects with a {@link FileWriteError}; what was created is removed then, but for a crash, whose
 * leftovers `sweepTemporaries` finds. Gives the device and inode of the new file.
 */
export async function replaceFile(path: string, data: string | Uint8Array, options: { mode?: number } = {}): Promise<string> {
  const staged = await StagedFile.open(path, options)
  try {
    await staged.write(typeof data === 'string' ? Buffer.from(data) : data)
    await staged.finish()
    return await staged.commit()
  } catch (error) {
    await staged.discard()
    throw error
  }
}

/**
 * {@link replaceFile} in steps, for content that is made piece by piece beside other work: `write` as
 * often as needed, then `finish`, after which all of it is on the disk under a temporary name, then
 * `commit`. `discard` gives up, at any moment, and does nothing after a commit. Each step rejects with
 * a {@link FileWriteError}.
 */
export class StagedFile {
  readonly #path: string
  readonly #temporary: string
  readonly #mode: number
  readonly #old: Stats | null
  readonly #file: FileHandle
  // Opened before anything is changed, for with the last descriptor gone it could not be synced afterwards.
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

  static async open(path: string, options: { mode?: number } = {}): Promise<StagedFile> {
    let folder: FileHandle | null = null
    try {
      const old = await statOrNull(path)
      if (old && !old.isFile()) {
        throw new FileWriteError(`Not a regular file, and so not replaced: ${path}`, 'NOT_A_FILE', 'not-stored')
      }
      folder = await openFolder(dirname(path))
      const temporary = join(dirname(path), `.turnstore-${randomBytes(16).toString('hex')}.tmp`)
      const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW
      const file = await waitForDescriptor(() => open(temporary, flags, 0o600))
      return new StagedFile(path, temporary, options.mode ?? 0o600, old, file, folder)
    } catch (error) {
      await folder?.close().catch(() => undefined)
      throw wrapped(error, `The file could not be written: ${path}`, 'not-stored')
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    try {
      this.#bytes += bytes.byteLength
      await this.#file.writeFile(bytes)
    } catch (error) {
      throw this.#wrapped(error, 'not-stored')
    }
  }

  /** Checks the size, gives the file its mode and syncs it. */
  async finish(): Promise<void> {
    try {
      const written = await this.#file.stat({ bigint: true })
      this.#identity = identityOf(written).file
      if (Number(written.size) !== this.#bytes) {
        throw new FileWriteError(`${written.size} of ${this.#bytes} bytes were stored`, 'SHORT_WRITE', 'not-stored')
      }
      // A clock that ticks every 4 ms, as Linux had for files up to 6.12, would show two documents that follow each
      // other at once as one: with their size and an inode that was freed in between they could look the same.
      const now = (performance.timeOrigin + performance.now()) / 1000
      await this.#file.utimes(now, now)
      await this.#file.chmod(this.#old ? await keepOwner(this.#file, { uid: Number(written.uid), gid: Number(written.gid) }, this.#old) : this.#mode)
      await this.#file.sync()
    } catch (error) {
      throw this.#wrapped(error, 'not-stored')
    }
  }

  /** Puts the file in its place, and syncs that. Gives its device and inode. */
  async commit(): Promise<string> {
    let outcome: 'not-stored' | 'unknown' = 'not-stored'
    try {
      await this.#closeFile()
      try {
        await rename(this.#temporary, this.#path)
      } catch (error) {
        // Only the journal of the file system knows whether a rename that met an I/O error happened.
        if (systemCode(error) === 'EIO') outcome = 'unknown'
        throw error
      }
      this.#isStaged = false
      outcome = 'unknown'
      await syncHandle(this.#folder)
      return this.#identity
    } catch (error) {
      throw this.#wrapped(error, outcome)
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

  #wrapped(error: unknown, outcome: 'not-stored' | 'unknown'): FileWriteError {
    return wrapped(error, `The file could not be written: ${this.#path}`, outcome)
  }
}

/**
 * Makes sure that the folder exists, and that its entry in the folder above it survives a power cut; says whether it
 * was created, for its owner alone. One level only. A link or anything else that is no folder is refused with `NOT_A_FOLDER`.
 *
 * A folder that is found is synced as well: another process may have made it a moment ago and not come to that yet.
 */
export async function ensureFolder(path: string, parentToSync: string): Promise<boolean> {
  let created = false
  try {
    await mkdir(path, { mode: 0o700 })
    created = true
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw wrapped(error, `The folder could not be created: ${path}`, 'not-stored')
    if ((await statOrNull(path))?.isDirectory() !== true) {
      throw new FileWriteError(`No folder, or a link to one: ${path}`, 'NOT_A_FOLDER', 'not-stored')
    }
  }
  await syncFolder(parentToSync)
  return created
}

/** Makes the creations, renames and removals in a folder survive a power cut. */
export async function syncFolder(path: string): Promise<void> {
  let folder: FileHandle | null = null
  try {
    folder = await openFolder(path)
    await syncHandle(folder)
  } catch (error) {
    throw wrapped(error, `The folder could not be synced: ${path}`, 'unknown')
  } finally {
    await folder?.close().catch(() => undefined)
  }
}

/** Whether `replaceFile` gives its temporary files such names. */
export function isTemporaryName(name: string): boolean {
  return /^\.turnstore-[0-9a-f]{32}\.tmp$/.test(name)
}

/**
 * Removes the temporary files in a folder that were last written more than `olderThanMs` ago, as crashes leave them,
 * and says how many. A writer whose file is taken from him that way fails with `not-stored`.
 */
export async function sweepTemporaries(dir: string, olderThanMs: number): Promise<number> {
  let removed = 0
  for (const name of (await readdir(dir)).filter(isTemporaryName)) {
    const path = join(dir, name)
    const stats = await statOrNull(path)
    if (!stats?.isFile() || Date.now() - stats.mtimeMs <= olderThanMs) continue
    try {
      await unlink(path)
      removed++
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error
    }
  }
  return removed
}

const descriptorWaitMs = 2000

/**
 * Opens something; where the process or the system is out of descriptors, lets go of what is idle and tries again for
 * two seconds, since others close theirs, and then rejects with that error (`EMFILE`, `ENFILE`).
 */
export async function waitForDescriptor<T>(openIt: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + descriptorWaitMs
  for (let wait = 5; ; wait = Math.min(wait * 2, 100)) {
    try {
      return await openIt()
    } catch (error) {
      if (!isOutOfDescriptors(error) || performance.now() + wait > deadline) throw error
      if (closeIdleDescriptors()) continue
    }
    await new Promise((resolve) => setTimeout(resolve, wait * (0.5 + Math.random() / 2)))
  }
}

/** Gives the file the owner of the old one, where this is allowed; says with which mode that is safe. */
async function keepOwner(file: FileHandle, now: Pick<Stats, 'uid' | 'gid'>, old: Stats): Promise<number> {
  const mode = old.mode & 0o777
  if (now.uid === old.uid && now.gid === old.gid) return mode
  try {
    await file.chown(old.uid, old.gid)
    return mode
  } catch {
    // What the old group could read must not become readable for another.
    return now.gid === old.gid ? mode : mode & ~0o070
  }
}

/** Null on Windows, where a folder cannot be opened and synced. */
async function openFolder(path: string): Promise<FileHandle | null> {
  if (process.platform === 'win32') return null
  return waitForDescriptor(() => open(path, constants.O_RDONLY | constants.O_DIRECTORY))
}

async function syncHandle(folder: FileHandle | null): Promise<void> {
  try {
    await folder?.sync()
  } catch (error) {
    // So a file system says that it does not sync folders at all. PostgreSQL's fsync_fname passes over it as well.
    if (systemCode(error) !== 'EINVAL') throw error
  }
}

async function statOrNull(path: string): Promise<Stats | null> {
  try {
    return await lstat(path)
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return null
    throw error
  }
}

function wrapped(error: unknown, message: string, outcome: 'not-stored' | 'unknown'): FileWriteError {
  if (error instanceof FileWriteError) return error
  const code = systemCode(error) ?? 'UNKNOWN'
  return new FileWriteError(`${message} (${code})`, code, outcome, error)
}
