import { openStore } from 'turnstore'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Server, startServer } from '../../../postgres/test/servers.ts'
import { importText, turnstore } from '../turnstore.ts'

describe('postgres://', () => {
  let server: Server
  beforeAll(async () => {
    server = await startServer()
  })
  afterAll(() => server.stop())

  it('opens a store without connecting before the first use', async () => {
    for (const url of [
      'postgres://127.0.0.1:1/x',
      'postgresql://u:p@h/x?sslmode=require',
      'POSTGRES://h?schema=a&prefix=b_',
    ]) {
      const store = await openStore(url)
      expect(store.constructor.name).toBe('PostgresSessionStore')
      await store.close()
    }
  })

  it.each(['postgres:canary', 'postgres://u:canary@h/d?option=1', 'postgres://u:canary@h/d?schema=a&schema=b'])(
    'refuses an invalid URL without repeating it: %s',
    async url => {
      const error: unknown = await openStore(url).catch((reason: unknown) => reason)
      expect(error).toMatchObject({ code: 'INVALID_ARGUMENT' })
      expect(String(error)).not.toContain('canary')
    },
  )

  it('has its tables made by migrate or by an import, never by a command that reads', async () => {
    const url = `${server.url}?schema=mine&prefix=p_`
    const before = await turnstore(['ls'], { url })
    expect(before).toMatchObject({ code: 1, stdout: '' })
    expect(before.stderr).toMatch(/tables do not exist.*run `turnstore migrate --to URL`/)
    expect(await turnstore(['migrate', '--to', url])).toMatchObject({ code: 0, stdout: 'The store is ready\n' })
    expect(await turnstore(['migrate', '--json'], { url })).toMatchObject({ code: 0 })
    expect(await importText('{"id":"a","messages":[{"role":"user","content":"hello"}]}', { url })).toMatchObject({
      code: 0,
    })
    const { rows } = await server.admin.query<{ id: string }>('SELECT session_id AS id FROM mine.p_sessions')
    expect(rows).toEqual([{ id: 'a' }])
    expect((await turnstore(['show', 'a'], { url })).stdout).toContain('hello')
  })

  it('names the server that cannot be reached, without a password', async () => {
    const { code, stderr } = await turnstore(['ls', '--timeout', '1'], { url: 'postgres://u:canary@127.0.0.1:1/x' })
    expect(code).not.toBe(0)
    expect(stderr).not.toContain('canary')
  })
})
