import { BucketSessionStore, HttpBucket } from 'turnstore-bucket'

/** Patient: a machine with much to do must not look like a service that is down. */
export default url => new BucketSessionStore(new HttpBucket(url, { timeoutMs: 30_000 }), { timeoutMs: 30_000 })
