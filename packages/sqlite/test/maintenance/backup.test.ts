import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { momentsOf, thoroughness } from '../../../../scripts/testing/machine.ts'
import { containing, matching } from '../../../../scripts/testing/matchers.ts'
import { append, at, failureOf, outcomesOf, turnIdsOf } from '../../../../scripts/testing/sessions.ts'
import { Folder } from '../folder.ts'

const folder = new Folder()
const sound = { ok: true, problems: [] }
const copy = (): string => folder.path('copy.db')

/** The files in the folder, except the database and the files beside it. */
const others = (): string[] =>
  readdirSync(folder.base)
    .filter(name => !name.startsWith('sessions.db'))
    .toSorted()

it('a backup while four processes write completes, and has all that was acknowledged before it, in order', async () => {
  const store = folder.open()
  const names = ['a', 'b', 'c', 'd']
  for (const name of names) await store.saveSession({ sessionId: name, createdAt: at })
  const writers = names.map(name =>
    folder.run(`say('ready'); for (let i = 0; ; i++) {
      const turn = { turnId: 't' + i, prompt: 'x'.repeat(2000) }
      await store.changeSession('${name}', { appendTurns: [turn], updatedAt: at })
      say(String(i))
    }`),
  )
  const acknowledged = names.map(() => -1)
  const listening = writers.map(async (child, index) => {
    for (let line = await child.line(); line !== null; line = await child.line())
      if (line !== 'ready') acknowledged[index] = Number(line)
  })
  while (Math.min(...acknowledged) < 30) {
    expect(writers.map(child => child.errors)).toEqual(['', '', '', ''])
    await sleep(5)
  }
  const before = [...acknowledged]
  await store.backup(copy())
  const during = acknowledged.map((count, index) => count - (before[index] ?? 0))
  for (const child of writers) await child.kill()
  await Promise.all(listening)
  expect(Math.min(...during)).toBeGreaterThanOrEqual(0)
  expect(Math.max(...during)).toBeGreaterThan(0)

  expect(statSync(copy()).mode & 0o777).toBe(0o600)
  expect(others()).toEqual(['copy.db'])
  const copied = folder.open({}, copy())
  for (const [index, name] of names.entries()) {
    const turns = turnIdsOf(await copied.loadSession(name)) ?? []
    expect(turns).toEqual(turns.map((_, i) => `t${i}`))
    expect(turns.length).toBeGreaterThan(before[index] ?? 0)
    expect(turnIdsOf(await store.loadSession(name))?.slice(0, turns.length)).toEqual(turns)
  }
  expect(await copied.checkIntegrity()).toEqual(sound)
  await copied.changeSession('a', append('next'))
})

it('a backup has no file of its name until it is complete, whenever the process is killed', async () => {
  const store = folder.open()
  const turns = Array.from({ length: 1500 }, (_, i) => ({ turnId: `t${i}`, prompt: 'x'.repeat(5000) }))
  await store.saveSession({ sessionId: 's', createdAt: at, turns })
  const moments = momentsOf(5)
  let incomplete = 0
  for (let round = 0; round < 4 * thoroughness || incomplete === 0; round++) {
    const path = folder.path(`copy ${round}.db`)
    const child = folder.run(
      `await store.loadSummary('s'); say('begins')
      await store.backup(${JSON.stringify(path)}); say('done'); await sleep(60_000)`,
    )
    expect(await child.line()).toBe('begins')
    await sleep(moments.next().value * 120)
    await child.kill()
    const acknowledged = (await child.rest()).includes('done')
    const exists = existsSync(path)
    const turnCount = exists ? (await folder.once(copied => copied.loadSession('s'), path))?.turns.length : undefined
    expect([round, turnCount]).toEqual([round, exists ? 1500 : undefined])
    expect(exists || !acknowledged).toBe(true)
    if (!exists) incomplete++
  }
  expect(await store.checkIntegrity()).toEqual(sound)
})

it('a backup needs a new file, and fails if it cannot be created', async () => {
  const store = folder.open()
  await store.saveSession({ sessionId: 's', createdAt: at })
  writeFileSync(folder.path('file'), 'mine')
  writeFileSync(folder.path('empty'), '')
  mkdirSync(folder.path('folder'))
  symlinkSync('nothing', folder.path('dangling'))
  for (const name of ['file', 'empty', 'folder', 'dangling', 'sessions.db']) {
    const error = await failureOf(store.backup(folder.path(name)))
    expect([name, error.code]).toEqual([name, 'INVALID_ARGUMENT'])
    expect(error.message).toMatch(/There is already a file ".*"; a backup needs a new one/)
  }
  expect(await failureOf(store.backup(folder.path('none', 'copy.db')))).toMatchObject({
    code: 'STORE_UNAVAILABLE',
    message: matching(/was not written: (ENOENT|there is no folder)/i),
  })
  expect((await failureOf(store.backup(folder.path('file', 'copy.db')))).code).toBe('STORE_UNAVAILABLE')
  for (const path of ['', ':memory:', 'a\0b', `${copy()} `])
    expect((await failureOf(store.backup(path))).code).toBe('INVALID_ARGUMENT')
  const notText: unknown = Reflect.apply(Reflect.get(store, 'backup'), store, [7])
  await expect(notText).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  expect(readFileSync(folder.path('file'), 'utf8')).toBe('mine')
  expect(others()).toEqual(['dangling', 'empty', 'file', 'folder'])
})

it('only one of several backups to the same name succeeds', async () => {
  const store = folder.open()
  await store.saveSession({ sessionId: 's', createdAt: at })
  const outcomes = await outcomesOf(Array.from({ length: 4 }, () => store.backup(copy())))
  const refused = { code: 'INVALID_ARGUMENT' }
  expect(outcomes.filter(outcome => outcome !== undefined)).toMatchObject([refused, refused, refused])
  expect(await folder.once(copied => copied.listSessions(), copy())).toEqual(['s'])
  expect(others()).toEqual(['copy.db'])
})

it('close() waits for a running backup', async () => {
  const store = folder.open()
  await store.saveSession({ sessionId: 's', createdAt: at })
  const backup = store.backup(copy())
  let isDone = false
  void backup.then(() => (isDone = true))
  await store.close()
  expect(isDone).toBe(true)
  await backup
  expect((await failureOf(store.backup(folder.path('late.db')))).code).toBe('STORE_CLOSED')
  expect(others()).toEqual(['copy.db'])
})

it.each(['a path', 'a shared database', 'memory', 'shared memory'])(
  'a backup of %s is a separate database with everything in it',
  async source => {
    const [shared, memory] = [source.startsWith('shared') || source.startsWith('a shared'), source.endsWith('memory')]
    const path = memory ? ':memory:' : folder.database
    const store = folder.open({}, shared ? folder.shared(path) : path)
    await store.saveSession({
      sessionId: 's',
      createdAt: at,
      metadata: { k: 1 },
      turns: [{ turnId: 't' }],
      agentTransitions: [{ toAgent: 'x' }],
    })
    const original = await store.loadSession('s')
    await store.backup(copy())
    await store.changeSession('s', append('later'))
    const copied = folder.open({}, copy())
    expect(await copied.loadSession('s')).toEqual(original)
    expect(await copied.checkIntegrity()).toEqual(sound)
    expect(statSync(copy()).mode & 0o777).toBe(0o600)
    await copied.changeSession('s', append('of the copy'))
    expect(turnIdsOf(await store.loadSession('s'))).toEqual(['t', 'later'])
  },
)

it('a backup of a shared database includes the tables of its owner', async () => {
  const database = folder.shared()
  database.exec(
    `CREATE TABLE notes (text TEXT); INSERT INTO notes VALUES ('mine');
    PRAGMA user_version = 7; PRAGMA application_id = 99`,
  )
  const store = folder.open({}, database)
  await store.backup(copy())
  const copied = folder.handle(copy())
  expect(copied.prepare('SELECT text FROM notes').pluck().all()).toEqual(['mine'])
  expect([copied.pragma('user_version', { simple: true }), copied.pragma('application_id', { simple: true })]).toEqual([
    7, 99,
  ])
})

it('a backup waits for a locked database until timeoutMs, and then fails', async () => {
  const database = folder.shared()
  database.pragma('journal_mode = DELETE')
  const store = folder.open({ timeoutMs: 200 }, database)
  await store.saveSession({ sessionId: 's', createdAt: at })
  const other = folder.handle()
  other.exec('BEGIN EXCLUSIVE')
  expect(await failureOf(store.backup(copy()))).toMatchObject({ code: 'STORE_BUSY', message: containing('200 ms') })
  expect((await failureOf(store.checkIntegrity())).code).toBe('STORE_BUSY')
  other.exec('ROLLBACK')
  await store.backup(copy())
  expect(others()).toEqual(['copy.db'])
})

it('a backup and a check do not wait for readers, and block no writers', async () => {
  const store = folder.open({ timeoutMs: 600_000 })
  await store.saveSession({ sessionId: 's', createdAt: at })
  const reader = folder.handle()
  reader.exec('BEGIN')
  reader.prepare('SELECT count(*) FROM turnstore_sessions').get()
  // In the WAL, after what the reader sees.
  await store.changeSession('s', append('a'))
  await store.backup(copy())
  expect(await store.checkIntegrity()).toEqual(sound)
  await store.changeSession('s', append('b'))
})
