import { TurnstoreError } from '../basics/errors.js'

/** The limits of a store. Set them with the store's `limits` option. See {@link defaultLimits}. */
export interface Limits {
  /** Maximum size of a tool call, an item, an agent transition, and a turn without its calls and items, in bytes of UTF-8 JSON. */
  readonly partBytes: number
  /** Maximum size of one turn, its tool calls and items included, in bytes of UTF-8 JSON. */
  readonly turnBytes: number
  /** Maximum size of a session's metadata, in bytes of UTF-8 JSON. */
  readonly metadataBytes: number
  /** Maximum nesting of a JSON value. `{}` has depth 1. */
  readonly jsonDepth: number
}

/** 16 MiB per part, 256 MiB per turn, 1 MiB of metadata, depth 128. */
export const defaultLimits: Limits = {
  partBytes: 16 * 1024 * 1024,
  turnBytes: 256 * 1024 * 1024,
  metadataBytes: 1024 * 1024,
  jsonDepth: 128,
}

/** JSON.stringify and structuredClone overflow the stack somewhat above this. */
const MAX_DEPTH = 1000

/** The highest limits that a store can set. The manager uses them, and the store then enforces its own. */
export const hardLimits: Limits = {
  partBytes: Infinity,
  turnBytes: Infinity,
  metadataBytes: Infinity,
  jsonDepth: MAX_DEPTH,
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
  if (limits.jsonDepth !== undefined && limits.jsonDepth > MAX_DEPTH) {
    throw new TurnstoreError('INVALID_ARGUMENT', `limits.jsonDepth must be at most ${MAX_DEPTH}`)
  }
  return { ...defaultLimits, ...limits }
}
