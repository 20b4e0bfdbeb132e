import { isOutOfDescriptors } from './system-code.js'

/** Who keeps files open for no other reason than that they may be used again. */
export interface Keeper {
  /** Closes those that are not in use; says whether there were any. */
  letGo(): boolean
}

/** Of all stores of this thread: descriptors run out for the process as a whole. */
const keepers = new Set<Keeper>()

export function keep(keeper: Keeper): void {
  keepers.add(keeper)
}

export function keepNoLonger(keeper: Keeper): void {
  keepers.delete(keeper)
}

/** Says whether anything was closed, so that it is worth to try again. */
export function letGoOfIdle(): boolean {
  let isAny = false
  for (const keeper of keepers) if (keeper.letGo()) isAny = true
  return isAny
}

/** Opens something; where descriptors have run out, what is idle is let go and it is tried once more. */
export function openNow<T>(openIt: () => T): T {
  try {
    return openIt()
  } catch (error) {
    if (!isOutOfDescriptors(error) || !letGoOfIdle()) throw error
    return openIt()
  }
}
