import { lstatSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { DESCRIPTOR_WAIT_MS } from '../disk/descriptors.js'
import { systemCode } from '../disk/system-code.js'
import { LockError, lockError } from './lock-error.js'
import { LockFile } from './lock-file.js'

/** A held lock. `release()` frees it, and the kernel frees it when the process ends in any way. */
export interface Lock extends Disposable {
  /**
   * Whether other processes that look for the lock find this one. Not if its folder was moved or replaced: then they
   * lock another file, and this lock excludes nobody.
   */
  isInPlace(): boolean
  /** Frees the lock. Another call does nothing. */
  release(): void
}

/**
 * How long a process may keep retaking the lock, or passing it on among its own waiters, before it queues
 * again. Without such turns, many short holds would each wait for another process to poll.
 */
const TURN_MS = 10

/**
 * How long a queue that does not move is respected. The process at its head may be stopped or busy, and a
 * process that does not hold the lock must not keep the others from it.
 */
const PATIENCE_MS = 100

const MAX_TIMER_MS = 2 ** 31 - 1

interface Waiter {
  /** The handle that asked, so that closing it rejects its waiters only. */
  readonly owner: object
  readonly since: number
  readonly timeoutMs: number
  readonly resolve: (lock: Lock) => void
  readonly reject: (error: unknown) => void
  timer: NodeJS.Timeout | undefined
}

/**
 * One lock, shared by all handles of this thread: its files and its waiters.
 *
 * One file is the lock. A second file is the queue between the processes: the process that is next holds it
 * while it polls. Without it, a process that retakes the lock right after its release nearly always wins
 * against those that poll.
 */
export class Gate {
  static readonly #open = new Map<string, Gate>()

  readonly #path: string
  readonly #dir: string
  readonly #waiting: Waiter[] = []
  #users = 0
  #files: { readonly lock: LockFile; readonly queue: LockFile } | undefined
  #isQueued = false
  #isHeld = false
  #wantedSince = 0
  #turnSince = -Infinity
  #grantedAt = -Infinity
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

  leave(owner: object): void {
    this.#users--
    for (const waiter of this.#waiting.filter(waiter => waiter.owner === owner)) {
      this.#reject(waiter, lockFolderClosed())
    }
    this.#closeIfUnused()
  }

  acquire(owner: object, timeoutMs: number): Promise<Lock> {
    return new Promise((resolve, reject) => {
      const waiter: Waiter = { owner, since: performance.now(), timeoutMs, resolve, reject, timer: undefined }
      this.#waiting.push(waiter)
      if (!this.#isHeld && this.#poll === undefined) this.#serve()
      if (this.#waiting.at(-1) === waiter) this.#expire(waiter)
    })
  }

  isInPlace(): boolean {
    return this.#files?.lock.isInPlace() ?? false
  }

  release(): void {
    this.#isHeld = false
    if (this.#waiting.length > 0 && this.#hasTurn() && this.#files?.lock.isInPlace()) {
      if (this.#grant()) return
    }
    this.#unlock()
    this.#serve()
  }

  /** Takes the lock for the first waiter, now or by polling. */
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
        this.#closeFiles()
        if (this.#mayFindDescriptors(error)) {
          this.#poll = setTimeout(() => this.#attempt(), this.#pause())
          return
        }
        this.#reject(first, error)
        continue
      }
      if (this.#grant()) return
      this.#unlock()
    }
    this.#leaveQueue()
    this.#closeIfUnused()
  }

  /** Other code in the process may close some. */
  #mayFindDescriptors(error: unknown): boolean {
    const isOut = error instanceof LockError && error.code === 'LOCK_NO_DESCRIPTORS'
    return isOut && performance.now() - this.#wantedSince < DESCRIPTOR_WAIT_MS
  }

  /** Hands the lock, which this process has, to the first waiter whose time is not over. */
  #grant(): boolean {
    for (;;) {
      const next = this.#waiting[0]
      if (!next) return false
      if (this.#timeLeft(next) <= 0) {
        this.#reject(next, timedOut())
        continue
      }
      this.#waiting.shift()
      clearTimeout(next.timer)
      this.#isHeld = true
      this.#grantedAt = performance.now()
      next.resolve(new HeldLock(this))
      return true
    }
  }

  /** One attempt to get the lock from the other processes. */
  #take(): boolean {
    for (let attempt = 0; attempt < 3; attempt++) {
      const files = (this.#files ??= this.#openFiles())
      if (!this.#hasTurn() || !files.lock.tryLock()) {
        this.#isQueued ||= files.queue.tryLock()
        if (!this.#isQueued && performance.now() - this.#wantedSince < PATIENCE_MS) return false
        if (!files.lock.tryLock()) return false
        this.#turnSince = performance.now()
      }
      this.#leaveQueue()
      // A lock on a deleted file excludes nobody that opens the new one.
      if (files.lock.isInPlace()) return true
      this.#closeFiles()
    }
    throw new LockError('LOCK_FAILED', `The lock file is deleted repeatedly while it is used: ${this.#path}.lock`)
  }

  #unlock(): void {
    try {
      this.#files?.lock.unlock()
    } catch {
      // Closing the files frees the lock in any case, and the work under the lock is done.
      this.#closeFiles()
    }
  }

  #hasTurn(): boolean {
    return performance.now() - this.#turnSince < TURN_MS
  }

  /** The process at the head of the queue polls often. The others poll less often, at random intervals. */
  #pause(): number {
    return this.#isQueued ? 1 : 1 + Math.random() * 4
  }

  /** Each grant gives those that wait behind it their whole time again. */
  #timeLeft({ since, timeoutMs }: Waiter): number {
    return Math.max(since, this.#grantedAt) + timeoutMs - performance.now()
  }

  #expire(waiter: Waiter): void {
    const left = this.#timeLeft(waiter)
    if (left <= 0) {
      this.#reject(waiter, timedOut())
      return
    }
    waiter.timer = setTimeout(() => this.#expire(waiter), Math.min(Math.ceil(left), MAX_TIMER_MS))
  }

  #reject(waiter: Waiter, error: unknown): void {
    const place = this.#waiting.indexOf(waiter)
    if (place >= 0) this.#waiting.splice(place, 1)
    clearTimeout(waiter.timer)
    waiter.reject(error)
  }

  #leaveQueue(): void {
    if (this.#isQueued) this.#files?.queue.unlock()
    this.#isQueued = false
  }

  #openFiles(): { lock: LockFile; queue: LockFile } {
    makeLockFolder(this.#dir)
    const queue = LockFile.open(`${this.#path}.queue`)
    try {
      return { queue, lock: LockFile.open(`${this.#path}.lock`) }
    } catch (error) {
      queue.close()
      throw error
    }
  }

  #closeFiles(): void {
    this.#isQueued = false
    this.#files?.queue.close()
    this.#files?.lock.close()
    this.#files = undefined
  }

  #closeIfUnused(): void {
    if (this.#users > 0 || this.#isHeld || this.#waiting.length > 0) return
    clearTimeout(this.#poll)
    this.#poll = undefined
    this.#closeFiles()
    Gate.#open.delete(this.#path)
  }
}

class HeldLock implements Lock {
  #gate: Gate | undefined

  constructor(gate: Gate) {
    this.#gate = gate
  }

  isInPlace(): boolean {
    return this.#gate?.isInPlace() ?? false
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

export function makeLockFolder(dir: string): void {
  try {
    mkdirSync(dir, { mode: 0o700 })
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw lockError(dir, error)
  }
  if (lstatSync(dir, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw new LockError('LOCK_FILE_REFUSED', `Not a folder, or a link to one, where the locks must be: ${dir}`)
  }
}

export function lockFolderClosed(): LockError {
  return new LockError('LOCK_FOLDER_CLOSED', 'The locks were closed')
}

function timedOut(): LockError {
  return new LockError('LOCK_TIMEOUT', 'Another process or caller held the lock until the timeout')
}
