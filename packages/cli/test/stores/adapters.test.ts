import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { InMemorySessionStore } from '@turnstore/memory'
import { type AdapterOptions, openStore } from 'turnstore'
import { describe, expect, it } from 'vitest'
import { Child } from '../../../../scripts/testing/child.ts'
import { lines, temporaryFolder, turnstore } from '../turnstore.ts'

const sqlite = pathToFileURL(fileURLToPath(new URL('../../../sqlite/dist/index.js', import.meta.url))).href

describe('openStore with adapters', () => {
  it('opens a store by its scheme, with the rest of the URL and the options', async () => {
    const calls: [string, AdapterOptions][] = []
    const adapters = {
      bucket: (rest: string, options: AdapterOptions) => {
        calls.push([rest, options])
        return new InMemorySessionStore()
      },
    }
    const limits = { turnBytes: 1000 }
    await using store = await openStore('BUCKET:eu-west/a?b#c', { adapters, limits, timeoutMs: 500 })
    expect(store).toBeInstanceOf(InMemorySessionStore)
    await using other = await openStore('bucket:', { adapters, mustExist: true })
    expect(await other.listSessions()).toEqual([])
    expect(calls).toEqual([
      ['eu-west/a?b#c', { mustExist: false, limits, timeoutMs: 500 }],
      ['', { mustExist: true }],
    ])
  })

  it('prefers them to the built-in ones, and leaves the others as they are', async () => {
    const own = new InMemorySessionStore()
    const adapters = { sqlite: async () => own }
    expect(await openStore('sqlite:./a.db', { adapters })).toBe(own)
    await using memory = await openStore('memory:', { adapters })
    expect(await memory.listSessions()).toEqual([])
    await expect(openStore('toString:x', { adapters })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  })

  it('refuses a map that is none, and what is no store', async () => {
    for (const adapters of [null, 'x', { bucket: 1 }, { 'a b': () => null }, { UP: () => null }]) {
      const opening: unknown = Reflect.apply(openStore, undefined, ['memory:', { adapters }])
      await expect(opening).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    }
    for (const store of [null, {}, 'x', { loadSession: () => null }]) {
      const opening: unknown = Reflect.apply(openStore, undefined, ['bucket:', { adapters: { bucket: () => store } }])
      await expect(opening).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    }
  })

  it('hides the message of an error of theirs, which may quote the URL', async () => {
    const adapters = {
      bucket: (rest: string) => {
        throw Object.assign(new RangeError(`bad ${rest}`), { code: 'E_BUCKET' })
      },
    }
    const opening = openStore('bucket:user:canary@host', { adapters })
    await expect(opening).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      message: 'The adapter for bucket: URLs failed (RangeError E_BUCKET)',
    })
  })

  it('passes limits and timeoutMs on to the built-in ones, which check them', async () => {
    for (const url of ['memory:', `file:${join(temporaryFolder(), 'a')}`, 'sqlite::memory:', 'redis://127.0.0.1:1']) {
      await expect(openStore(url, { limits: { turnBytes: 0 } })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
      await expect(openStore(url, { timeoutMs: 0 })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    }
    await using store = await openStore('memory:', { limits: { metadataBytes: 10 } })
    const saving = store.saveSession({ sessionId: 'a', metadata: { key: 'more than ten bytes' } })
    await expect(saving).rejects.toMatchObject({ code: 'INVALID_RECORD' })
  })
})

describe('--adapter', () => {
  const source = (exported: string): string =>
    `import { SqliteSessionStore } from ${JSON.stringify(sqlite)}
    const adapters = { bucket: (rest, { mustExist, ...options }) => new SqliteSessionStore(rest, options) }
    ${exported}\n`

  it.each([
    ['its default export', 'export default adapters'],
    ['its export adapters', 'export { adapters }'],
  ])('takes the adapters of a module: %s', async (_name, exported) => {
    const folder = temporaryFolder()
    const module = join(folder, 'my-store.mjs')
    writeFileSync(module, source(exported))
    const url = `bucket:${join(folder, 'a.db')}`
    const input = lines({ id: 'a', messages: [] })
    expect(await turnstore(['import', '-', '--to', url, '--adapter', module], { input })).toMatchObject({ code: 0 })
    expect(await turnstore(['--adapter', module, 'ls', '--count'], { url })).toMatchObject({ code: 0, stdout: '1\n' })
    expect(await turnstore(['check', '--adapter', module], { url })).toMatchObject({
      code: 0,
      stdout: '1 session checked: no damage\n',
    })
  })

  it('finds a package from the working directory, and a relative path', async () => {
    const folder = temporaryFolder()
    const home = join(folder, 'node_modules', 'my-store')
    mkdirSync(home, { recursive: true })
    writeFileSync(join(home, 'package.json'), '{"name":"my-store","type":"module","exports":"./index.js"}')
    writeFileSync(join(home, 'index.js'), source('export default adapters'))
    const bin = fileURLToPath(new URL('../../dist/bin.js', import.meta.url))
    for (const module of ['my-store', './node_modules/my-store/index.js']) {
      const child = Child.run(
        `process.argv.push(...${JSON.stringify(['ls', '--count', '--store', 'bucket:a.db', '--adapter', module])})
        process.argv.splice(1, 0, 'turnstore')
        await import(${JSON.stringify(pathToFileURL(bin).href)})`,
        { cwd: folder },
      )
      expect([await child.rest(), child.errors]).toEqual([['0'], ''])
    }
  })

  it('a module that does not exist, fails or has no adapters is reported in one sentence', async () => {
    const folder = temporaryFolder()
    const write = (name: string, text: string): string => {
      writeFileSync(join(folder, name), text)
      return join(folder, name)
    }
    for (const module of [
      './no-such-file.mjs',
      'no-such-package',
      write('fails.mjs', 'throw new Error("canary")'),
      write('syntax.mjs', 'export canary'),
      write('none.mjs', 'export const other = 1'),
    ]) {
      const { code, stdout, stderr } = await turnstore(['ls', '--adapter', module], { url: 'bucket:x' })
      expect([module, code, stdout]).toEqual([module, 2, ''])
      expect(stderr).toMatch(/^[^\n]+\n$/)
      expect(stderr).not.toContain('canary')
    }
  })
})
