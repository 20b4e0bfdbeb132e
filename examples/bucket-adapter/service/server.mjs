// A test double for an S3-like service: buckets in memory, conditional writes, paged listings. It prints its URL and
// exits when its standard input ends. Usage: node service/server.mjs [KEYS_PER_PAGE]
import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'

const keysPerPage = Number(process.argv[2] ?? 1000)
/** @type {Map<string, Map<string, { body: string, etag: string }>>} */
const buckets = new Map()

const server = createServer((request, response) => {
  void serve(request, response)
})

async function serve(request, response) {
  const url = new URL(request.url ?? '/', 'http://localhost')
  const [, bucketName = '', ...path] = url.pathname.split('/')
  // The first PUT creates a bucket.
  const bucket = buckets.get(bucketName) ?? new Map()
  if (request.method === 'PUT') buckets.set(bucketName, bucket)
  const key = decodeURIComponent(path.join('/'))
  const body = await text(request)
  const { status, headers, content } =
    key === '' ? ofBucket(bucketName, request.method, url.searchParams) : ofObject(bucket, key, request, body)
  response.writeHead(status, headers).end(content)
}

/** Synchronous, so each request is atomic. */
function ofObject(bucket, key, { method, headers }, body) {
  const there = bucket.get(key)
  if (method === 'GET' && there === undefined) return { status: 404 }
  if (method === 'GET') return { status: 200, headers: { etag: there.etag }, content: there.body }
  if (headers['if-none-match'] === '*' && there !== undefined) return { status: 412 }
  const expected = headers['if-match']
  if (expected !== undefined && there === undefined) return { status: 404 }
  if (expected !== undefined && there.etag !== expected) return { status: 412 }
  if (method === 'PUT') {
    if (Buffer.byteLength(key) > 1024) return { status: 400 }
    // Like S3, a hash of the content.
    const etag = `"${createHash('md5').update(body).digest('hex')}"`
    bucket.set(key, { body, etag })
    return { status: 200, headers: { etag } }
  }
  if (method !== 'DELETE') return { status: 405 }
  bucket.delete(key)
  return { status: 204 }
}

function ofBucket(name, method, query) {
  const bucket = buckets.get(name) ?? new Map()
  if (method === 'DELETE') return { status: buckets.delete(name) ? 204 : 404 }
  if (method !== 'GET') return { status: 405 }
  const after = Buffer.from(query.get('continuation-token') ?? '', 'base64url').toString()
  const isAsked = key => key.startsWith(query.get('prefix') ?? '') && key > after
  const keys = [...bucket.keys()].filter(isAsked).toSorted((a, b) => (a < b ? -1 : 1))
  const page = keys.slice(0, keysPerPage)
  const next = page.length < keys.length ? Buffer.from(page.at(-1)).toString('base64url') : null
  const contents = page.map(
    key => `<Contents><Key>${escaped(key)}</Key><ETag>${escaped(bucket.get(key).etag)}</ETag></Contents>`,
  )
  const token = next === null ? '' : `<NextContinuationToken>${next}</NextContinuationToken>`
  return {
    status: 200,
    headers: { 'content-type': 'application/xml' },
    content: `<ListBucketResult>${contents.join('')}${token}</ListBucketResult>`,
  }
}

function escaped(text) {
  return text.replace(/[<>&"]/g, character => `&#${character.charCodeAt(0)};`)
}

// Keeps connections open for clients whose event loop is blocked.
server.keepAliveTimeout = 60_000
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`))
process.stdin.resume().on('end', () => process.exit())
