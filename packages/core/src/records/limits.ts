import { TurnstoreError } from '../basics/errors.js'

/** What a store takes at most. Adjustable per store; the defaults are in {@link defaultLimits}. */
export interface Limits {
  /** Bytes of one turn, as JSON in UTF-8. */
  readonly turnBytes: number
  /** Bytes of a session's metadata, as JSON in UTF-8. */
  readonly metadataBytes: number
  /** Nesting of a JSON value, counted from the value itself: `{}` is 1. */
  readonly jsonDepth: number
}

export const defaultLimits: Limits = {
  turnBytes: 16 * 1024 * 1024,
  metadataBytes: 1024 * 1024,
  jsonDepth: 128,
}

/** JSON.stringify and structuredClone overflow the stack somewhat above this. */
const MAX_DEPTH = 1000

/** No store takes more. What is built for one is held to these; the store then judges with its own. */
export const hardLimits: Limits = { turnBytes: Infinity, metadataBytes: Infinity, jsonDepth: MAX_DEPTH }

/** @throws `INVALID_ARGUMENT` */
export function readLimits(limits: Partial<Limits> = {}): Limits {
  for (const [name, value] of Object.entries(limits)) {
    if (!Object.hasOwn(defaultLimits, name)) {
      throw new TurnstoreError('INVALID_ARGUMENT', `limits has no member ${JSON.stringify(name)}`)
    }
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new TurnstoreError('INVALID_ARGUMENT', `limits.${name} must be a whole number of at least 1`)
    }
  }
  if (limits.jsonDepth !== undefined && limits.jsonDepth > MAX_DEPTH) {
    throw new TurnstoreError('INVALID_ARGUMENT', `limits.jsonDepth must be at most ${MAX_DEPTH}`)
  }
  return { ...defaultLimits, ...limits }
}
