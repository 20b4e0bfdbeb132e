import { inWords, isOutOfDescriptors, systemCode } from '../disk/system-code.js'

/**
 * `LOCK_TIMEOUT`: the deadline passed. `LOCK_FOLDER_CLOSED`: the folder was closed before or while waiting.
 * `LOCK_FILE_REFUSED`: something else is at the path of the lock file. `LOCK_UNSUPPORTED`: the runtime has no
 * `node:sqlite`. `LOCK_NO_DESCRIPTORS`: too many files are open. `LOCK_FAILED`: the operating system or SQLite
 * reported another error, whose code is in the message.
 */
export type LockErrorCode =
  | 'LOCK_TIMEOUT'
  | 'LOCK_FOLDER_CLOSED'
  | 'LOCK_FILE_REFUSED'
  | 'LOCK_UNSUPPORTED'
  | 'LOCK_NO_DESCRIPTORS'
  | 'LOCK_FAILED'

/** A lock was not acquired and nothing is held. `code` gives the reason. */
export class LockError extends Error {
  override readonly name: string = 'LockError'
  readonly code: LockErrorCode

  constructor(code: LockErrorCode, message: string) {
    super(message)
    this.code = code
  }
}

/** Runs `call` and turns its error into a {@link LockError}. */
export function withLockErrors<T>(path: string, call: () => T): T {
  try {
    return call()
  } catch (error) {
    throw lockError(path, error)
  }
}

/** An error of the system or of SQLite as a {@link LockError}, with its codes but without its message. */
export function lockError(path: string, error: unknown): LockError {
  if (error instanceof LockError) return error
  const failed = `The lock at ${path} could not be used`
  const code = systemCode(error) ?? 'unknown error'
  if (isOutOfDescriptors(error)) {
    return new LockError('LOCK_NO_DESCRIPTORS', `${failed}: too many files are open (${code})`)
  }
  const errcode = error instanceof Error && 'errcode' in error ? ` ${String(error.errcode)}` : ''
  return new LockError('LOCK_FAILED', `${failed}: ${inWords(code)}${errcode}`)
}
