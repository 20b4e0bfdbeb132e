import { realpathSync } from 'node:fs'
import { Gate, lockFolderClosed, type Lock, makeLockFolder } from './gate.js'
import { withLockErrors } from './lock-error.js'

export interface LockFolderOptions {
  /**
   * The number of locks that the keys are spread over, 32 by default. Each lock in use keeps two files open.
   * All processes that share a folder must use the same number, or they do not exclude each other.
   */
  readonly shards?: number
}

/**
 * Locks by key between all processes, threads and handles of one host. The kernel holds them, on empty files
 * in one folder. So no lock outlives its holder, and no lock is ever judged stale. Waiting does not block the
 * event loop.
 *
 * Within a thread, waiters are served in order of arrival. Between processes, none starves.
 *
 * Two keys may share a lock: a caller that holds one and waits for another may wait for itself, until the
 * timeout. The locks are POSIX locks: when a process closes *any* descriptor of a lock file, the kernel drops
 * all of that process's locks on it. A process that holds locks must never open a lock file in another way.
 * `fs.cp` of the folder does.
 */
export class LockFolder {
  readonly #dir: string
  readonly #shards: number
  readonly #gates = new Map<number, Gate>()
  #isClosed = false

  /** Creates nothing. The first `acquire` creates the folder (0700); its parent must exist. */
  constructor(dir: string, options: LockFolderOptions = {}) {
    const { shards = 32 } = options
    if (!Number.isInteger(shards) || shards < 1 || shards > 1024) {
      throw new RangeError(`shards must be an integer from 1 to 1024, not ${String(shards)}`)
    }
    this.#dir = dir
    this.#shards = shards
  }

  /**
   * Waits for the lock of `key`. Rejects with a {@link LockError}: with `LOCK_TIMEOUT` when no caller of this thread
   * got the lock for `timeoutMs`. So a caller does not run out of time behind others of its own process.
   */
  async acquire(key: string, timeoutMs: number): Promise<Lock> {
    if (Number.isNaN(timeoutMs)) throw new RangeError('timeoutMs must be a number of milliseconds, not NaN')
    if (this.#isClosed) throw lockFolderClosed()
    return this.#gate(this.shardOf(key)).acquire(this, timeoutMs)
  }

  /** Does something under the lock of `key`. */
  async hold<T>(key: string, timeoutMs: number, work: (lock: Lock) => Promise<T>): Promise<T> {
    const lock = await this.acquire(key, timeoutMs)
    try {
      return await work(lock)
    } finally {
      lock.release()
    }
  }

  /** Keys with the same number share a lock. */
  shardOf(key: string): number {
    return shardOf(key, this.#shards)
  }

  /**
   * Returns at once. Pending calls reject with `LOCK_FOLDER_CLOSED`. A held lock stays valid until its release;
   * its files are closed then.
   */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    for (const gate of this.#gates.values()) gate.leave(this)
    this.#gates.clear()
  }

  #gate(shard: number): Gate {
    const known = this.#gates.get(shard)
    if (known) return known
    makeLockFolder(this.#dir)
    const gate = Gate.enter(withLockErrors(this.#dir, () => realpathSync(this.#dir)), String(shard).padStart(4, '0'))
    this.#gates.set(shard, gate)
    return gate
  }
}

/** FNV-1a. Which lock a key has is part of the format: all versions of this module must agree. */
function shardOf(key: string, shards: number): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193)
  return (hash >>> 0) % shards
}
