import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { SqliteSessionStore } from '@turnstore/sqlite'
import { describe, expect, it } from 'vitest'
import { containing } from '../../../../scripts/testing/matchers.ts'
import { append, at, failureOf, turnIdsOf } from '../../../../scripts/testing/sessions.ts'
import { Folder } from '../folder.ts'
import { Meddling } from '../meddling.ts'

const folder = new Folder()
const copy = (): string => folder.path('copy.db')

/** Replaces the database by a copy in WAL mode. */
function replaceByCopy(path: string): void {
  copyFileSync(path, copy())
  renameSync(copy(), path)
}

const ways: [name: string, displace: (path: string) => void][] = [
  ['is removed', path => unlinkSync(path)],
  ['is moved away', path => renameSync(path, `${path}.old`)],
  ['is replaced by a copy', replaceByCopy],
  ['loses its WAL', path => unlinkSync(`${path}-wal`)],
  ['loses its -shm', path => unlinkSync(`${path}-shm`)],
  ['gets the WAL of another', path => (copyFileSync(`${path}-wal`, copy()), renameSync(copy(), `${path}-wal`))],
  [
    'is moved with its folder',
    path => (renameSync(join(path, '..'), folder.path('moved')), mkdirSync(join(path, '..'))),
  ],
]

const calls = (store: SqliteSessionStore): [call: () => Promise<unknown>, outcome: string | undefined][] => [
  [() => store.changeSession('s', append('late')), 'not-stored'],
  [() => store.saveSession({ sessionId: 'new' }), 'not-stored'],
  [() => store.deleteSession('s'), 'not-stored'],
  [() => store.loadSession('s'), undefined],
  [() => store.readTurns('s', { last: 1 }), undefined],
  [() => store.querySessions(), undefined],
  [() => store.backup(folder.path('backup.db')), undefined],
  [() => store.checkIntegrity(), undefined],
]

async function expectDisplaced(store: SqliteSessionStore): Promise<void> {
  for (const [call, outcome] of calls(store)) {
    const error = await failureOf(call())
    expect([String(call), error]).toMatchObject([
      String(call),
      { code: 'STORE_UNAVAILABLE', message: containing('open a new') },
    ])
    expect([String(call), error.outcome]).toEqual([String(call), outcome])
  }
}

describe.each(['power-loss', 'process-crash'] as const)('a store that acknowledges with %s', durability => {
  it.each(ways)('acknowledges nothing and reads nothing once its database %s', async (_name, displace) => {
    mkdirSync(folder.path('data'))
    const path = folder.path('data', 'sessions.db')
    const store = folder.open({ durability }, path)
    await store.saveSession({ sessionId: 's', createdAt: at })
    await store.changeSession('s', append('a'))
    displace(path)
    await expectDisplaced(store)
    expect(existsSync(folder.path('backup.db'))).toBe(false)
  })
})

it.each(ways)(
  'a read notices within a tenth of a second, and a write at once, that its database %s',
  async (_name, displace) => {
    for (const write of [false, true]) {
      const data = folder.path(`data-${String(write)}`)
      mkdirSync(data)
      const path = join(data, 'sessions.db')
      const store = folder.open({ durability: 'process-crash' }, path)
      await store.saveSession({ sessionId: 's', createdAt: at })
      await store.loadSession('s')
      displace(path)
      if (!write) await sleep(150)
      expect((await failureOf(write ? store.changeSession('s', append('late')) : store.loadSession('s'))).code).toBe(
        'STORE_UNAVAILABLE',
      )
      rmSync(folder.path('moved'), { recursive: true, force: true })
    }
  },
)

it('a database is checked in a folder that has not changed for a while as well', async () => {
  const stores = ways.map(([, displace], index) => {
    mkdirSync(folder.path(`data${index}`, 'in'), { recursive: true })
    const path = folder.path(`data${index}`, 'in', 'sessions.db')
    return { path, displace, store: folder.open({ durability: 'process-crash' }, path) }
  })
  for (const { store } of stores) await store.saveSession({ sessionId: 's', createdAt: at })
  // A recent time of change does not show further changes.
  await sleep(3500)
  for (const { path, displace, store } of stores) {
    for (const id of ['a', 'b']) await store.changeSession('s', append(id))
    await store.loadSession('s')
    displace(path)
    await expectDisplaced(store)
    rmSync(folder.path('moved'), { recursive: true, force: true })
  }
}, 20_000)

it.each(ways)('a store on a shared handle acknowledges nothing once its database %s', async (_name, displace) => {
  mkdirSync(folder.path('data'))
  const path = folder.path('data', 'sessions.db')
  const handle = folder.shared(path)
  handle.pragma('journal_mode = WAL')
  const store = folder.open({}, handle)
  await store.saveSession({ sessionId: 's', createdAt: at })
  displace(path)
  await expectDisplaced(store)
  expect(handle.open).toBe(true)
})

it.each(['delete', 'truncate', 'persist'])(
  'a store on a shared handle with journal_mode %s acknowledges nothing once its database is moved',
  async mode => {
    const handle = folder.shared()
    handle.pragma(`journal_mode = ${mode}`)
    const store = folder.open({}, handle)
    await store.saveSession({ sessionId: 's', createdAt: at })
    renameSync(folder.database, copy())
    await expectDisplaced(store)
  },
)

it('a shared handle is refused if its database was moved before the store was created', async () => {
  const handle = folder.shared()
  handle.pragma('journal_mode = WAL')
  renameSync(folder.database, copy())
  await expectDisplaced(folder.open({}, handle))
  await folder.once(store => store.saveSession({ sessionId: 'other' }))
  await expectDisplaced(folder.open({}, handle))
})

it('a store on a shared handle acknowledges nothing once its owner has left WAL mode', async () => {
  const handle = folder.shared()
  handle.pragma('journal_mode = WAL')
  const store = folder.open({}, handle)
  await store.saveSession({ sessionId: 's', createdAt: at })
  expect(handle.pragma('journal_mode = DELETE', { simple: true })).toBe('delete')
  await expectDisplaced(store)
  expect(turnIdsOf(await folder.open({}, handle).loadSession('s'))).toEqual([])
})

it('a new store works at the path, next to stores on the displaced database', async () => {
  const first = folder.open()
  await first.saveSession({ sessionId: 's', createdAt: at })
  await first.changeSession('s', append('a'))
  const others = [folder.open(), folder.open({}, folder.shared())]
  for (const other of others) await other.loadSession('s')
  renameSync(folder.database, copy())
  expect((await failureOf(first.changeSession('s', append('b')))).outcome).toBe('not-stored')
  const second = folder.open()
  await second.saveSession({ sessionId: 's', createdAt: at })
  await second.changeSession('s', append('c'))
  for (const other of others) await expectDisplaced(other)
  await second.changeSession('s', append('d'))
  for (const store of [first, ...others]) await store.close()
  expect(turnIdsOf(await folder.open().loadSession('s'))).toEqual(['c', 'd'])
  expect(await folder.open().checkIntegrity()).toEqual({ ok: true, problems: [] })
})

it('the WAL of a database that was moved away is kept when a new database is created at its path', async () => {
  const store = folder.open()
  await store.saveSession({ sessionId: 's', createdAt: at, turns: [{ turnId: 'a' }] })
  renameSync(folder.database, copy())
  await expectDisplaced(store)
  await folder.once(second => second.saveSession({ sessionId: 'new', createdAt: at }))
  const wal = readdirSync(folder.base).find(name => name.startsWith('sessions.db-wal.left-'))
  renameSync(folder.path(wal ?? ''), `${copy()}-wal`)
  expect(turnIdsOf(await folder.open({}, copy()).loadSession('s'))).toEqual(['a'])
  expect(await folder.open().listSessions()).toEqual(['new'])
})

it('a backup that replaces a database is not read with the WAL of that database, which is kept', async () => {
  const store = folder.open()
  await store.saveSession({ sessionId: 's', createdAt: at })
  await store.backup(copy())
  await store.changeSession('s', append('a'))
  linkSync(folder.database, folder.path('old.db'))
  renameSync(copy(), folder.database)
  const next = folder.open({ timeoutMs: 50 })
  await next.changeSession('s', append('b'))
  await expectDisplaced(store)
  expect(turnIdsOf(await folder.open().loadSession('s'))).toEqual(['b'])
  expect(await folder.open().checkIntegrity()).toEqual({ ok: true, problems: [] })
  const wal = readdirSync(folder.base).find(name => name.startsWith('sessions.db-wal.left-'))
  renameSync(folder.path(wal ?? ''), folder.path('old.db-wal'))
  expect(turnIdsOf(await folder.open({}, folder.path('old.db')).loadSession('s'))).toEqual(['a'])
})

it('whoever replaces a database by a backup has until the deadline to remove its WAL', async () => {
  const store = folder.open()
  await store.saveSession({ sessionId: 's', createdAt: at })
  await store.backup(copy())
  await store.changeSession('s', append('a'))
  renameSync(copy(), folder.database)
  const changing = folder.open({ timeoutMs: 5000 }).changeSession('s', append('b'))
  await sleep(100)
  for (const end of ['-wal', '-shm']) rmSync(folder.database + end)
  await changing
  expect(turnIdsOf(await folder.open().loadSession('s'))).toEqual(['b'])
  expect(readdirSync(folder.base).filter(name => name.includes('.left-'))).toEqual([])
})

it.each([
  ['an empty database', ''],
  ['a backup', null],
])('files that processes of another database made beside %s are set aside', async (_name, content) => {
  await folder.once(store => store.saveSession({ sessionId: 's', createdAt: at }))
  if (content === null) await folder.once(store => store.backup(copy()))
  else writeFileSync(copy(), content)
  renameSync(copy(), folder.database)
  for (const end of ['-wal', '-shm']) writeFileSync(folder.database + end, 'of another')
  await folder.open({ timeoutMs: 50 }).saveSession({ sessionId: 'new', createdAt: at })
  const kept = readdirSync(folder.base).filter(name => name.includes('.left-'))
  expect(kept.map(name => readFileSync(folder.path(name), 'utf8'))).toEqual(['of another', 'of another'])
})

it('the -wal of a file that is not a SQLite database is left alone', async () => {
  for (const end of ['', '-wal']) writeFileSync(folder.database + end, 'encrypted by another program'.repeat(200))
  const failure = await failureOf(folder.open({ timeoutMs: 50 }).listSessions())
  expect(failure).toMatchObject({ code: 'STORE_UNAVAILABLE', message: containing('not a SQLite database') })
  expect(readdirSync(folder.base).filter(name => name.includes('.left-'))).toEqual([])
})

it.each([
  ['backup', (store: SqliteSessionStore) => store.backup(folder.path('backup.db'))],
  ['checkIntegrity', (store: SqliteSessionStore) => store.checkIntegrity()],
])('%s of a database that was replaced fails, and does not use the other one', async (_name, call) => {
  const store = folder.open()
  await store.saveSession({ sessionId: 's', createdAt: at })
  replaceByCopy(folder.database)
  expect(await failureOf(call(store))).toMatchObject({ code: 'STORE_UNAVAILABLE', message: containing('open a new') })
  expect(existsSync(folder.path('backup.db'))).toBe(false)
})

it('a link that was changed to another database is noticed, also one above the folder', async () => {
  for (const name of ['a', 'b']) {
    mkdirSync(folder.path(name))
    await folder.once(store => store.saveSession({ sessionId: name }), folder.path(name, 'sessions.db'))
  }
  for (const [link, target] of [
    ['link.db', 'sessions.db'],
    ['link', ''],
  ] as const) {
    const through = target === '' ? folder.path(link, 'sessions.db') : folder.path(link)
    symlinkSync(folder.path('a', target), folder.path(link))
    const store = folder.open({}, through)
    await store.changeSession('a', append(link))
    unlinkSync(folder.path(link))
    symlinkSync(folder.path('b', target), folder.path(link))
    await expectDisplaced(store)
  }
})

it('a relative path does not depend on later changes of the working directory', async () => {
  const child = folder.run(
    `process.chdir(${JSON.stringify(folder.base)})
    const relative = new SqliteSessionStore('sessions.db')
    await relative.saveSession({ sessionId: 's', createdAt: at })
    process.chdir('/')
    await relative.changeSession('s', append('a'))
    await relative.close()
    say('done')`,
    { path: folder.path('unused.db') },
  )
  expect([await child.rest(), child.errors]).toEqual([['done'], ''])
  expect(turnIdsOf(await folder.open().loadSession('s'))).toEqual(['a'])
})

it.each([
  ['COMMIT', 'unknown'],
  ['INSERT INTO turnstore_turns', 'not-stored'],
] as const)(
  'a move of the database right before a %s is noticed before the write is acknowledged',
  async (statement, outcome) => {
    const handle = folder.shared()
    handle.pragma('journal_mode = WAL')
    const meddling = new Meddling(handle)
    const store = new SqliteSessionStore(meddling)
    await store.saveSession({ sessionId: 's', createdAt: at })
    let isMoved = false
    meddling.before = sql => {
      if (isMoved || !sql.includes(statement)) return
      isMoved = true
      renameSync(folder.database, copy())
    }
    const together = [store.changeSession('s', append('a')), store.changeSession('s', append('b'))]
    const failures = await Promise.all(together.map(failureOf))
    expect(failures.map(failure => [failure.code, failure.outcome])).toEqual([
      ['STORE_UNAVAILABLE', outcome],
      ['STORE_UNAVAILABLE', outcome],
    ])
    await expectDisplaced(store)
    await store.close()
  },
)
