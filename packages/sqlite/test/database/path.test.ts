import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import type { SqliteSessionStore } from '@turnstore/sqlite'
import { describe, expect, it } from 'vitest'
import { isRoot, mayMount } from '../../../../scripts/testing/machine.ts'
import { withSmallDisk } from '../../../../scripts/testing/disks.ts'
import { containing, matching } from '../../../../scripts/testing/matchers.ts'
import { append, at, failureOf, turnIdsOf } from '../../../../scripts/testing/sessions.ts'
import { Folder } from '../folder.ts'

const folder = new Folder()
const canary = 'canary-5150'

describe('a path', () => {
  const calls = (store: SqliteSessionStore): (() => Promise<unknown>)[] => [
    () => store.loadSession('s'),
    () => store.querySessions(),
    () => store.saveSession({ sessionId: 's' }),
    () => store.checkIntegrity(),
  ]

  async function expectRefused(path: string, message: RegExp): Promise<void> {
    for (const call of calls(folder.open({}, path))) {
      const error = await failureOf(call())
      expect([path, error.code]).toEqual([path, 'STORE_UNAVAILABLE'])
      expect(error.message).toMatch(message)
    }
    expect(await failureOf(folder.open({}, path).saveSession({ sessionId: 's' }))).toMatchObject({
      outcome: 'not-stored',
    })
  }

  it('of a file that is not a database is refused, and the file is left alone', async () => {
    const files: [string, Buffer][] = [
      ['a text', Buffer.from(`Dear diary, ${canary}\n`.repeat(500))],
      ['a short text', Buffer.from(`Dear diary, ${canary}`)],
      ['noise', Buffer.from(Array.from({ length: 9000 }, (_, i) => (i * 7919) % 251))],
      ['NULs', Buffer.alloc(9000)],
    ]
    for (const [name, content] of files) {
      writeFileSync(folder.path(name), content)
      await expectRefused(folder.path(name), /it is not a SQLite database, or an encrypted one/)
      expect(readFileSync(folder.path(name)).equals(content)).toBe(true)
    }
    expect(readdirSync(folder.base).toSorted()).toEqual(files.map(([name]) => name).toSorted())
  })

  it('of a file without content is a new database', async () => {
    writeFileSync(folder.database, '')
    const store = folder.open()
    expect(await store.listSessions()).toEqual([])
    expect(await store.saveSession({ sessionId: 's' })).toBe(1)
  })

  it('of a folder, or in a missing one, is refused with what to do, and nothing is created', async () => {
    mkdirSync(folder.path('folder'))
    await expectRefused(folder.path('folder'), /folder" is not a file/)
    await expectRefused(folder.path('none', 'sessions.db'), /There is no folder ".*none"; create it first/)
    writeFileSync(folder.path('file'), '')
    await expectRefused(folder.path('file', 'sessions.db'), /folder|cannot be opened/)
    expect(readdirSync(folder.base).toSorted()).toEqual(['file', 'folder'])
  })

  it('of a FIFO or a device is refused without waiting for it', async () => {
    execFileSync('mkfifo', [folder.path('fifo')])
    await expectRefused(folder.path('fifo'), /fifo" is not a file/)
    await expectRefused('/dev/null', /"\/dev\/null" is not a file/)
  })

  it.skipIf(!isRoot)('of a read-only FIFO is refused too (needs root, to become another user)', async () => {
    execFileSync('mkfifo', ['-m', '444', folder.path('fifo')])
    chmodSync(folder.base, 0o755)
    const theirs = { path: folder.path('fifo'), uid: 65_534 }
    const child = folder.run(`say(await store.loadSession('s').catch(codeOf))`, theirs)
    expect([await child.rest(), child.errors]).toEqual([['STORE_UNAVAILABLE '], ''])
  })

  it('of a link leads to its file, and a dangling link creates it', async () => {
    mkdirSync(folder.path('elsewhere'))
    symlinkSync(folder.path('elsewhere', 'real.db'), folder.path('link.db'))
    await folder.once(store => store.saveSession({ sessionId: 's', createdAt: at }), folder.path('link.db'))
    expect(readdirSync(folder.path('elsewhere'))).toEqual(['real.db'])
    expect(statSync(folder.path('elsewhere', 'real.db')).mode & 0o777).toBe(0o600)
    await folder.once(store => store.changeSession('s', append('a')), folder.path('elsewhere', 'real.db'))
    expect(turnIdsOf(await folder.open({}, folder.path('link.db')).loadSession('s'))).toEqual(['a'])
  })

  it.each([
    'file:x.db',
    'FILE:x.db?mode=ro',
    'file:///tmp/x.db',
    'sqlite:x.db',
    'sqlite://x.db',
    'https://example.org/x.db',
    'x.db?mode=memory',
    './x.db?cache=shared&mode=ro',
    'data/x.db?immutable=1',
    ':memory:?cache=shared',
    ':MEMORY:',
    '::memory::',
  ])('that looks like a URI is refused, and nothing is created: %s', async path => {
    const refused = { code: 'INVALID_ARGUMENT', message: containing('path of a file') }
    expect(() => folder.open({}, path)).toThrow(expect.objectContaining(refused))
    expect(await failureOf(folder.open().backup(path))).toMatchObject(refused)
    expect(existsSync(path)).toBe(false)
  })

  it.each(['x?.db', 'what?mode', './a=b?c=d.db', 'profile:x.db', 'C:x.db'])(
    'that is relative may contain such characters: %s',
    path => {
      expect(folder.open({}, path)).toBeDefined()
    },
  )

  it.each(['', '\0', 'a\0b', 'blank ', 'line\n', 'tab\t'])('that the driver would change is refused: %j', path => {
    expect(() => folder.open({}, path)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
  })

  it.each([' leading', 'file:x?mode=memory', 'ü 😀', '%41', "quote'd", 'a;b', '-x', 'x?cache=shared', '#'])(
    'is the name of a file and nothing else: %s',
    async name => {
      const path = folder.path(name)
      await folder.once(store => store.saveSession({ sessionId: 's' }), path)
      expect(readdirSync(folder.base)).toEqual([name])
      expect(await folder.once(store => store.listSessions(), path)).toEqual(['s'])
    },
  )
})

describe.skipIf(!mayMount)(
  `what may not be written${mayMount ? '' : ' (needs root, to mount a disk of its own)'}`,
  () => {
    const path = (): string => folder.path('disk', 'sessions.db')
    const readOnly = { code: 'STORE_UNAVAILABLE', outcome: 'not-stored', message: matching(/read-only|permissions/) }

    it('a read-only disk: writes fail, and the file is left alone', async () => {
      await withSmallDisk(folder.path('disk'), 2048, async () => {
        await folder.once(store => store.saveSession({ sessionId: 's', createdAt: at }), path())
        const before = readFileSync(path())
        execFileSync('mount', ['-o', 'remount,ro', folder.path('disk')])
        const store = folder.open({}, path())
        // Even for a read, SQLite needs a file beside a database in WAL mode.
        expect(await failureOf(store.loadSession('s'))).toMatchObject({
          code: 'STORE_UNAVAILABLE',
          message: readOnly.message,
        })
        expect(await failureOf(store.changeSession('s', append('a')))).toMatchObject(readOnly)
        expect(await failureOf(store.deleteSession('s'))).toMatchObject(readOnly)
        expect(
          await failureOf(folder.open({}, folder.path('disk', 'new.db')).saveSession({ sessionId: 's' })),
        ).toMatchObject(readOnly)
        expect(readFileSync(path()).equals(before)).toBe(true)
        expect(readdirSync(folder.path('disk'))).toEqual(['sessions.db'])
        execFileSync('mount', ['-o', 'remount,rw', folder.path('disk')])
        expect((await store.changeSession('s', append('a'))).turnCount).toBe(1)
      })
    })

    it.each([
      ['a file of mode 400', 'chmod', ['400', 'sessions.db']],
      ['a folder of mode 500', 'chmod', ['500', '.']],
      ['a file of mode 000', 'chmod', ['000', 'sessions.db']],
      ['a file of another user', 'chown', ['root', 'sessions.db']],
    ])(
      '%s, for a user other than root: a read works or fails, and a write is refused',
      async (_name, program, args) => {
        const base = folder.path('theirs')
        mkdirSync(base)
        const path = `${base}/sessions.db`
        await folder.once(store => store.saveSession({ sessionId: 's', createdAt: at }), path)
        execFileSync('chmod', ['755', folder.base])
        execFileSync('chown', ['-R', '65534:65534', base])
        execFileSync(program, args, { cwd: base })
        const before = readFileSync(path)
        const child = folder.run(
          `say(await store.loadSession('s').then(session => session.sessionId, codeOf))
      say(await store.querySessions().then(page => page.sessions.length, codeOf))
      say(await store.changeSession('s', append('a')).then(() => 'stored', codeOf))
      say(await store.saveSession({ sessionId: 'new' }).then(() => 'stored', codeOf))
      await store.close()`,
          { path, uid: 65_534 },
        )
        const [loaded, listed, ...written] = await child.rest()
        expect(child.errors).toBe('')
        expect(['s', 'STORE_UNAVAILABLE ']).toContain(loaded)
        expect(listed).toBe(loaded === 's' ? '1' : loaded)
        expect(written).toEqual(['STORE_UNAVAILABLE not-stored', 'STORE_UNAVAILABLE not-stored'])
        expect(readFileSync(path).equals(before)).toBe(true)
        expect(await folder.once(store => store.listSessions(), path)).toEqual(['s'])
      },
    )
  },
)
