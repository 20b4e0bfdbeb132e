import type { WriteOutcome } from '@turnstore/core'
import { inWords, systemCode } from './system-code.js'

/** A file or folder was not written. Its `message` and `cause` contain paths, never content. */
export class FileWriteError extends Error {
  override readonly name: string = 'FileWriteError'
  /**
   * The system's code (`ENOSPC`, `EACCES`, …), `NOT_A_FILE` or `NOT_A_FOLDER` if something else is at the
   * path, or `SHORT_WRITE` if fewer bytes were stored than written.
   */
  readonly code: string
  /** `not-stored`: nothing changed. `unknown`: the write may have happened, and a power cut may undo it. */
  readonly outcome: WriteOutcome

  constructor(message: string, code: string, outcome: WriteOutcome, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    this.outcome = outcome
  }
}

/** `error` as a {@link FileWriteError} with this message, unless it is one already. */
export function fileWriteError(error: unknown, message: string, outcome: WriteOutcome): FileWriteError {
  if (error instanceof FileWriteError) return error
  const code = systemCode(error) ?? 'UNKNOWN'
  return new FileWriteError(`${message} (${inWords(code)})`, code, outcome, error)
}
