/** An object's ETag. Null in a put: the object must not exist. Null in a delete: delete any version. */
export type Version = string | null

/**
 * The part of a bucket's API that the store needs. `HttpBucket` implements it, and you can wrap a cloud client in a few
 * lines. Turn off the client's retries (`maxAttempts: 1` in the AWS SDK): a retried write can fail because of its own
 * first attempt, and only the store can tell that from another writer's conflict.
 *
 * All calls must settle within a bounded time. A call that throws may have happened, unless the error is a
 * `TurnstoreError` with the outcome `not-stored`.
 */
export interface Bucket {
  get(key: string): Promise<{ body: string; etag: string } | null>
  /** Atomic with its condition (`If-Match`, `If-None-Match: *`). False: the object has another version. */
  put(key: string, body: string, version: Version): Promise<boolean>
  /** Atomic with its condition (`If-Match`; none if null). False: the object has another version, or is gone. */
  delete(key: string, version: Version): Promise<boolean>
  /** The objects whose keys start with a prefix, with their current ETags. */
  list(prefix: string): AsyncIterable<{ key: string; etag: string }>
}
