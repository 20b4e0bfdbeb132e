export type { Bucket, Version } from './bucket.js'
export { BucketSessionStore } from './bucket-session-store.js'
export { HttpBucket } from './http-bucket.js'
