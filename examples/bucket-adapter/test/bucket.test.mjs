// What the suite cannot test: lost responses, damage, keys, and responses of the service.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import { after, describe, it } from 'node:test'
import { SessionManager } from '@turnstore/core'
import { BucketSessionStore, HttpBucket } from 'turnstore-bucket'
import { startService } from '../service/service.mjs'

const service = await startService()
const newBucket = () => new HttpBucket(`${service}/${randomUUID()}`)
const session = { sessionId: 's', turns: [{ turnId: 't1', prompt: 'secret prompt' }] }
const append = turnId => ({ appendTurns: [{ turnId, prompt: 'secret prompt' }], updatedAt: '2026-01-31T12:00:00Z' })
const change = append('t2')
const turnIds = async bucket => {
  const { turns } = await new BucketSessionStore(bucket).loadSession('s')
  return turns.map(({ turnId }) => turnId)
}

/**
 * A bucket that loses responses: the call fails `before` or `after` it is executed.
 * @param {HttpBucket} bucket
 * @param {Partial<Record<'get' | 'put' | 'delete', ('before' | 'after' | 'no')[]>>} lost by method, call by call
 */
function losing(bucket, lost) {
  const call =
    method =>
    async (...args) => {
      const when = lost[method]?.shift() ?? 'no'
      if (when === 'before') throw new TypeError('fetch failed: secret prompt')
      const answer = await bucket[method](...args)
      if (when === 'after') throw new TypeError('fetch failed: secret prompt')
      return answer
    }
  return { get: call('get'), put: call('put'), delete: call('delete'), list: prefix => bucket.list(prefix) }
}

/** @param {Partial<import('@turnstore/core').TurnstoreError>} members */
const failure = members => error => {
  assert.partialDeepStrictEqual({ ...error, message: error.message }, members)
  assert.doesNotMatch(`${error.stack} ${error.cause?.stack}`, /secret/)
  return true
}

describe('a write whose response was lost', () => {
  it('is resent with the same condition, whether or not it was stored', async () => {
    for (const when of ['before', 'after']) {
      const bucket = newBucket()
      await new BucketSessionStore(bucket).saveSession(session)
      const store = new BucketSessionStore(losing(bucket, { put: [when] }))
      assert.deepEqual(await store.changeSession('s', change), { revision: 2, turnCount: 2, deduplicated: [] })
      assert.deepEqual(await turnIds(bucket), ['t1', 't2'])
    }
  })

  it('is recognized by the id of the write, even if both responses were lost', async () => {
    const bucket = newBucket()
    await new BucketSessionStore(bucket).saveSession(session)
    const store = new BucketSessionStore(losing(bucket, { put: ['after', 'after'] }))
    assert.equal((await store.changeSession('s', change)).revision, 2)
  })

  it('fails with the outcome unknown if the result cannot be determined', async () => {
    const bucket = newBucket()
    await new BucketSessionStore(bucket).saveSession(session)
    const lost = losing(bucket, { put: ['after'] })
    const original = lost.put
    // Another writer writes between the two attempts.
    lost.put = (...args) =>
      original(...args).catch(async error => {
        lost.put = original
        await new BucketSessionStore(bucket).changeSession('s', append('t3'))
        throw error
      })
    const unknown = failure({ code: 'STORE_UNAVAILABLE', outcome: 'unknown' })
    await assert.rejects(new BucketSessionStore(lost).changeSession('s', change), unknown)
    assert.deepEqual(await turnIds(bucket), ['t1', 't2', 't3'])
  })

  it('is checked but not resent if it creates a session', async () => {
    const bucket = newBucket()
    const store = new BucketSessionStore(losing(bucket, { put: ['after'] }))
    assert.equal(await store.saveSession(session), 1)
    const never = new BucketSessionStore(losing(bucket, { put: ['before', 'before'] }))
    const unknown = failure({ code: 'STORE_UNAVAILABLE', outcome: 'unknown' })
    await assert.rejects(never.saveSession({ sessionId: 'other' }), unknown)
    assert.equal(await store.loadSession('other'), null)
  })

  it('is applied once if it has a key and the caller repeats it, also if it creates the session', async () => {
    const bucket = newBucket()
    const store = new BucketSessionStore(losing(bucket, { put: ['after', 'after'], get: ['no', 'before'] }))
    const options = { idempotencyKey: 'secret key', createIfMissing: { workspaceId: 'w' } }
    const unknown = failure({ code: 'STORE_UNAVAILABLE', outcome: 'unknown' })
    await assert.rejects(store.changeSession('s', change, options), unknown)
    const result = { revision: 1, turnCount: 1, deduplicated: [], created: true, replayed: true }
    assert.deepEqual(await store.changeSession('s', change, options), result)
    assert.doesNotMatch(JSON.stringify(await store.loadSession('s')), /secret key/)
  })

  it('succeeds as a delete if the second attempt deletes, and is unknown if the session is gone', async () => {
    const bucket = newBucket()
    await new BucketSessionStore(bucket).saveSession(session)
    assert.equal(await new BucketSessionStore(losing(bucket, { delete: ['before'] })).deleteSession('s'), true)
    await new BucketSessionStore(bucket).saveSession(session)
    const unknown = failure({ code: 'STORE_UNAVAILABLE', outcome: 'unknown' })
    await assert.rejects(new BucketSessionStore(losing(bucket, { delete: ['after'] })).deleteSession('s'), unknown)
  })

  it('is not stored if the session could not be read', async () => {
    const store = new BucketSessionStore(losing(newBucket(), { get: ['before'] }))
    const notStored = failure({ code: 'STORE_UNAVAILABLE', outcome: 'not-stored' })
    await assert.rejects(store.changeSession('s', change), notStored)
  })
})

it('no ETag repeats, although the service hashes the content and the same session is saved again', async () => {
  const bucket = newBucket()
  const store = new BucketSessionStore(bucket)
  const etags = new Set()
  for (let life = 0; life < 3; life++) {
    await store.saveSession({ ...session, createdAt: '2026-01-31T12:00:00Z', updatedAt: '2026-01-31T12:00:00Z' })
    etags.add((await bucket.get('sessions/s.json')).etag)
    await store.deleteSession('s')
  }
  assert.equal(etags.size, 3)
})

it('every id has a different key of at most 1,024 bytes, and foreign keys are ignored', async () => {
  const bucket = newBucket()
  const store = new BucketSessionStore(bucket)
  const ids = ['..', '.', 'a/b', 'a%2Fb', 'A', 'a', '😀'.repeat(50), '%'.repeat(200), '*', "'"]
  for (const sessionId of ids) await store.saveSession({ sessionId }, { ifRevision: 0 })
  await bucket.put('sessions/notes.txt', 'not ours', null)
  await bucket.put('sessions/%zz.json', 'not ours', null)
  await bucket.put('else/s.json', 'not ours', null)
  assert.deepEqual(new Set(await store.listSessions()), new Set(ids))
  for await (const { key } of bucket.list('')) assert.ok(Buffer.byteLength(key) <= 1024, key)
})

it('a listing of a workspace reads a session again only if it was changed or replaced', async () => {
  const bucket = newBucket()
  let reads = 0
  const counting = losing(bucket, {})
  const store = new BucketSessionStore({ ...counting, get: key => (reads++, counting.get(key)) })
  const others = new BucketSessionStore(bucket)
  for (const sessionId of ['a', 'b', 'c']) await others.saveSession({ sessionId, workspaceId: 'w' })
  assert.deepEqual(await store.listSessions({ workspaceId: 'w' }), ['a', 'b', 'c'])
  assert.deepEqual([await store.listSessions({ workspaceId: null }), reads], [[], 3])
  await others.changeSession('a', change)
  await others.deleteSession('b')
  await others.saveSession({ sessionId: 'b', workspaceId: 'v' })
  assert.deepEqual([await store.listSessions({ workspaceId: 'w' }), reads], [['a', 'c'], 5])
})

describe('an object that is not a session', () => {
  const bodies = {
    'not JSON': '{"write":"x","session":{"prompt":"secret prompt',
    'not a document': '"secret prompt"',
    'not a session': '{"write":"x","session":{"session_id":"s","turns":"secret prompt"}}',
    'another session': '{"write":"x","session":{"session_id":"secret"}}',
  }
  for (const [name, body] of Object.entries(bodies)) {
    it(`${name}: is reported without content, and not changed`, async () => {
      const bucket = newBucket()
      const store = new BucketSessionStore(bucket)
      await store.saveSession({ sessionId: 'fine', workspaceId: 'w' })
      await bucket.put('sessions/s.json', body, null)
      await assert.rejects(store.loadSession('s'), failure({ code: 'CORRUPT_SESSION', sessionId: 's' }))
      const corrupt = failure({ code: 'CORRUPT_SESSION', sessionId: 's', outcome: 'not-stored' })
      await assert.rejects(store.saveSession(session), corrupt)
      await assert.rejects(store.deleteSession('s'), corrupt)
      assert.equal((await bucket.get('sessions/s.json')).body, body)
      assert.equal((await store.changeSession('fine', change)).revision, 2)
      assert.deepEqual((await store.querySessions({ workspaceId: 'w' })).damaged?.length, 1)
    })
  }

  it('with idempotency keys that cannot be read: is not changed', async () => {
    const bucket = newBucket()
    const body = '{"write":"x","session":{"session_id":"s","turns":[],"turnstore.keys":"secret prompt"}}'
    await bucket.put('sessions/s.json', body, null)
    const store = new BucketSessionStore(bucket)
    const corrupt = failure({ code: 'CORRUPT_SESSION', sessionId: 's', outcome: 'not-stored' })
    for (const call of [() => store.changeSession('s', change), () => store.deleteSession('s')]) {
      await assert.rejects(call, corrupt)
    }
    assert.equal((await bucket.get('sessions/s.json')).body, body)
  })

  it('in a newer format: is refused', async () => {
    const bucket = newBucket()
    await bucket.put('sessions/s.json', '{"session":{"session_id":"s","schema_version":2}}', null)
    await assert.rejects(new BucketSessionStore(bucket).loadSession('s'), failure({ code: 'SCHEMA_TOO_NEW' }))
  })
})

describe('a response of the service', () => {
  let status = 200
  const server = createServer((request, response) => {
    if (status === 404) response.writeHead(404).end('<Error><Code>NoSuchBucket</Code></Error>')
    else if (request.method === 'GET') response.writeHead(404).end('<Error><Code>NoSuchKey</Code></Error>')
    else if (status !== 0) response.writeHead(status).end('secret prompt')
  })
  after(() => {
    server.closeAllConnections()
    server.close()
  })
  const listening = new Promise(resolve => {
    server.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${server.address().port}/b`))
  })
  const cases = [
    [403, 'STORE_UNAVAILABLE', 'not-stored'],
    [404, 'STORE_UNAVAILABLE', 'not-stored'],
    [500, 'STORE_UNAVAILABLE', 'unknown'],
    [0, 'STORE_UNAVAILABLE', 'unknown'],
    [409, 'STORE_BUSY', 'not-stored'],
  ]
  for (const [answer, code, outcome] of cases) {
    it(`${{ 0: 'nothing', 404: 'no bucket' }[answer] ?? answer}: ${code}, ${outcome}`, async () => {
      status = answer
      // A short one only where no answer comes: a busy machine may take a while for the others.
      const http = new HttpBucket(await listening, { timeoutMs: answer === 0 ? 50 : 30_000 })
      const store = new BucketSessionStore(http, { timeoutMs: 100 })
      await assert.rejects(store.saveSession(session), failure({ code, outcome }))
    })
  }
})

it('a read is retried if the connection breaks', async () => {
  let requests = 0
  const server = createServer((request, response) => {
    if (++requests % 2 === 1) request.socket.destroy()
    else response.writeHead(404).end()
  })
  const url = await new Promise(resolve => {
    server.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${server.address().port}/b`))
  })
  assert.equal(await new BucketSessionStore(new HttpBucket(url)).loadSession('s'), null)
  assert.equal(requests, 2)
  server.closeAllConnections()
  server.close()
})

it('a URL with a password is refused and not quoted', () => {
  for (const url of ['http://me:secret@localhost/b', 'ftp://secret', 'secret']) {
    assert.throws(() => new HttpBucket(url), failure({ code: 'INVALID_ARGUMENT' }))
  }
})

it('serves a manager', async () => {
  const manager = new SessionManager(new BucketSessionStore(newBucket()), { workspaceId: 'acme' })
  const { sessionId } = await manager.startSession({ agentId: 'support' })
  await Promise.all([1, 2, 3].map(number => manager.recordTurn(sessionId, { prompt: `${number}` })))
  assert.equal((await manager.getTurns(sessionId)).length, 3)
})
