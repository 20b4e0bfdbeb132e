import { lstatSync, mkdirSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import { addHolder, type DescriptorHolder, removeHolder } from '../disk/descriptors.js'
import { LockError, wrapErrors, wrapped } from './lock-error.js'
import { LockFile } from './lock-file.js'
import { systemCode } from '../disk/system-code.js'

/** A lock that is held. It is free again after `release()`, and the kernel frees it when the process ends in any way. */
export interface Lock extends Disposable {
  /** Frees the lock. Calling it again does nothing. */
  release(): void
}

export interface LockFolderOptions {
  /**
   * Among how many locks the keys are spread, 32 by default; each that is used keeps two files open.
   * All processes that share a folder must give the same number, or they do not exclude each other.
   */
  readonly shards?: number
}

export interface AcquireOptions {
  /** The moment, on the clock of `performance.now()`, from which on the call rejects with `LOCK_TIMEOUT`. */
  readonly deadline: number
}

/**
 * Locks by key between all processes, threads and handles of one host. They are kept by the kernel, on empty files in
 * one folder, so that no lock outlives its holder, and none is ever judged stale. Waiting blocks no event loop.
 *
 * Within a thread the waiting are served in the order in which they came. Between processes none starves.
 *
 * Different keys may share a lock: whoever holds one and waits for a second may wait for himself, until the deadline.
 * The locks are POSIX locks, and the kernel drops those of a process when it closes *any* descriptor of the file. A
 * process that holds locks must never open a lock file otherwise: `fs.cp` of the folder there frees them all unseen.
 */
export class LockFolder {
  readonly #dir: string
  readonly #shards: number
  readonly #gates = new Map<number, Gate>()
  #closed = false

  /** Touches nothing: the folder is made (0700) by the first `acquire`; the one that it stands in must exist. */
  constructor(dir: string, options: LockFolderOptions = {}) {
    const { shards = 32 } = options
    if (!Number.isInteger(shards) || shards < 1 || shards > 1024) {
      throw new RangeError(`shards must be an integer from 1 to 1024, not ${String(shards)}`)
    }
    this.#dir = dir
    this.#shards = shards
  }

  /** Waits for the lock of `key` until the deadline. Rejects with a {@link LockError}. */
  async acquire(key: string, options: AcquireOptions): Promise<Lock> {
    const { deadline } = options
    if (Number.isNaN(deadline)) throw new RangeError('deadline must be a time of performance.now(), not NaN')
    if (this.#closed) throw folderClosed()
    return this.#gate(shardOf(key, this.#shards)).acquire(this, deadline)
  }

  /**
   * Waits for nothing. Who still waits is rejected with `LOCK_FOLDER_CLOSED`; a lock that is held stays good until it
   * is released, and only then are its files closed.
   */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    for (const gate of this.#gates.values()) gate.leave(this)
    this.#gates.clear()
  }

  #gate(shard: number): Gate {
    const known = this.#gates.get(shard)
    if (known) return known
    makeLockFolder(this.#dir)
    const gate = Gate.enter(wrapErrors(this.#dir, () => realpathSync(this.#dir)), String(shard).padStart(4, '0'))
    this.#gates.set(shard, gate)
    return gate
  }
}

/**
 * For how long a process that has come to its turn may take the lock again and again, or pass it on among its own
 * waiters, before it has to queue once more. Without such turns many short holds would each wait for somebody's poll.
 */
const turnMs = 10

/**
 * For how long a queue that does not move is respected. Whoever is first in the queue may be stopped or busy with
 * something else, and a process that does not even hold the lock must not keep all the others from it.
 */
const patienceMs = 100

/** For how long a lock file is tried again that the process has no descriptor left to open. */
const descriptorWaitMs = 2000

const maxTimerMs = 2 ** 31 - 1

interface Waiter {
  readonly owner: LockFolder
  readonly deadline: number
  readonly resolve: (lock: Lock) => void
  readonly reject: (error: unknown) => void
  timer: NodeJS.Timeout | undefined
}

/**
 * One lock, as all handles of this thread share it: its files and those who wait for it here.
 *
 * The lock itself is one file. A second one is the queue between the processes: who is to get the lock next holds it
 * while he polls. Without it, a process that takes the lock again at once after releasing it nearly always wins
 * against those who poll.
 */
class Gate implements DescriptorHolder {
  static readonly #open = new Map<string, Gate>()

  readonly #path: string
  readonly #dir: string
  readonly #waiting: Waiter[] = []
  #users = 0
  #files: { readonly lock: LockFile; readonly queue: LockFile } | undefined
  #queued = false
  #held = false
  #wantedSince = 0
  #turnSince = -Infinity
  #poll: NodeJS.Timeout | undefined

  private constructor(dir: string, path: string) {
    this.#dir = dir
    this.#path = path
  }

  static enter(realDir: string, name: string): Gate {
    const path = join(realDir, name)
    let gate = Gate.#open.get(path)
    if (!gate) Gate.#open.set(path, (gate = new Gate(realDir, path)))
    gate.#users++
    return gate
  }

  leave(owner: LockFolder): void {
    this.#users--
    for (const waiter of this.#waiting.filter((waiter) => waiter.owner === owner)) {
      this.#giveUp(waiter, folderClosed())
    }
    this.#closeIfUnused()
  }

  acquire(owner: LockFolder, deadline: number): Promise<Lock> {
    return new Promise((resolve, reject) => {
      const waiter: Waiter = { owner, deadline, resolve, reject, timer: undefined }
      this.#waiting.push(waiter)
      if (!this.#held && this.#poll === undefined) this.#serve()
      if (this.#waiting.at(-1) === waiter) this.#expire(waiter)
    })
  }

  closeIdle(): boolean {
    if (this.#files === undefined || this.#held || this.#waiting.length > 0) return false
    this.#dropFiles()
    return true
  }

  release(): void {
    this.#held = false
    if (this.#waiting.length > 0 && this.#hasTurn() && this.#files?.lock.isInPlace()) {
      if (this.#grant()) return
    }
    this.#unlock()
    this.#serve()
  }

  /** Takes the lock for whoever waits first, now or by polling. */
  #serve(): void {
    this.#wantedSince = performance.now()
    this.#attempt()
  }

  #attempt(): void {
    this.#poll = undefined
    for (;;) {
      const first = this.#waiting[0]
      if (!first) break
      try {
        if (!this.#take()) {
          this.#poll = setTimeout(() => this.#attempt(), this.#pause())
          return
        }
      } catch (error) {
        this.#dropFiles()
        if (this.#mayFindDescriptors(error)) {
          this.#poll = setTimeout(() => this.#attempt(), this.#pause())
          return
        }
        this.#giveUp(first, error)
        continue
      }
      if (this.#grant()) return
      this.#unlock()
    }
    this.#leaveQueue()
    this.#closeIfUnused()
  }

  /** Others close theirs. */
  #mayFindDescriptors(error: unknown): boolean {
    const isOut = error instanceof LockError && error.code === 'LOCK_NO_DESCRIPTORS'
    return isOut && performance.now() - this.#wantedSince < descriptorWaitMs
  }

  /** Hands the lock, which the process has, to the first whose deadline has not passed. */
  #grant(): boolean {
    for (;;) {
      const next = this.#waiting[0]
      if (!next) return false
      if (performance.now() >= next.deadline) {
        this.#giveUp(next, timedOut())
        continue
      }
      this.#waiting.shift()
      clearTimeout(next.timer)
      this.#held = true
      next.resolve(new HeldLock(this))
      return true
    }
  }

  /** One attempt to get the lock from the other processes. */
  #take(): boolean {
    for (let attempt = 0; attempt < 3; attempt++) {
      const files = (this.#files ??= this.#openFiles())
      if (!this.#hasTurn() || !files.lock.tryLock()) {
        this.#queued ||= files.queue.tryLock()
        if (!this.#queued && performance.now() - this.#wantedSince < patienceMs) return false
        if (!files.lock.tryLock()) return false
        this.#turnSince = performance.now()
      }
      this.#leaveQueue()
      // A lock on a file that somebody has deleted excludes nobody who opens the new one.
      if (files.lock.isInPlace()) return true
      this.#dropFiles()
    }
    throw new LockError('LOCK_FAILED', `The lock file is deleted again and again while it is used: ${this.#path}.lock`)
  }

  #unlock(): void {
    try {
      this.#files?.lock.unlock()
    } catch {
      // What is closed is free in any case, and whoever releases a lock has done his work.
      this.#dropFiles()
    }
  }

  #hasTurn(): boolean {
    return performance.now() - this.#turnSince < turnMs
  }

  /** Who is next looks often, there is one of them; the others look less often, and at random, so that each has its chance. */
  #pause(): number {
    return this.#queued ? 1 : 1 + Math.random() * 4
  }

  #expire(waiter: Waiter): void {
    const left = waiter.deadline - performance.now()
    if (left <= 0) {
      this.#giveUp(waiter, timedOut())
      return
    }
    waiter.timer = setTimeout(() => this.#expire(waiter), Math.min(Math.ceil(left), maxTimerMs))
  }

  #giveUp(waiter: Waiter, error: unknown): void {
    const place = this.#waiting.indexOf(waiter)
    if (place >= 0) this.#waiting.splice(place, 1)
    clearTimeout(waiter.timer)
    waiter.reject(error)
  }

  #leaveQueue(): void {
    if (this.#queued) this.#files?.queue.unlock()
    this.#queued = false
  }

  #openFiles(): { lock: LockFile; queue: LockFile } {
    makeLockFolder(this.#dir)
    const queue = LockFile.open(`${this.#path}.queue`)
    try {
      const lock = LockFile.open(`${this.#path}.lock`)
      addHolder(this)
      return { queue, lock }
    } catch (error) {
      queue.close()
      throw error
    }
  }

  #dropFiles(): void {
    this.#queued = false
    this.#files?.queue.close()
    this.#files?.lock.close()
    this.#files = undefined
    removeHolder(this)
  }

  #closeIfUnused(): void {
    if (this.#users > 0 || this.#held || this.#waiting.length > 0) return
    clearTimeout(this.#poll)
    this.#poll = undefined
    this.#dropFiles()
    Gate.#open.delete(this.#path)
  }
}

class HeldLock implements Lock {
  #gate: Gate | undefined

  constructor(gate: Gate) {
    this.#gate = gate
  }

  release(): void {
    const gate = this.#gate
    this.#gate = undefined
    gate?.release()
  }

  [Symbol.dispose](): void {
    this.release()
  }
}

function makeLockFolder(dir: string): void {
  try {
    mkdirSync(dir, { mode: 0o700 })
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw wrapped(dir, error)
  }
  if (lstatSync(dir, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw new LockError('LOCK_FILE_REFUSED', `The folder of the locks is no folder, or a link to one: ${dir}`)
  }
}

/** FNV-1a. Which key has which lock is part of the format: all versions of this module must agree. */
function shardOf(key: string, shards: number): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193)
  return (hash >>> 0) % shards
}

function folderClosed(): LockError {
  return new LockError('LOCK_FOLDER_CLOSED', 'The locks were closed')
}

function timedOut(): LockError {
  return new LockError('LOCK_TIMEOUT', 'Another process or caller held the lock until the deadline')
}
