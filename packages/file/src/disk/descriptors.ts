import { setTimeout as sleep } from 'node:timers/promises'
import { isOutOfDescriptors } from './system-code.js'

/** Keeps files open between uses, only to save opening them again. */
export interface DescriptorHolder {
  /** Closes the files that are not in use. Returns whether there were any. */
  closeIdle(): boolean
}

/** The holders of all stores in this thread: the limit on descriptors is one of the whole process. */
const holders = new Set<DescriptorHolder>()

export function addHolder(holder: DescriptorHolder): void {
  holders.add(holder)
}

export function removeHolder(holder: DescriptorHolder): void {
  holders.delete(holder)
}

/** Returns whether anything was closed, so that another attempt may succeed. */
export function closeIdleDescriptors(): boolean {
  let isAnyClosed = false
  for (const holder of holders) if (holder.closeIdle()) isAnyClosed = true
  return isAnyClosed
}

/** Opens something. If the process is out of descriptors, closes the idle ones and tries once more. */
export function withDescriptor<T>(open: () => T): T {
  try {
    return open()
  } catch (error) {
    if (!isOutOfDescriptors(error) || !closeIdleDescriptors()) throw error
    return open()
  }
}

const MAX_WAIT_MS = 2000

/**
 * Opens something. If the process is out of descriptors, closes the idle ones and retries for two seconds,
 * since other code closes some too. Then rejects with the system's error (`EMFILE`, `ENFILE`).
 */
export async function waitForDescriptor<T>(open: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + MAX_WAIT_MS
  for (let wait = 5; ; wait = Math.min(wait * 2, 100)) {
    try {
      return await open()
    } catch (error) {
      if (!isOutOfDescriptors(error) || performance.now() + wait > deadline) throw error
      if (closeIdleDescriptors()) continue
    }
    await sleep(wait * (0.5 + Math.random() / 2))
  }
}
