import { TurnstoreError } from './errors.js'

/** An `AbortSignal`, as far as a read needs it. Any runtime's fits. */
export interface Signal {
  readonly aborted: boolean
  readonly reason: unknown
  addEventListener(type: 'abort', listener: () => void): void
  removeEventListener(type: 'abort', listener: () => void): void
}

/** @throws `INVALID_ARGUMENT` */
export function readSignal(value: unknown, what: string): Signal | undefined {
  if (value === undefined || isSignal(value)) return value
  throw new TurnstoreError('INVALID_ARGUMENT', `${what} must be an AbortSignal`)
}

function isSignal(value: unknown): value is Signal {
  if (typeof value !== 'object' || value === null) return false
  return 'aborted' in value && 'addEventListener' in value && typeof value.addEventListener === 'function'
}

/** @throws the reason of the signal, if it has aborted */
export function throwIfAborted(signal: Signal | undefined): void {
  if (signal?.aborted === true) throw signal.reason
}

/** Rejects as soon as the signal aborts. The work goes on, but nobody waits for it. */
export async function orAborted<T>(work: Promise<T>, signal: Signal | undefined): Promise<T> {
  if (signal === undefined) return work
  let abort = (): void => {}
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason)
  })
  signal.addEventListener('abort', abort)
  try {
    return await Promise.race([work, aborted])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}
