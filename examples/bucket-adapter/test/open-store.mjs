import { BucketSessionStore, HttpBucket } from 'turnstore-bucket'

export default url => new BucketSessionStore(new HttpBucket(url))
