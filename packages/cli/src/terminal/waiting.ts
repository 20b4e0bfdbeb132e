import { figure } from './figure.js'

/** The stores' own default. */
export const DEFAULT_TIMEOUT_MS = 10_000

const SILENCE_MS = 1000

/** Calls `write` after a second with what the command waits for, and until when. Returns a function that stops this. */
export function noteWaiting(what: string, timeoutMs: number, write: (line: string) => void): () => void {
  if (timeoutMs <= SILENCE_MS) return () => {}
  const end = new Date(Date.now() + timeoutMs).toLocaleTimeString('en-GB')
  const timer = setTimeout(
    () => write(`Waiting for ${what} until ${end} (--timeout ${figure(timeoutMs / 1000)}); press Ctrl-C to stop`),
    SILENCE_MS,
  )
  return () => clearTimeout(timer)
}
