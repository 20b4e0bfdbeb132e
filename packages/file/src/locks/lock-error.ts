import { isOutOfDescriptors, systemCode } from '../disk/system-code.js'

/**
 * What a lock can fail with. `LOCK_TIMEOUT`: not ours by the deadline. `LOCK_FOLDER_CLOSED`: the folder was closed
 * before or while waiting. `LOCK_FILE_REFUSED`: what stands at the path is no lock file of ours. `LOCK_UNSUPPORTED`:
 * the runtime has no `node:sqlite`. `LOCK_NO_DESCRIPTORS`: too many files are open. `LOCK_FAILED`: the operating
 * system or SQLite refused otherwise; the message has its code.
 */
export type LockErrorCode =
  | 'LOCK_TIMEOUT'
  | 'LOCK_FOLDER_CLOSED'
  | 'LOCK_FILE_REFUSED'
  | 'LOCK_UNSUPPORTED'
  | 'LOCK_NO_DESCRIPTORS'
  | 'LOCK_FAILED'

/** A lock was not given. Nothing is held. Recognise the reason by `code`. */
export class LockError extends Error {
  override readonly name: string = 'LockError'
  readonly code: LockErrorCode

  constructor(code: LockErrorCode, message: string) {
    super(message)
    this.code = code
  }
}

/** What `call` gives; what it throws becomes a {@link LockError}. */
export function wrapErrors<T>(path: string, call: () => T): T {
  try {
    return call()
  } catch (error) {
    throw wrapped(path, error)
  }
}

/** An error of the system or of SQLite without its message, but for its codes. */
export function wrapped(path: string, error: unknown): LockError {
  if (error instanceof LockError) return error
  const failed = `The lock at ${path} could not be used`
  const code = systemCode(error) ?? 'unknown error'
  if (isOutOfDescriptors(error)) {
    return new LockError('LOCK_NO_DESCRIPTORS', `${failed}: too many files are open (${code})`)
  }
  const errcode = error instanceof Error && 'errcode' in error ? ` ${String(error.errcode)}` : ''
  return new LockError('LOCK_FAILED', `${failed}: ${code}${errcode}`)
}
