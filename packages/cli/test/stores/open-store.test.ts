import { existsSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { openStore } from 'turnstore'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Server, startServer } from '../../../redis/test/servers.ts'
import { importText, temporaryFolder, turnstore } from '../turnstore.ts'

describe('openStore', () => {
  it('opens a Redis store without connecting before the first use', async () => {
    for (const url of [
      'redis://127.0.0.1:1',
      'rediss://127.0.0.1:1',
      'redis-cluster://127.0.0.1:1,127.0.0.1:2',
      'REDIS://127.0.0.1:1/3',
    ]) {
      const store = await openStore(url)
      expect(store.constructor.name).toBe('RedisSessionStore')
      await store.close()
    }
  })

  it('refuses an invalid Redis URL without repeating it', async () => {
    for (const url of ['redis:canary', 'redis://u:canary@', 'redis-cluster://u:canary@', 'rediss:canary']) {
      const error: unknown = await openStore(url).catch((reason: unknown) => reason)
      expect(error).toMatchObject({ code: 'INVALID_ARGUMENT' })
      expect(String(error)).not.toContain('canary')
    }
  })
})

/** One sentence on one line. */
const sentence = /^[^\n\r]*[^.\s]\n$/

describe('a URL with parts that the store does not support', () => {
  it.each([
    ['memory:foo', /takes nothing after the colon/],
    ['memory://', /takes nothing after the colon/],
    ['memory:?x=1', /takes nothing after the colon/],
    ['sqlite:./a.db?mode=ro', /takes no options.*%3F/],
    ['sqlite:///tmp/a.db?mode=ro', /takes no options.*%3F/],
    ['sqlite:./a.db#x', /takes no options.*%23/],
    ['sqlite::memory:?cache=shared', /takes no options/],
    ['sqlite:~/a.db?mode=ro', /takes no options/],
    ['file:./dir?x=1', /takes no options.*%3F/],
    ['file:///tmp/dir?x=1', /takes no options/],
    ['file:///tmp/dir#x', /takes no options/],
    ['file://elsewhere/dir', /absolute path on this machine/],
    ['redis://127.0.0.1:1?db=3', /question mark/],
    ['redis://127.0.0.1:1/x', /number of a database/],
    ['rediss://127.0.0.1:1/0?tls=no', /question mark/],
    ['redis-cluster://a:1,b:2/3', /only database 0/],
  ])('is refused in one sentence, by the library and by the command: %s', async (url, message) => {
    await expect(openStore(url)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    await expect(openStore(url)).rejects.toThrow(message)
    const { code, stdout, stderr } = await turnstore(['ls'], { url })
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(sentence)
    expect(stderr).toMatch(message)
  })

  it('can be written with a percent-encoded absolute path', async () => {
    const path = join(temporaryFolder(), 'what? #1.db')
    const { pathname } = pathToFileURL(path)
    expect(await importText('{"id":"a","messages":[]}', { url: `sqlite://${pathname}` })).toMatchObject({ code: 0 })
    expect(existsSync(path)).toBe(true)
  })

  it('is refused, as are misspelt options', async () => {
    for (const options of [{ mustexist: true }, { mustExist: 'yes' }, null]) {
      const opening: unknown = Reflect.apply(openStore, undefined, ['memory:', options])
      await expect(opening).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    }
    await expect(Reflect.apply(openStore, undefined, [undefined])).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  })
})

describe('a Redis database that the server does not provide', () => {
  let server: Server
  beforeAll(async () => {
    server = await startServer()
    await server.admin.call('ACL', 'SETUSER', 'noselect', 'on', '>canary', '~*', '&*', '+@all', '-select')
  })
  afterAll(() => server.stop())

  it.each([
    ['', '/99', 1, 'STORE_UNAVAILABLE', /no database 99 on this server, which has databases 0 to 15/],
    ['noselect:canary@', '/7', 1, 'STORE_UNAVAILABLE', /may not use database 7 \(NOPERM\)/],
    ['noselect:canary-2@', '/7', 1, 'STORE_UNAVAILABLE', /WRONGPASS/],
    ['', '/-1', 2, 'INVALID_ARGUMENT', /number of a database/],
    ['', '/abc', 2, 'INVALID_ARGUMENT', /number of a database/],
    ['', '/1.5', 2, 'INVALID_ARGUMENT', /number of a database/],
    ['', '?db=3', 2, 'INVALID_ARGUMENT', /question mark/],
    ['', '#x', 2, 'INVALID_ARGUMENT', /number sign/],
  ] as const)('import fails and writes to no other database: %s…%s', async (userinfo, end, exitCode, code, message) => {
    const url = `redis://${userinfo}127.0.0.1:${server.port}${end}`
    const file = join(temporaryFolder(), 'one.jsonl')
    writeFileSync(file, '{"id":"a","messages":[{"role":"user","content":"hello"}]}\n')
    const finished = await turnstore(['import', file, '--to', url])
    expect(finished).toMatchObject({ code: exitCode, stdout: '' })
    expect(finished.stderr).toMatch(message)
    expect(finished.stderr).not.toContain('canary')
    const saving = openStore(url).then(async store => {
      await using opened = store
      await opened.saveSession({ sessionId: 'a' })
    })
    await expect(saving).rejects.toMatchObject({ code })
    await expect(saving).rejects.toThrow(message)
    expect(await server.admin.info('keyspace')).not.toMatch(/^db/m)
  })

  it('is used if the server provides it', async () => {
    const url = `redis://127.0.0.1:${server.port}/7`
    expect(await importText('{"id":"a","messages":[]}', { url })).toMatchObject({ code: 0 })
    expect(await server.admin.info('keyspace')).toMatch(/^db7:[^\n]*\s*$/m)
    expect(await server.admin.dbsize()).toBe(0)
  })
})

describe('a folder that does not exist', () => {
  it.each([
    [['ls']],
    [['show', 'a']],
    [['export']],
    [['export', 'a']],
    [['copy', '--to', 'memory:']],
    [['rm', 'a']],
    [['rm', '--workspace', 'w']],
    [['prune', '--ended']],
  ])('is reported, not created, by commands that read or delete: %j', async args => {
    const path = join(temporaryFolder(), 'typo')
    expect(await turnstore(args, { url: `file:${path}` })).toEqual({
      code: 2,
      stdout: '',
      stderr: `The folder ${JSON.stringify(path)} does not exist\n`,
    })
    expect(existsSync(path)).toBe(false)
  })

  it('is created by import and by copy, and by copy only if the source exists', async () => {
    const folder = temporaryFolder()
    const [source, target] = [join(folder, 'source'), join(folder, 'target')]
    expect(await turnstore(['copy', '--from', `file:${source}`, '--to', `file:${target}`])).toMatchObject({ code: 2 })
    expect(readdirSync(folder)).toEqual([])
    expect(await importText('{"id":"a","messages":[]}', { url: `file:${source}` })).toMatchObject({ code: 0 })
    expect(await turnstore(['copy', '--from', `file:${source}`, '--to', `file:${target}`])).toMatchObject({ code: 0 })
    expect(readdirSync(folder).toSorted()).toEqual(['source', 'target'])
  })

  it('is not assumed for a path that cannot be inspected', async () => {
    const path = join(temporaryFolder(), 'loop')
    symlinkSync(path, path)
    for (const scheme of ['file', 'sqlite']) {
      const { code, stdout, stderr } = await turnstore(['ls'], { url: `${scheme}:${path}` })
      expect([scheme, code, stdout]).toEqual([scheme, 1, ''])
      expect(stderr).not.toContain('does not exist')
    }
  })
})
