import { type ErrorCode, isTurnstoreError } from '@turnstore/core'

/** A handler that accepts these error codes. */
export function unless(...codes: readonly ErrorCode[]): (error: unknown) => false {
  return error => {
    if (!codes.some(code => isTurnstoreError(error, code))) throw error
    return false
  }
}

/** Yields to the event loop. */
export function turnOfTheEventLoop(): Promise<void> {
  return new Promise(resolve => {
    setImmediate(resolve)
  })
}
