/** An object's ETag. Null in a write: there must be no object; in a delete: whatever there is. */
export type Version = string | null

/**
 * What the store needs of a bucket. `HttpBucket` has it; so has the client of a cloud in a few lines, told not to
 * retry by itself (`maxAttempts: 1` in the SDK of AWS): a write that was sent twice is refused by its own first, and
 * only the store can tell that from a refusal by others.
 *
 * All calls settle within a bounded time. One that throws may have happened, unless the error is a `TurnstoreError`
 * whose outcome is `not-stored`.
 */
export interface Bucket {
  get(key: string): Promise<{ body: string; etag: string } | null>
  /** In one step with its condition (`If-Match`, `If-None-Match: *`). False: the object has another version. */
  put(key: string, body: string, version: Version): Promise<boolean>
  /** In one step with its condition (`If-Match`; with null, none). False: it has another version, or is gone. */
  delete(key: string, version: Version): Promise<boolean>
  /** The objects whose keys begin with a prefix, each with a text that changes with every write of it. */
  list(prefix: string): AsyncIterable<{ key: string; etag: string }>
}
