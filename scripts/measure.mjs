// Measures what the stores cost as ratios to the same work done by hand, in one run on this machine:
//
//   node scripts/dev.mjs run node scripts/measure.mjs [memory|file|sqlite]
//
// Work and floor run in turns, block by block, so that a machine whose speed drifts treats both alike.
import { closeSync, fdatasync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { encodeTurn } from '../packages/core/dist/adapter.js'
import { FileSessionStore } from '../packages/file/dist/index.js'
import { InMemorySessionStore } from '../packages/memory/dist/index.js'
import { SqliteSessionStore } from '../packages/sqlite/dist/index.js'

const Database = createRequire(new URL('../packages/sqlite/package.json', import.meta.url))('better-sqlite3')
const sync = promisify(fdatasync)
const only = process.argv[2]
const folder = mkdtempSync(join(tmpdir(), 'turnstore-measure-'))

/** Turns of 2.3 KB with two tool calls, no two alike: one object again and again would flatter JSON. */
const shapes = Array.from({ length: 500 }, (_, index) => ({
  agentId: 'agent-1',
  prompt: words(index, 60),
  responseContent: words(index * 7, 90),
  toolCalls: [0, 1].map(call => ({
    callId: `call-${index}-${call}`,
    toolName: 'search',
    arguments: { query: words(index + call, 6), limit: index % 50, flags: [true, false, null] },
    result: { hits: Array.from({ length: 4 }, (_, hit) => ({ id: index * 10 + hit, title: words(hit + index, 6) })) },
    durationMs: index / 7,
  })),
  metadata: { usage: { input: index * 3, output: index } },
}))

function words(seed, count) {
  return Array.from({ length: count }, (_, at) => ((seed * 31 + at * 7919) % 99991).toString(36)).join(' ')
}

let turns = 0
function turn() {
  turns++
  return { ...shapes[turns % shapes.length], turnId: `turn-${turns}`, startedAt: '2026-01-01T00:00:00Z' }
}

let clock = Date.UTC(2026, 0, 1)
const now = () => new Date(++clock).toISOString()

function append(store, sessionId, count = 1) {
  return store.changeSession(sessionId, { appendTurns: Array.from({ length: count }, turn), updatedAt: now() })
}

const median = times => times.toSorted((a, b) => a - b)[times.length >> 1]
const percentile99 = times => times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.99)]

/** Microseconds of each repetition of each kind of work, in turns by blocks of twenty. */
async function interleave(works, repetitions) {
  const times = Object.fromEntries(Object.keys(works).map(name => [name, []]))
  for (let round = 0; round < repetitions / 20 + 1; round++) {
    for (const [name, work] of Object.entries(works)) {
      for (let again = 0; again < 20; again++) {
        const start = performance.now()
        await work()
        if (round > 0) times[name].push((performance.now() - start) * 1000) // the first round warms up
      }
    }
  }
  return times
}

function report(title, times, floor) {
  const base = median(times[floor])
  for (const [name, all] of Object.entries(times)) {
    const ratio = (median(all) / base).toFixed(2).padStart(7)
    const mean = all.reduce((sum, time) => sum + time, 0) / all.length
    const figures = [median(all), percentile99(all), mean].map(time => `${time.toFixed(0)} µs`.padStart(10)).join('')
    console.log(`${title.padEnd(24)} ${name.padEnd(34)} ${ratio} ×${figures}`)
  }
}

console.log(`${''.padEnd(24)} ${''.padEnd(34)}   ratio     median       p99      mean`)
try {
  const measures = { memory: measureMemory, file: measureFile, sqlite: measureSqlite }
  for (const [name, measure] of Object.entries(measures)) if (only === undefined || only === name) await measure()
} finally {
  rmSync(folder, { recursive: true, force: true })
}

async function fill(store, sessionId, count) {
  await store.saveSession({ sessionId })
  for (let done = 0; done < count; done += 1000) await append(store, sessionId, Math.min(1000, count - done))
}

async function measureMemory() {
  const store = new InMemorySessionStore()
  await fill(store, 'empty', 0)
  await fill(store, 'long', 10_000)
  const times = await interleave(
    {
      'structured copy of the turn': async () => structuredClone(turn()),
      'append at 0': () => append(store, 'empty'),
      'append at 10,000': () => append(store, 'long'),
    },
    2000,
  )
  report('memory, append', times, 'structured copy of the turn')
}

async function measureFile() {
  const path = join(folder, 'file')
  const store = new FileSessionStore(path)
  for (const count of [0, 10_000, 50_000]) await fill(store, `n${count}`, count)
  // What is folded meanwhile is over before the clock runs.
  await new Promise(resolve => setTimeout(resolve, 3000))
  const raw = openSync(join(folder, 'raw'), 'a')
  report(
    'file, append',
    await interleave(
      {
        'raw write + fdatasync': async () => {
          writeSync(raw, `${JSON.stringify(turn())}\n`)
          await sync(raw)
        },
        'append at 0': () => append(store, 'n0'),
        'append at 10,000': () => append(store, 'n10000'),
        'append at 50,000': () => append(store, 'n50000'),
      },
      400,
    ),
    'raw write + fdatasync',
  )
  closeSync(raw)

  await measureCallers('file', store)
  await measureTail('file', store, { 'at 10,000': 'n10000', 'at 50,000': 'n50000' })
  await measureLoad('file', store)
  await store.close()
  const cold = []
  for (let again = 0; again < 20; again++) {
    const fresh = new FileSessionStore(path)
    const start = performance.now()
    await fresh.loadSession('thousand')
    cold.push((performance.now() - start) * 1000)
    await fresh.close()
  }
  console.log(`${'file, load 1,000 turns'.padEnd(24)} ${'load by a fresh store'.padEnd(34)} ${''.padStart(9)}${`${median(cold).toFixed(0)} µs`.padStart(10)}`)
}

async function measureCallers(name, store) {
  await fill(store, 'callers', 0)
  const together = () => Promise.all(Array.from({ length: 64 }, () => append(store, 'callers')))
  const times = await interleave({ one: () => append(store, 'callers'), together }, 100)
  const ratio = median(times.one) / (median(times.together) / 64)
  console.log(`${`${name}, 64 callers`.padEnd(24)} a turn costs ${ratio.toFixed(1)} times less than one by one`)
}

async function measureTail(name, store, sessions) {
  const [longest] = Object.values(sessions)
  const { turns } = await store.readTurns(longest, { last: 20 })
  const texts = turns.map(each => JSON.stringify(encodeTurn(each))) // as they are stored
  const reads = Object.entries(sessions).map(([title, id]) => [title, () => store.readTurns(id, { last: 20 })])
  const works = { 'parsing them': async () => texts.map(text => JSON.parse(text)), ...Object.fromEntries(reads) }
  report(`${name}, tail of 20`, await interleave(works, 200), 'parsing them')
}

async function measureLoad(name, store) {
  await fill(store, 'thousand', 1000)
  const whole = JSON.stringify(await store.loadSession('thousand'))
  const works = { 'parsing it': async () => JSON.parse(whole), load: () => store.loadSession('thousand') }
  report(`${name}, load 1,000 turns`, await interleave(works, 60), 'parsing it')
}

async function measureSqlite() {
  for (const [durability, synchronous] of [
    ['process-crash', 'NORMAL'],
    ['power-loss', 'FULL'],
  ]) {
    const name = `sqlite ${synchronous}`
    const store = new SqliteSessionStore(join(folder, `${synchronous}.db`), { durability })
    for (const count of [0, 10_000, 100_000]) await fill(store, `n${count}`, count)
    const raw = new Database(join(folder, `raw-${synchronous}.db`))
    raw.pragma('page_size = 8192')
    raw.pragma('journal_mode = WAL')
    raw.pragma(`synchronous = ${synchronous}`)
    raw.exec('CREATE TABLE turns (id INTEGER PRIMARY KEY, body TEXT)')
    const insert = raw.prepare('INSERT INTO turns (body) VALUES (?)')
    report(
      `${name}, append`,
      await interleave(
        {
          'raw prepared INSERT': async () => insert.run(JSON.stringify(turn())),
          'append at 0': () => append(store, 'n0'),
          'append at 10,000': () => append(store, 'n10000'),
          'append at 100,000': () => append(store, 'n100000'),
        },
        1000,
      ),
      'raw prepared INSERT',
    )
    raw.close()
    await measureCallers(name, store)
    if (synchronous === 'FULL') {
      await measureTail('sqlite', store, { 'at 10,000': 'n10000', 'at 100,000': 'n100000' })
      await measureLoad('sqlite', store)
    }
    await store.close()
  }

  const few = await sessionsIn(join(folder, 'few.db'), 1000)
  const many = await sessionsIn(join(folder, 'many.db'), 100_000)
  const pages = {
    'page of 1,000 sessions': () => few.querySessions(),
    'page of 100,000': () => many.querySessions(),
    'of a workspace of 50,000': () => many.querySessions({ workspaceId: 'acme' }),
    'behind a cursor in the middle': () => many.querySessions({ cursor: middle }),
  }
  const middle = await cursorAfter(many, 50)
  report('sqlite, page of 50', await interleave(pages, 400), 'page of 1,000 sessions')
  const appends = { 'append among 1,000': () => append(few, 'session-7'), 'append among 100,000': () => append(many, 'session-7') }
  report('sqlite, sessions', await interleave(appends, 400), 'append among 1,000')
  await few.close()
  await many.close()
  await measureOpening(join(folder, 'million.db'), 1_000_000)
}

async function sessionsIn(path, count) {
  const store = new SqliteSessionStore(path, { durability: 'process-crash' })
  for (let first = 0; first < count; first += 500) {
    const saves = Array.from({ length: 500 }, (_, index) => {
      const number = first + index
      return store.saveSession({
        sessionId: `session-${number}`,
        workspaceId: number % 2 === 0 ? 'acme' : null,
        createdAt: now(),
        updatedAt: now(),
        metadata: { number },
      })
    })
    await Promise.all(saves)
  }
  return store
}

/** The cursor behind so many pages of a thousand. */
async function cursorAfter(store, pages) {
  let cursor
  for (let page = 0; page < pages; page++) ({ cursor } = await store.querySessions({ limit: 1000, ...(cursor && { cursor }) }))
  return cursor
}

async function measureOpening(path, turnCount) {
  const store = new SqliteSessionStore(path, { durability: 'process-crash' })
  for (let done = 0, session = 0; done < turnCount; done += 10_000, session++) {
    const turns = Array.from({ length: 10_000 }, (_, index) => ({ turnId: `t${index}`, prompt: `turn ${index}` }))
    await store.saveSession({ sessionId: `s${session}`, turns })
  }
  await store.close()
  const times = []
  for (let again = 0; again < 20; again++) {
    const fresh = new SqliteSessionStore(path)
    const start = performance.now()
    await fresh.ready()
    times.push((performance.now() - start) * 1000)
    await fresh.close()
  }
  console.log(`${'sqlite, opening'.padEnd(24)} ${'a database of 1,000,000 turns'.padEnd(34)} ${''.padStart(9)}${`${median(times).toFixed(0)} µs`.padStart(10)}`)
}
