import { TurnstoreError } from './errors.js'

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
  // JSON.stringify and structuredClone overflow the stack somewhat above this.
  if (limits.jsonDepth !== undefined && limits.jsonDepth > 1000) {
    throw new TurnstoreError('INVALID_ARGUMENT', 'limits.jsonDepth must be at most 1000')
  }
  return { ...defaultLimits, ...limits }
}
