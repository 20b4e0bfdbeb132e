export const PREFIX = 'sessions/'
const SUFFIX = '.json'

/**
 * Every valid id maps to a different key of at most 3 × 200 + 14 bytes; S3 allows 1,024. Nothing in a key has a meaning
 * in a path: even `..` becomes a name through the suffix.
 */
export function keyOf(sessionId: string): string {
  return `${PREFIX}${encodeURIComponent(sessionId)}${SUFFIX}`
}

/** Null if the key does not belong to this store. */
export function idOf(key: string): string | null {
  try {
    const id = decodeURIComponent(key.slice(PREFIX.length, -SUFFIX.length))
    return keyOf(id) === key ? id : null
  } catch {
    return null
  }
}
