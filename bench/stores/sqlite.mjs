import { createRequire } from 'node:module'
import { join } from 'node:path'
import { SqliteSessionStore } from '../../packages/sqlite/dist/index.js'
import { figure } from '../comparison.mjs'
import { append, now, wireTurn } from '../turns.mjs'
import { measureKept, measureKeptByPeer } from './kept.mjs'
import {
  appendsTo,
  at,
  fillSizes,
  flat,
  measureCallers,
  measureLoad,
  measureLongTurn,
  measureSteps,
  measureTail,
  peerAppends,
  sessionOf,
} from './shared.mjs'

/** The store's own driver, so that floor and store run on the same SQLite. */
const Database = createRequire(new URL('../../packages/sqlite/package.json', import.meta.url))('better-sqlite3')

export async function measureSqlite({ folder, report }) {
  const light = await measureNormal(report, folder)
  await measureFull(report, folder)
  await measureSessions(report, folder)
  await measureOpening(report, join(folder, 'million.db'))
  await measurePeers(report, folder, light)
}

/** One durability class: what the end of the process does not lose. */
async function measureNormal(report, folder) {
  const store = new SqliteSessionStore(join(folder, 'NORMAL.db'), { durability: 'process-crash' })
  await fillSizes(report, 'sqlite NORMAL', store, report.sizes)
  const mastra = await report.peer('Mastra (@mastra/libsql)', async () =>
    (await import('../peers/mastra.mjs')).openMastra(folder),
  )
  const peerSizes = [1000, 10_000]
  const raw = openRaw(folder, 'NORMAL')
  const goals = { atMost: 3, peers: peerSizes.map(count => [at(count, 'Mastra'), [{ atLeast: 2, of: at(count) }]]) }
  const light = await report.compare({
    title: 'sqlite NORMAL, append',
    works: {
      [floor]: raw.insert,
      ...appendsTo(store, report.sizes),
      ...(await peerAppends(report, 'Mastra', mastra, peerSizes)),
    },
    floor,
    goals: appendGoals(goals),
    repetitions: 2000,
  })
  raw.close()
  await measureCallers(report, 'sqlite NORMAL', store, light)
  await measureSteps(report, 'sqlite NORMAL', store, { atMost: 2 })
  await measureMastraTail(report, store, mastra)
  await mastra?.close()
  await store.close()
  return light
}

/** The other class, and the default: what a power cut does not lose. */
async function measureFull(report, folder) {
  const path = join(folder, 'FULL.db')
  const store = new SqliteSessionStore(path)
  await fillSizes(report, 'sqlite FULL', store, report.sizes)
  const raw = openRaw(folder, 'FULL')
  const light = await report.compare({
    title: 'sqlite FULL, append',
    works: { [floor]: raw.insert, ...appendsTo(store, report.sizes) },
    floor,
    goals: appendGoals({ atMost: 1.5, peers: [] }),
    repetitions: 1000,
  })
  await measureSteps(report, 'sqlite FULL', store, { atMost: 1.5 })
  await measureLongTurn(report, 'sqlite FULL', store, raw.insertText)
  raw.close()
  await measureCallers(report, 'sqlite FULL', store, light, { atLeast: 6 })
  await measureTail(report, 'sqlite', store, { sizes: report.sizes.slice(1), atMost: 1.6 })
  await measureLoad(report, 'sqlite', store, { atMost: 2.5 })
  await measureKept(report, 'sqlite', store, `sqlite:${path}`)
  await store.close()
}

const floor = 'raw prepared INSERT'

function appendGoals({ atMost, peers }) {
  return Object.fromEntries([
    [at(0), [{ atMost }]],
    [at(10_000), [{ atMost }, flat(at(0))]],
    [at(100_000), [{ atMost }, flat(at(0))]],
    ...peers,
  ])
}

function openRaw(folder, synchronous) {
  const database = new Database(join(folder, `raw-${synchronous}.db`))
  database.pragma('page_size = 8192')
  database.pragma('journal_mode = WAL')
  database.pragma(`synchronous = ${synchronous}`)
  database.exec('CREATE TABLE turns (id INTEGER PRIMARY KEY, body TEXT)')
  const statement = database.prepare('INSERT INTO turns (body) VALUES (?)')
  return {
    insert: async () => statement.run(JSON.stringify(wireTurn())),
    insertText: async text => statement.run(text),
    close: () => database.close(),
  }
}

async function measureMastraTail(report, store, mastra) {
  if (mastra === null) return
  const works = [1000, 10_000].flatMap(count => [
    [at(count, 'last 20'), () => store.readTurns(sessionOf(count), { last: 20 })],
    [at(count, 'Mastra, last 20'), () => mastra.tail(sessionOf(count), 20)],
  ])
  await report.compare({
    title: 'sqlite, tail beside Mastra',
    works: Object.fromEntries(works),
    floor: at(1000, 'last 20'),
    repetitions: 100,
    block: 5,
  })
}

/** Listings and appends among many sessions, half of them of one workspace. */
async function measureSessions(report, folder) {
  const few = await sessionsIn(report, join(folder, 'few.db'), 1000)
  const large = report.quick ? 10_000 : 100_000
  const many = await sessionsIn(report, join(folder, 'many.db'), large)
  const [ofFew, ofMany] = ['among 1,000', `among ${large.toLocaleString('en-US')}`]
  const cursor = await cursorAfter(many, large / 2000)
  await report.compare({
    title: 'sqlite, page of 50',
    works: {
      [ofFew]: () => few.querySessions(),
      [ofMany]: () => many.querySessions(),
      'of a workspace with half of them': () => many.querySessions({ workspaceId: 'acme' }),
      'behind a cursor in the middle': () => many.querySessions({ cursor }),
    },
    floor: ofFew,
    goals: { 'among 100,000': [{ atMost: 2 }] },
    repetitions: 400,
  })
  await report.compare({
    title: 'sqlite, append among sessions',
    works: { [ofFew]: () => append(few, 'session-7'), [ofMany]: () => append(many, 'session-7') },
    floor: ofFew,
    repetitions: 400,
  })
  await few.close()
  await many.close()
}

async function sessionsIn(report, path, count) {
  const store = new SqliteSessionStore(path, { durability: 'process-crash' })
  for (let first = 0; first < count; first += 500) {
    report.progress(`sqlite: writing ${count.toLocaleString('en-US')} sessions`)
    const save = (_, index) => {
      const number = first + index
      const workspaceId = number % 2 === 0 ? 'acme' : null
      const times = { createdAt: now(), updatedAt: now() }
      return store.saveSession({ sessionId: `session-${number}`, workspaceId, ...times, metadata: { number } })
    }
    await Promise.all(Array.from({ length: 500 }, save))
  }
  return store
}

/** The cursor behind so many pages of a thousand. */
async function cursorAfter(store, pages) {
  let cursor
  for (let page = 0; page < pages; page++) {
    ;({ cursor } = await store.querySessions({ limit: 1000, ...(cursor && { cursor }) }))
  }
  return cursor
}

async function measureOpening(report, path) {
  const turnCount = report.quick ? 100_000 : 1_000_000
  const store = new SqliteSessionStore(path, { durability: 'process-crash' })
  for (let done = 0, session = 0; done < turnCount; done += 10_000, session++) {
    report.progress(`sqlite: writing ${turnCount.toLocaleString('en-US')} turns`)
    const turns = Array.from({ length: 10_000 }, (_, index) => ({ turnId: `t${index}`, prompt: `turn ${index}` }))
    await store.saveSession({ sessionId: `s${session}`, turns })
  }
  await store.close()
  const work = `a database of ${turnCount.toLocaleString('en-US')} turns`
  const open = async () => {
    const fresh = new SqliteSessionStore(path)
    await fresh.ready()
    await fresh.close()
  }
  const title = 'sqlite, open and close'
  await report.compare({ title, works: { [work]: open }, floor: work, repetitions: 40, block: 1 })
}

/** Those write megabytes a turn, so they run by themselves, and last. None of them syncs more than NORMAL does. */
async function measurePeers(report, folder, light) {
  const open = {
    'LangGraph SqliteSaver': async () => (await import('../peers/langgraph.mjs')).openLangGraph(folder),
    'unstorage fs': async () => (await import('../peers/unstorage.mjs')).openUnstorage(folder),
    'keyv sqlite': async () => (await import('../peers/keyv.mjs')).openKeyv(folder),
  }
  const peers = {}
  for (const [name, opens] of Object.entries(open)) peers[name] = await report.peer(name, opens)
  for (const [count, atLeast, repetitions] of [
    [1000, 100, 40],
    [10_000, 1000, 12],
  ]) {
    const works = {}
    for (const [name, peer] of Object.entries(peers)) {
      Object.assign(works, await peerAppends(report, name, peer, [count]))
    }
    await report.compare({
      title: 'sqlite, append, whole records',
      works,
      floor: figure(light, at(count)),
      goals: Object.fromEntries(Object.keys(works).map(name => [name, [{ atLeast }]])),
      repetitions,
      block: 1,
    })
  }
  for (const [name, peer] of Object.entries(peers)) {
    await measureKeptByPeer(report, 'sqlite', name, peer)
    await peer?.close()
  }
}
