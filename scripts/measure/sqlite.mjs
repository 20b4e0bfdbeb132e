import { createRequire } from 'node:module'
import { join } from 'node:path'
import { SqliteSessionStore } from '../../packages/sqlite/dist/index.js'
import { measureCallers, measureLoad, measureTail } from './shared.mjs'
import { interleave, median, report } from './timing.mjs'
import { append, fill, now, turn } from './turns.mjs'

const Database = createRequire(new URL('../../packages/sqlite/package.json', import.meta.url))('better-sqlite3')

export async function measureSqlite(folder) {
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
