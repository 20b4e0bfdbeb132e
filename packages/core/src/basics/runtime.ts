/**
 * The only globals that core uses. Node, Bun, Deno, browsers and workers all have them. They are declared
 * by hand so that core cannot use a platform API by accident.
 */
declare function setTimeout(callback: () => void, milliseconds: number): unknown
declare function setInterval(callback: () => void, milliseconds: number): unknown
declare function clearInterval(timer: unknown): void
/** Missing in browsers. */
declare const setImmediate: ((callback: () => void) => unknown) | undefined
declare const crypto: { getRandomValues(bytes: Uint8Array): Uint8Array }
declare const TextEncoder: new () => { encode(text: string): Uint8Array }
declare const performance: { now(): number }

export function sleep(milliseconds: number): Promise<void> {
  return new Promise(resolve => {
    setTimeout(resolve, milliseconds)
  })
}

export interface Repeating {
  stop(): void
}

/** Calls back again and again until it is stopped. */
export function repeatEvery(milliseconds: number, callback: () => void): Repeating {
  const timer = setInterval(callback, milliseconds)
  return { stop: () => clearInterval(timer) }
}

/** Lets everything run that waits for its turn of the event loop. */
export function nextTurn(): Promise<void> {
  return new Promise(resolve => {
    if (typeof setImmediate === 'function') setImmediate(resolve)
    else setTimeout(resolve, 0)
  })
}

/** 128 random bits as 32 hex digits, like the reference's `uuid4().hex`. */
export function randomId(): string {
  let id = ''
  for (const byte of crypto.getRandomValues(new Uint8Array(16))) id += byte.toString(16).padStart(2, '0')
  return id
}

/** Milliseconds on a monotonic clock. */
export function monotonicNow(): number {
  return performance.now()
}

/** A lone surrogate becomes U+FFFD. */
export function utf8Bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

let written = { at: Number.NaN, text: '' }

/** The present time in ISO 8601. A call asks for it several times in one millisecond, and writing it is a tenth of an append. */
export function currentTime(): string {
  const at = Date.now()
  if (at !== written.at) written = { at, text: new Date(at).toISOString() }
  return written.text
}
