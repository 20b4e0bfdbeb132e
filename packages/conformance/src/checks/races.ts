import { type ErrorCode, isTurnstoreError } from '@turnstore/core'

/** A handler for the codes with which a call may fail here. */
export function unless(...codes: readonly ErrorCode[]): (error: unknown) => false {
  return error => {
    if (!codes.some(code => isTurnstoreError(error, code))) throw error
    return false
  }
}

/** Lets others run, also where nothing else waits for anything. */
export function turnOfTheEventLoop(): Promise<void> {
  return new Promise(resolve => {
    setImmediate(resolve)
  })
}
