/**
 * What core takes from the runtime: three globals that Node, Bun, Deno, browsers and workers have.
 * They are declared here by hand, so that nothing of a platform's can slip in.
 */
declare function setTimeout(callback: () => void, milliseconds: number): unknown
declare const crypto: { getRandomValues(bytes: Uint8Array): Uint8Array }
declare const performance: { now(): number }

export function sleep(milliseconds: number): Promise<void> {
  return new Promise(resolve => {
    setTimeout(resolve, milliseconds)
  })
}

/** 128 random bits as 32 hex digits, as the reference's `uuid4().hex`. */
export function randomId(): string {
  let id = ''
  for (const byte of crypto.getRandomValues(new Uint8Array(16))) id += byte.toString(16).padStart(2, '0')
  return id
}

/** Milliseconds on a clock that never goes back. */
export function monotonicNow(): number {
  return performance.now()
}
