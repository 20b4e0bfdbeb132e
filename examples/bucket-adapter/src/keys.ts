export const PREFIX = 'sessions/'
const SUFFIX = '.json'

/**
 * Every valid id has a key of its own, of at most 3 × 200 + 14 of the 1,024 bytes that S3 allows. Nothing is left in
 * it that means something in a path: the suffix makes a name of `..` too.
 */
export function keyOf(sessionId: string): string {
  return `${PREFIX}${encodeURIComponent(sessionId)}${SUFFIX}`
}

/** Null for a key that is none of ours. */
export function idOf(key: string): string | null {
  try {
    const id = decodeURIComponent(key.slice(PREFIX.length, -SUFFIX.length))
    return keyOf(id) === key ? id : null
  } catch {
    return null
  }
}
