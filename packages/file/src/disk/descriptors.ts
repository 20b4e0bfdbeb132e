import { setTimeout as sleep } from 'node:timers/promises'
import { isOutOfDescriptors } from './system-code.js'

/** How long opening a file is retried when the process is out of descriptors. */
export const DESCRIPTOR_WAIT_MS = 2000

/**
 * Opens something. If the process is out of descriptors, retries for two seconds, since other code closes some. Then
 * rejects with the system's error (`EMFILE`, `ENFILE`).
 */
export async function waitForDescriptor<T>(open: () => T | Promise<T>): Promise<T> {
  const deadline = performance.now() + DESCRIPTOR_WAIT_MS
  for (let wait = 5; ; wait = Math.min(wait * 2, 100)) {
    try {
      return await open()
    } catch (error) {
      if (!isOutOfDescriptors(error) || performance.now() + wait > deadline) throw error
    }
    await sleep(wait * (0.5 + Math.random() / 2))
  }
}
