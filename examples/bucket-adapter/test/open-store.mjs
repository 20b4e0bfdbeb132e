import { BucketSessionStore, HttpBucket } from 'turnstore-bucket'

/** Long timeouts, so that a busy machine does not look like an unavailable service. */
export default url => new BucketSessionStore(new HttpBucket(url, { timeoutMs: 30_000 }), { timeoutMs: 30_000 })
