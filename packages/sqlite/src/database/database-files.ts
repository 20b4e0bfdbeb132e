import { isTurnstoreError, TurnstoreError } from '@turnstore/core'
import { quote } from '@turnstore/core/adapter'
import { type DatabaseHeader, follows, readHeader } from './database-header.js'
import { descriptorOf, type FileIdentity, type FoundFile, identityOf, isOpenOn, isSameFile } from './file-identity.js'
import { QuietFolder } from './quiet-folder.js'
import { storeError } from './sqlite-errors.js'

export interface WatchedHandle {
  /** The path that the user passed. */
  readonly path: string
  /** The absolute path that SQLite opened, with all links followed. The WAL is beside it. */
  readonly file: string
  /** A setting of the handle. */
  readonly pragma: (name: 'schema_version' | 'journal_mode' | 'locking_mode') => unknown
}

/** Looking for each read would make short reads a tenth slower. */
const READ_INTERVAL_MS = 100

/** Writes of one tick of the system's clock leave the same time: usually 4 milliseconds, at most 10. */
const SETTLED_NS = 100_000_000n

/**
 * The files that SQLite has open on a database, and whether the path still leads to them. SQLite does not check: it
 * keeps writing to a file that was moved away, or whose WAL was, and what it writes is not found at the path.
 */
export class DatabaseFiles {
  readonly main: FileIdentity
  readonly #handle: WatchedHandle
  readonly #paths: readonly string[]
  readonly #folder: QuietFolder | null
  readonly #beside = new Map<string, FileIdentity>()
  /** Of the files beside the database. Once it is in WAL mode, they stay the same. */
  #suffixes: readonly string[] = []
  /**
   * When anything about the database last changed, usually by a checkpoint; null until that is {@link SETTLED_NS} ago.
   * Not when its content did: programs that copy files set that time to the one of their source.
   */
  #changedAt: bigint | null = null
  #descriptor: ReturnType<typeof descriptorOf> = 'none'
  /** Its header since then. */
  #header: DatabaseHeader | null = null
  /** Before this time, reads do not look. */
  #nextRead = 0
  #displaced: TurnstoreError | null = null
  #mayClose = true

  private constructor(main: FileIdentity, handle: WatchedHandle) {
    this.main = main
    this.#handle = handle
    this.#paths = handle.path === handle.file ? [handle.file] : [handle.path, handle.file]
    this.#folder = QuietFolder.of(handle.path, handle.file)
  }

  /** @throws `STORE_UNAVAILABLE` where the file at the path is not the one that SQLite has open */
  static of(handle: WatchedHandle): DatabaseFiles {
    const main = identityOf(handle.file)
    if (main !== undefined && descriptorOf(main) !== 'none') return new DatabaseFiles(main, handle)
    const what = `The database ${quote(handle.path)} was removed, moved or replaced after this handle opened it`
    throw new TurnstoreError('STORE_UNAVAILABLE', `${what}; open a new handle and a new store`)
  }

  /** @throws `STORE_UNAVAILABLE` once a check has failed */
  refuseDisplaced(): void {
    if (this.#displaced !== null) throw this.#displaced
  }

  get isDisplaced(): boolean {
    return this.#displaced !== null
  }

  /** Whether a WAL of this database was used, and may be checkpointed when the handle closes. */
  get hasUsedWal(): boolean {
    return this.#beside.size > 0
  }

  /**
   * False if the database or its WAL was replaced. If SQLite were the last to close, it would write its WAL into the
   * other database, and remove the WAL at the path.
   */
  get mayClose(): boolean {
    return this.#mayClose
  }

  /** In a transaction, when SQLite has all its files open. @throws `STORE_UNAVAILABLE`, and from then on at each use */
  check(): void {
    if (this.#suffixes.length === 0) this.#suffixes = this.#suffixesInUse()
    this.#look()
  }

  #look(): void {
    const look = (): void => {
      const message = this.#mainDisplaced() ?? this.#besideDisplaced()
      if (message !== null) throw this.#refuse(message)
    }
    if (this.#folder === null) look()
    else this.#folder.unlessQuiet(look)
  }

  /** The same in a transaction that only reads: at most once in {@link READ_INTERVAL_MS}. */
  checkRead(): void {
    const now = performance.now()
    if (now < this.#nextRead) return
    this.check()
    // Only with a WAL: before it is noted here, closing the handle would not checkpoint it.
    if (this.hasUsedWal) this.#nextRead = now + READ_INTERVAL_MS
  }

  /** The same before a commit, and the content of the database too. */
  checkToCommit(): void {
    this.check()
    this.checkMain()
  }

  /** At any time, even while others lock the database. @throws `STORE_UNAVAILABLE`, and from then on at each use */
  checkMain(): void {
    const message = this.#mainDisplaced()
    if (message !== null) throw this.#refuse(message)
  }

  /** Why the driver failed: SQLite itself fails on some displaced files. */
  causeOf(error: unknown): unknown {
    const message = isTurnstoreError(error) ? null : this.#mainDisplaced()
    return message === null ? error : this.#refuse(message)
  }

  #refuse(message: string): TurnstoreError {
    return (this.#displaced = new TurnstoreError(
      'STORE_UNAVAILABLE',
      `${message} while it was in use; open a new store`,
    ))
  }

  /** After a commit, which counts only if it can be found at the path. @throws `STORE_UNAVAILABLE` */
  checkCommitted(): void {
    try {
      // Without asking SQLite: others may have locked the database again.
      this.#look()
    } catch (error) {
      throw storeError(error, this.#handle.path, 'unknown')
    }
  }

  #mainDisplaced(): string | null {
    for (const path of this.#paths) {
      const found = identityOf(path)
      if (found === undefined) return `The database ${quote(path)} was removed or moved away`
      if (!isSameFile(found, this.main)) return `The database ${quote(path)} was replaced by another file`
      if (this.#isOverwritten(found)) return `The database ${quote(path)} was overwritten`
    }
    return null
  }

  /** Whether another file was copied into this one, as far as its header shows: in WAL mode only checkpoints write it. */
  #isOverwritten({ ctimeNs }: FoundFile): boolean {
    if (this.#suffixes.length === 0 || ctimeNs === this.#changedAt) return false
    const descriptor = this.#descriptorOfMain()
    if (typeof descriptor !== 'number') return false
    const before = this.#header
    let header = readHeader(descriptor)
    // An encrypted database has a header that only its driver can read.
    if (before?.isDatabase === true && !follows(header, before)) {
      // Again, since a checkpoint may be writing it right now.
      header = readHeader(descriptor)
      if (!follows(header, before)) {
        this.#mayClose = false
        return true
      }
    }
    this.#header = header ?? before
    this.#changedAt = BigInt(Date.now()) * 1_000_000n - ctimeNs > SETTLED_NS ? ctimeNs : null
    return false
  }

  /** Finding it looks at all descriptors of the process, so the last one is tried first. */
  #descriptorOfMain(): ReturnType<typeof descriptorOf> {
    if (typeof this.#descriptor === 'number' && isOpenOn(this.#descriptor, this.main)) return this.#descriptor
    return (this.#descriptor = descriptorOf(this.main))
  }

  #besideDisplaced(): string | null {
    const changed = this.#suffixes.filter(suffix => !this.#isAsBefore(suffix))
    const [first] = changed
    if (first === undefined) return null
    this.#mayClose = changed.every(suffix => identityOf(this.#handle.file + suffix) === undefined)
    return `${quote(this.#handle.file + first)}, a part of the database, was removed or replaced`
  }

  #isAsBefore(suffix: string): boolean {
    const found = identityOf(this.#handle.file + suffix)
    if (found === undefined) return false
    const before = this.#beside.get(suffix)
    if (before !== undefined && isSameFile(found, before)) return true
    if (before !== undefined || descriptorOf(found) === 'none') return false
    this.#beside.set(suffix, found)
    return true
  }

  #suffixesInUse(): readonly string[] {
    const { pragma } = this.#handle
    // A read makes SQLite open the files beside the database, and then it knows the mode.
    pragma('schema_version')
    if (pragma('journal_mode') !== 'wal') return []
    return pragma('locking_mode') === 'exclusive' ? ['-wal'] : ['-wal', '-shm']
  }
}
