// What the suite cannot see: what is between this store and SQLite.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, it } from 'node:test'
import { NodeSqliteSessionStore } from 'turnstore-node-sqlite'

const folder = mkdtempSync(join(tmpdir(), 'turnstore-node-sqlite-'))
const opened = []
after(async () => {
  for (const each of opened) await each.close()
  rmSync(folder, { recursive: true, force: true })
})

let paths = 0
const newPath = () => join(folder, `${paths++}.db`)
const keep = each => (opened.push(each), each)
const openStore = (path, options) => keep(new NodeSqliteSessionStore(path, options))
const append = turnId => ({ appendTurns: [{ turnId, prompt: 'hello' }], updatedAt: '2026-01-31T12:00:00Z' })

it('waits for a database that others hold without blocking, and fails after timeoutMs', async () => {
  const path = newPath()
  const store = openStore(path, { timeoutMs: 100 })
  await store.saveSession({ sessionId: 's' })
  const other = keep(new DatabaseSync(path))
  other.exec('BEGIN IMMEDIATE')
  let ticks = 0
  const clock = setInterval(() => ticks++, 5)
  await assert.rejects(store.changeSession('s', append('a')), { code: 'STORE_BUSY', outcome: 'not-stored' })
  clearInterval(clock)
  assert.ok(ticks > 5, `${ticks} ticks`)
  const waiting = store.changeSession('s', append('b'))
  other.exec('COMMIT')
  assert.equal((await waiting).turnCount, 1)
})

it('commits writes that wait together at once, and lets each fail alone', async () => {
  const path = newPath()
  const store = openStore(path)
  await store.saveSession({ sessionId: 's' })
  const watch = keep(new DatabaseSync(path))
  const version = () => watch.prepare('PRAGMA data_version').get().data_version
  const before = version()
  const calls = Array.from({ length: 10 }, (_, i) => store.changeSession(i === 4 ? 'missing' : 's', append(`t${i}`)))
  const results = await Promise.allSettled(calls)
  assert.deepEqual(
    results.map(({ status, reason }) => reason?.code ?? status),
    Array.from({ length: 10 }, (_, i) => (i === 4 ? 'SESSION_NOT_FOUND' : 'fulfilled')),
  )
  // It counts the commits of other handles.
  assert.equal(version(), before + 1)
})

it('finds the write that spoils a transaction, and stores the others', async () => {
  const path = newPath()
  const store = openStore(path)
  for (const sessionId of ['a', 'b', 'c']) await store.saveSession({ sessionId })
  const other = keep(new DatabaseSync(path))
  other.exec(`CREATE TRIGGER spoil BEFORE INSERT ON turns WHEN NEW.turn_id = 'of b'
    BEGIN SELECT RAISE(ROLLBACK, 'the secret prompt'); END`)
  const results = await Promise.allSettled(
    ['a', 'b', 'c'].map(sessionId => store.changeSession(sessionId, append(`of ${sessionId}`))),
  )
  assert.deepEqual(
    results.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  )
  assert.equal(results[1].reason.outcome, 'not-stored')
  assert.ok(!String(results[1].reason.stack).includes('secret'))
})

it('leaves a database of a newer version alone', async () => {
  const path = newPath()
  const newer = keep(new DatabaseSync(path))
  newer.exec('PRAGMA user_version = 2')
  await assert.rejects(openStore(path).listSessions(), { code: 'SCHEMA_TOO_NEW' })
  assert.equal(newer.prepare('SELECT count(*) AS tables FROM sqlite_schema').get().tables, 0)
})

it('reads a remembered change that is damaged only where it counts, and never drops it', async () => {
  const path = newPath()
  const store = openStore(path)
  await store.saveSession({ sessionId: 's' })
  await store.changeSession('s', append('a'), { idempotencyKey: 'k' })
  const other = keep(new DatabaseSync(path))
  other.exec(`UPDATE keys SET body = '{"secret prompt'`)
  const corrupt = error => error.code === 'CORRUPT_SESSION' && !String(error.stack).includes('secret')
  await assert.rejects(store.changeSession('s', append('a'), { idempotencyKey: 'k' }), corrupt)
  assert.equal((await store.changeSession('s', append('b'))).turnCount, 2)
  await assert.rejects(store.changeSession('s', { keepTurns: 0 }), corrupt)
  await assert.rejects(store.deleteSession('s'), corrupt)
  assert.equal(await store.deleteSession('s', { evenIfDamaged: true }), true)
  assert.equal(other.prepare('SELECT count(*) AS rows FROM keys').get().rows, 0)
})

it('writes as much for a step in a turn of many parts as in an empty one', async () => {
  const path = newPath()
  const store = openStore(path)
  const toolCalls = Array.from({ length: 2_000 }, (_, i) => ({
    callId: `c${i}`,
    toolName: 'search',
    result: 'x'.repeat(500),
  }))
  const turns = [
    { turnId: 'empty', status: 'running' },
    { turnId: 'full', status: 'running', toolCalls },
  ]
  await store.saveSession({ sessionId: 's', turns })
  const watch = keep(new DatabaseSync(path))
  /** Each page that a commit writes is a frame of the WAL. */
  const pagesOfStep = async turnId => {
    watch.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get()
    const putToolCalls = [{ callId: 'new', toolName: 'search', result: 'x'.repeat(500) }]
    await store.changeSession('s', { updateTurns: [{ turnId, putToolCalls }] })
    return watch.prepare('PRAGMA wal_checkpoint(PASSIVE)').get().log
  }
  const [empty, full] = [await pagesOfStep('empty'), await pagesOfStep('full')]
  assert.ok(empty > 0 && full <= empty + 4, `${empty} and ${full} pages`)
})
