import { isOutOfDescriptors } from './system-code.js'

/** Who keeps files open for no other reason than that they may be used again. */
export interface DescriptorHolder {
  /** Closes those that are not in use; says whether there were any. */
  closeIdle(): boolean
}

/** Of all stores of this thread: descriptors run out for the process as a whole. */
const holders = new Set<DescriptorHolder>()

export function addHolder(holder: DescriptorHolder): void {
  holders.add(holder)
}

export function removeHolder(holder: DescriptorHolder): void {
  holders.delete(holder)
}

/** Says whether anything was closed, so that it is worth to try again. */
export function closeIdleDescriptors(): boolean {
  let isAny = false
  for (const holder of holders) if (holder.closeIdle()) isAny = true
  return isAny
}

/** Opens something; where descriptors have run out, what is idle is let go and it is tried once more. */
export function withDescriptor<T>(openIt: () => T): T {
  try {
    return openIt()
  } catch (error) {
    if (!isOutOfDescriptors(error) || !closeIdleDescriptors()) throw error
    return openIt()
  }
}
