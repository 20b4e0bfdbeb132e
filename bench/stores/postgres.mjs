import { PostgresSessionStore } from '../../packages/postgres/dist/index.js'
import { figure } from '../comparison.mjs'
import { postgresProgram, startPostgres } from '../servers.mjs'
import { append, many, wireTurn } from '../turns.mjs'
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

const RAW = 'INSERT INTO raw (session, seq, body) VALUES ($1, $2, $3)'

/** With synchronous_commit=off: what is measured is the work, not the disk. */
export async function measurePostgres({ folder, report }) {
  if (postgresProgram('initdb') === null) {
    report.leaveOut('postgres', 'initdb is neither on the PATH nor in /usr/lib/postgresql')
    return
  }
  const server = await startPostgres(folder, { synchronous_commit: 'off' })
  const { pool, url } = server
  const store = new PostgresSessionStore({ url })
  try {
    await pool.query('CREATE TABLE raw (session bigint, seq integer, body text, PRIMARY KEY (session, seq))')
    await fillSizes(report, 'postgres', store, report.sizes)
    const light = await measureAppend(report, pool, store)
    await measureCallers(report, 'postgres', store, light, { atLeast: 5 })
    await measureSteps(report, 'postgres', store, { atMost: 2 })
    await measureLongTurn(report, 'postgres', store, text => rawInsert(pool, text))
    await measureTail(report, 'postgres', store, { sizes: report.sizes.slice(1) })
    await measureLoad(report, 'postgres', store, { atMost: 5 })
    await measureKept(report, 'postgres', store, url)
    await measurePeers(report, store, light, url)
    await measureSessions(report, store)
  } finally {
    await store.close()
    await server.stop()
  }
}

let seq = 0

function rawInsert(pool, text) {
  return pool.query(RAW, [1, seq++, text])
}

async function measureAppend(report, pool, store) {
  const floor = 'a raw INSERT of one row'
  return report.compare({
    title: 'postgres, append',
    works: { [floor]: () => rawInsert(pool, JSON.stringify(wireTurn())), ...appendsTo(store, report.sizes) },
    floor,
    goals: {
      [at(0)]: [{ atMost: 2.5 }],
      [at(10_000)]: [{ atMost: 2.5 }, flat(at(0))],
      [at(100_000)]: [{ atMost: 2.5 }, flat(at(0))],
    },
    repetitions: 1000,
  })
}

/** Whole records, and messages of a thread, at 1,000 turns. */
async function measurePeers(report, store, light, url) {
  const peers = {
    'Mastra (@mastra/pg)': await report.peer('Mastra (@mastra/pg)', async () =>
      (await import('../peers/mastra.mjs')).openMastraOnPostgres(url),
    ),
    'LangGraph PostgresSaver': await report.peer('LangGraph PostgresSaver', async () =>
      (await import('../peers/langgraph.mjs')).openLangGraphOnPostgres(url),
    ),
  }
  const works = { [at(1000)]: () => append(store, sessionOf(1000)) }
  for (const [name, peer] of Object.entries(peers)) Object.assign(works, await peerAppends(report, name, peer, [1000]))
  await report.compare({
    title: 'postgres, append beside others',
    works,
    floor: at(1000),
    goals: Object.fromEntries(Object.keys(peers).map(name => [at(1000, name), [{ atLeast: 1 }]])),
    repetitions: 100,
    block: 5,
  })
  for (const [name, peer] of Object.entries(peers)) {
    if (peer?.count !== undefined) await measureKeptByPeer(report, 'postgres', name, peer)
    await peer?.close()
  }
}

/** An append and a page among many sessions, against the same among few. */
async function measureSessions(report, store) {
  const count = report.quick ? 5000 : 100_000
  const page = () => store.querySessions({ limit: 50 })
  const one = () => append(store, sessionOf(0))
  const [few, fewPage] = ['append among few', 'page among few']
  const before = await report.compare({
    title: 'postgres, few sessions',
    works: { [few]: one, [fewPage]: page },
    floor: few,
    repetitions: 300,
  })
  report.progress(`postgres: writing ${count.toLocaleString('en-US')} sessions`)
  for (let done = 0; done < count; done += 100) {
    await Promise.all(many(100, index => store.saveSession({ sessionId: `of-many-${done + index}` })))
  }
  const among = (name, work, known) =>
    report.compare({
      title: `postgres, ${name}: ${count.toLocaleString('en-US')} sessions`,
      works: { [name]: work },
      floor: figure(before, known),
      goals: { [name]: [{ atMost: 1.5 }] },
      repetitions: 300,
    })
  await among('append among many', one, few)
  await among('page among many', page, fewPage)
}
