import { writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { openStore } from 'turnstore'
import { type Inspector, startInspector } from '../../src/inspector/inspector.ts'
import { finished, parseObject, start, temporaryFolder, temporaryStore, turnstore } from '../turnstore.ts'

interface Reply {
  readonly status: number | undefined
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly text: string
}

/** A store with one session, served. */
async function served({ isWritable = false, url = 'memory:' } = {}): Promise<
  Inspector & { readonly port: number; readonly token: string }
> {
  const store = await openStore(url)
  await store.saveSession({
    sessionId: 's',
    metadata: { title: 'Tea' },
    turns: [{ turnId: 't', prompt: 'Is there tea?' }],
  })
  const inspector = await startInspector({ store, label: 'memory', isWritable }, 0)
  onTestFinished(async () => {
    await inspector.close().catch(() => {})
    await store.close()
  })
  const { port, searchParams } = new URL(inspector.url)
  return { ...inspector, port: Number(port), token: searchParams.get('token') ?? '' }
}

interface Sent {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

/** Not with fetch, which sets Host and Origin by itself. */
async function send(port: number, path: string, { method = 'GET', headers = {}, body }: Sent = {}): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, path, method, headers, agent: false }, response => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        text += chunk
      })
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, text }))
      response.on('error', reject)
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` })

describe('the server of turnstore inspect', () => {
  it('gives the page to the URL that was printed, and then to its cookie alone', async () => {
    const { port, url } = await served()
    const { pathname, search } = new URL(url)
    const first = await send(port, `${pathname}${search}`)
    expect([first.status, first.headers['content-type']]).toEqual([200, 'text/html; charset=utf-8'])
    const [cookie = ''] = first.headers['set-cookie'] ?? []
    expect(cookie).toMatch(new RegExp(`^turnstore-inspect-${port}=[\\w-]{43}; HttpOnly; SameSite=Strict; Path=/$`))
    const [pair = ''] = cookie.split(';')
    for (const path of ['/', '/page.js', '/page.css']) {
      expect((await send(port, path, { headers: { cookie: pair } })).status).toBe(200)
      expect((await send(port, path)).status).toBe(403)
      expect((await send(port, path, { headers: { cookie: `${pair.slice(0, -1)}!` } })).status).toBe(403)
    }
  })

  it('gives data to the token in a header, not to the cookie, which any server on this machine may see', async () => {
    const { port, url, token } = await served()
    const { pathname, search } = new URL(url)
    const [cookie = ''] = (await send(port, `${pathname}${search}`)).headers['set-cookie'] ?? []
    const [pair = ''] = cookie.split(';')
    expect(pair).not.toContain(token)
    expect((await send(port, '/api/sessions', { headers: { cookie: pair } })).status).toBe(403)
    expect((await send(port, `/api/sessions?token=${token}`)).status).toBe(403)
    const { status, text } = await send(port, '/api/sessions', { headers: bearer(token) })
    expect([status, parseObject(text)]).toMatchObject([
      200,
      { sessions: [{ sessionId: 's' }], cursor: null, damaged: [] },
    ])
  })

  it.each([
    ['no token', '/api/sessions', {}],
    ['a wrong token', '/api/sessions', { authorization: 'Bearer wrong' }],
    ['no token for a path that does not exist', '/nothing', {}],
    ['a wrong token in the URL', '/?token=wrong', {}],
  ])('refuses %s with 403 and nothing else', async (_name, path, headers) => {
    const { port } = await served()
    const { status, text, headers: replied } = await send(port, path, { headers })
    expect([status, Object.keys(parseObject(text))]).toEqual([403, ['code', 'message']])
    expect(replied['set-cookie']).toBeUndefined()
  })

  it.each([
    ['another Host, as DNS rebinding sends it', { host: 'evil.example' }],
    ['another port', { host: '127.0.0.1:1' }],
    ['another Origin', { origin: 'https://evil.example' }],
    ['the Origin of another port', { origin: 'http://127.0.0.1:1' }],
    ['an opaque Origin', { origin: 'null' }],
  ])('refuses %s, also with the token', async (_name, headers) => {
    const { port, token, url } = await served({ isWritable: true })
    const { pathname, search } = new URL(url)
    for (const path of ['/api/sessions', `${pathname}${search}`]) {
      expect((await send(port, path, { headers: { ...bearer(token), ...headers } })).status).toBe(403)
    }
  })

  it('knows 404 and 405', async () => {
    const { port, token } = await served({ isWritable: true })
    const headers = bearer(token)
    expect((await send(port, '/api/nothing', { headers })).status).toBe(404)
    expect((await send(port, '/api/constructor', { headers })).status).toBe(404)
    expect((await send(port, '/../package.json', { headers })).status).toBe(404)
    expect((await send(port, '/%2e%2e/package.json', { headers })).status).toBe(404)
    for (const [path, method, allow] of [
      ['/api/sessions', 'POST', 'GET'],
      ['/api/sessions', 'OPTIONS', 'GET'],
      ['/', 'DELETE', 'GET'],
      ['/api/delete', 'GET', 'POST'],
    ] as const) {
      const { status, headers: replied } = await send(port, path, { method, headers })
      expect([path, status, replied.allow]).toEqual([path, 405, allow])
    }
  })

  it('sends a strict policy with every reply, refusals too', async () => {
    const { port, url, token } = await served()
    const { pathname, search } = new URL(url)
    const replies = [
      await send(port, `${pathname}${search}`),
      await send(port, '/'),
      await send(port, '/api/session?id=s', { headers: bearer(token) }),
      await send(port, '/api/session?id=none', { headers: bearer(token) }),
    ]
    expect(replies.map(({ status }) => status)).toEqual([200, 403, 200, 404])
    for (const { headers } of replies) {
      expect(headers).toMatchObject({
        'content-security-policy':
          "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'no-referrer',
        'cache-control': 'no-store',
      })
    }
  })

  it('tells the code and the message of an error, never a stack', async () => {
    const { port, token } = await served()
    for (const [path, expected] of [
      ['/api/sessions?cursor=x', 'INVALID_ARGUMENT'],
      ['/api/sessions?where=x', 'BAD_REQUEST'],
      ['/api/turns?id=s&from=-1', 'BAD_REQUEST'],
      ['/api/turns?id=', 'INVALID_ID'],
      ['/api/search', 'BAD_REQUEST'],
    ] as const) {
      const { status, text } = await send(port, path, { headers: bearer(token) })
      const answer = parseObject(text)
      expect([path, status, answer.code, Object.keys(answer)]).toEqual([path, 400, expected, ['code', 'message']])
      expect(text).not.toContain('.ts:')
    }
  })

  it('survives what is no HTTP, no path, or too much', async () => {
    const { port, token } = await served({ isWritable: true })
    await new Promise<void>(resolve => {
      const socket = connect(port, '127.0.0.1', () => socket.end('GET http://[ HTTP/1.1\r\nhost: x\r\n\r\n'))
      socket.on('error', () => {})
      socket.resume().on('close', () => resolve())
    })
    const headers = { ...bearer(token), origin: `http://127.0.0.1:${port}`, 'content-type': 'application/json' }
    expect((await send(port, '/api/rename', { method: 'POST', headers, body: 'x'.repeat(100_000) })).status).toBe(413)
    expect((await send(port, '/api/rename', { method: 'POST', headers, body: '{' })).status).toBe(400)
    expect((await send(port, '/api/rename', { method: 'POST', headers, body: '[]' })).status).toBe(400)
    expect((await send(port, '/api/sessions', { headers })).status).toBe(200)
  })
})

describe('writes of turnstore inspect', () => {
  const body = JSON.stringify({ id: 's', ifRevision: 1, title: 'Coffee' })

  it.each(['/api/rename', '/api/end', '/api/delete', '/api/discard'])('%s is refused without --write', async path => {
    const { port, token } = await served()
    const headers = { ...bearer(token), origin: `http://127.0.0.1:${port}`, 'content-type': 'application/json' }
    const { status, text } = await send(port, path, { method: 'POST', headers, body })
    expect([status, parseObject(text)]).toMatchObject([403, { code: 'FORBIDDEN' }])
    expect(await sessionOf(port, token)).toMatchObject({ revision: 1, metadata: { title: 'Tea' } })
  })

  it('need JSON from the page itself', async () => {
    const { port, token } = await served({ isWritable: true })
    const origin = `http://127.0.0.1:${port}`
    for (const [headers, status] of [
      [{ 'content-type': 'application/json' }, 403],
      [{ origin, 'content-type': 'text/plain' }, 415],
      [{ origin, 'content-type': 'application/x-www-form-urlencoded' }, 415],
      [{ origin: 'http://evil.example', 'content-type': 'application/json' }, 403],
    ] as const) {
      const sent = await send(port, '/api/rename', { method: 'POST', headers: { ...bearer(token), ...headers }, body })
      expect(sent.status).toBe(status)
    }
    expect(await sessionOf(port, token)).toMatchObject({ revision: 1 })
  })

  it('change the revision that was seen and no other', async () => {
    const { port, token } = await served({ isWritable: true })
    const headers = { ...bearer(token), origin: `http://127.0.0.1:${port}`, 'content-type': 'application/json' }
    const write = (path: string, ifRevision: number): Promise<Reply> =>
      send(port, path, { method: 'POST', headers, body: JSON.stringify({ id: 's', ifRevision, title: 'Coffee' }) })
    expect((await write('/api/rename', 1)).status).toBe(200)
    for (const path of ['/api/rename', '/api/end', '/api/delete']) {
      const { status, text } = await write(path, 1)
      expect([path, status, parseObject(text).code]).toEqual([path, 409, 'REVISION_CONFLICT'])
    }
    expect((await write('/api/end', 2)).status).toBe(200)
    expect(await sessionOf(port, token)).toMatchObject({ revision: 3, metadata: { title: 'Coffee', ended: true } })
    expect((await write('/api/delete', 3)).status).toBe(200)
    expect((await write('/api/delete', 3)).status).toBe(404)
  })

  it('discard a session that cannot be read, and no other', async () => {
    const folder = temporaryFolder()
    const { port, token } = await served({ isWritable: true, url: `file:${folder}` })
    const headers = { ...bearer(token), origin: `http://127.0.0.1:${port}`, 'content-type': 'application/json' }
    const discard = async (): Promise<readonly unknown[]> => {
      const sent = await send(port, '/api/discard', { method: 'POST', headers, body: JSON.stringify({ id: 's' }) })
      return [sent.status, parseObject(sent.text).code]
    }
    expect(await discard()).toEqual([409, 'REVISION_CONFLICT'])
    expect(await sessionOf(port, token)).toMatchObject({ revision: 1 })
    writeFileSync(join(folder, 's.json'), 'no session')
    expect(await discard()).toEqual([200, undefined])
    expect(await discard()).toEqual([409, 'REVISION_CONFLICT'])
    expect((await send(port, '/api/session?id=s', { headers: bearer(token) })).status).toBe(404)
  })

  async function sessionOf(port: number, token: string): Promise<Record<string, unknown>> {
    return parseObject((await send(port, '/api/session?id=s', { headers: bearer(token) })).text)
  }
})

describe('turnstore inspect', () => {
  it('prints its URL and ends cleanly on Ctrl-C, with a page that is connected', async () => {
    const url = temporaryStore()
    await turnstore(['import', '-', '--to', url], {
      input: '{"id":"chat-1","messages":[{"role":"user","content":"Tea?"}]}',
    })
    // No browser can be opened here, which is no failure.
    const child = start(['inspect', '--store', url], { PATH: '/nowhere' })
    const end = finished(child)
    const printed = await new Promise<string>(resolve =>
      child.stdout?.once('data', (chunk: Buffer) => resolve(chunk.toString())),
    )
    expect(printed).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/\?token=[\w-]{43}\n$/)
    const { port, searchParams } = new URL(printed.trim())
    const headers = bearer(searchParams.get('token') ?? '')
    const events = await fetch(`http://127.0.0.1:${port}/api/events?id=chat-1`, { headers })
    const reader = events.body?.pipeThrough(new TextDecoderStream()).getReader()
    expect((await reader?.read())?.value).toContain(': watching')
    const begun = Date.now()
    child.kill('SIGINT')
    const { code, signal, stderr } = await end
    expect([code, signal]).toEqual([130, null])
    expect(stderr).toContain('read only; press Ctrl-C to stop')
    expect(Date.now() - begun).toBeLessThan(5000)
    await reader?.cancel().catch(() => {})
  })

  it('serves at the port that is asked for, and says if it cannot', async () => {
    const { port } = await served()
    const { code, stderr } = await turnstore(['inspect', '--no-open', '--port', String(port)], { url: 'memory:' })
    expect([code, stderr]).toEqual([1, `Cannot listen on port ${port} of 127.0.0.1 (EADDRINUSE)\n`])
    expect((await turnstore(['inspect', '--port', '0'], { url: 'memory:' })).code).toBe(2)
  })

  it('leaves no timer and no connection when it closes', async () => {
    const before = process.getActiveResourcesInfo().length
    const inspector = await served()
    const { port, token } = inspector
    const events = await fetch(`http://127.0.0.1:${port}/api/events?id=s`, { headers: bearer(token) })
    await inspector.close()
    await expect(events.text()).rejects.toThrow('terminated')
    await expect.poll(() => process.getActiveResourcesInfo().length).toBeLessThanOrEqual(before)
  })
})
