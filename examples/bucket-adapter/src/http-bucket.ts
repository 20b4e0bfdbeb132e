import { TurnstoreError } from '@turnstore/core'
import type { Bucket, Version } from './bucket.js'

export interface HttpBucketOptions {
  /** Milliseconds per request. Default: 5,000. */
  timeoutMs?: number
}

/** A bucket of an S3-like service. Requests are not signed: use a proxy that signs them. */
export class HttpBucket implements Bucket {
  readonly #url: string
  readonly #timeoutMs: number

  /**
   * @param url the bucket's URL, without a password
   * @throws `INVALID_ARGUMENT`; the message never contains the URL
   */
  constructor(url: string, { timeoutMs = 5_000 }: HttpBucketOptions = {}) {
    const parsed = URL.parse(url)
    if (parsed === null || !/^https?:$/.test(parsed.protocol) || parsed.username !== '' || parsed.password !== '') {
      throw new TurnstoreError('INVALID_ARGUMENT', 'url must be the http or https URL of a bucket, without a password')
    }
    this.#url = parsed.href.replace(/\/$/, '')
    this.#timeoutMs = timeoutMs
  }

  async get(key: string): Promise<{ body: string; etag: string } | null> {
    const response = await this.#read(this.#urlOf(key))
    if (await isWithoutObject(response)) return null
    if (!response.ok) throw unavailable(response)
    return { body: await response.text(), etag: response.headers.get('etag') ?? '' }
  }

  async put(key: string, body: string, version: Version): Promise<boolean> {
    const headers: Record<string, string> = version === null ? { 'if-none-match': '*' } : { 'if-match': version }
    return this.#write(key, { method: 'PUT', body, headers })
  }

  async delete(key: string, version: Version): Promise<boolean> {
    return this.#write(key, { method: 'DELETE', headers: version === null ? {} : { 'if-match': version } })
  }

  async *list(prefix: string): AsyncIterable<{ key: string; etag: string }> {
    let token: string | undefined
    do {
      const query = new URLSearchParams({ 'list-type': '2', prefix, ...(token && { 'continuation-token': token }) })
      const response = await this.#read(`${this.#url}?${query.toString()}`)
      if (!response.ok) throw unavailable(response)
      const xml = await response.text()
      // Our keys and the tokens contain nothing that XML escapes.
      for (const [, key = '', etag = ''] of xml.matchAll(/<Key>([^<]*)<\/Key>.*?<ETag>([^<]*)<\/ETag>/gs)) {
        yield { key, etag }
      }
      token = /<NextContinuationToken>([^<]*)</.exec(xml)?.[1]
    } while (token !== undefined)
  }

  /** Reads are retried once: the service may just have closed the kept-alive connection. */
  #read(url: string): Promise<Response> {
    return this.#request(url).catch(() => this.#request(url))
  }

  async #write(key: string, init: RequestInit): Promise<boolean> {
    const response = await this.#request(this.#urlOf(key), init)
    // The object has another version, does not exist, or is being written at the same time.
    if ([409, 412].includes(response.status) || (await isWithoutObject(response))) return false
    await response.body?.cancel()
    if (response.ok) return true
    throw unavailable(response, response.status < 500 ? 'not-stored' : 'unknown')
  }

  #request(url: string, init: RequestInit = {}): Promise<Response> {
    return fetch(url, { ...init, redirect: 'error', signal: AbortSignal.timeout(this.#timeoutMs) })
  }

  /** Encodes the key again as a path, which the service decodes. */
  #urlOf(key: string): string {
    return `${this.#url}/${key.split('/').map(encodeURIComponent).join('/')}`
  }
}

/** A missing bucket must not look like an empty one. */
async function isWithoutObject(response: Response): Promise<boolean> {
  return response.status === 404 && !(await response.text()).includes('NoSuchBucket')
}

/** Only the status: the body of a response may repeat what was sent. */
function unavailable({ status }: Response, outcome?: 'not-stored' | 'unknown'): TurnstoreError {
  return new TurnstoreError('STORE_UNAVAILABLE', `The bucket responded with status ${status}`, outcome && { outcome })
}
