import { closeSync, fdatasync, openSync, writeSync } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { promisify } from 'node:util'
import { FileSessionStore } from '../../packages/file/dist/index.js'
import { figure } from '../comparison.mjs'
import { now, turn, wireTurn } from '../turns.mjs'
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
} from './shared.mjs'

const sync = promisify(fdatasync)

export async function measureFile({ folder, report }) {
  const path = join(folder, 'file')
  const writer = new FileSessionStore(path, { timeoutMs: 120_000 })
  await fillSizes(report, 'file', writer, report.sizes)
  await writer.close() // so compaction is over before the clock runs

  const store = new FileSessionStore(path)
  const raw = openSync(join(folder, 'raw'), 'a')
  const floor = 'raw write + fdatasync'
  const light = await report.compare({
    title: 'file, append',
    works: {
      [floor]: async () => {
        writeSync(raw, `${JSON.stringify(wireTurn())}\n`)
        await sync(raw)
      },
      ...appendsTo(store, report.sizes),
    },
    floor,
    goals: {
      [at(0)]: [{ atMost: 1.5 }],
      [at(10_000)]: [{ atMost: 1.5 }, flat(at(0))],
      [at(100_000)]: [{ atMost: 1.5 }, flat(at(0))],
    },
    repetitions: 800,
  })
  await measureSteps(report, 'file', store, { atMost: 1.5 })
  await measureLongTurn(report, 'file', store, async text => {
    writeSync(raw, `${text}\n`)
    await sync(raw)
  })
  closeSync(raw)

  await measureCallers(report, 'file', store, light, { atLeast: 8 })
  await measureTail(report, 'file', store, { sizes: report.sizes.slice(1), atMost: 1.6 })
  await measureLoad(report, 'file', store, { atMost: 2.5 })
  await measureKept(report, 'file', store, `file:${path}`)
  await store.close()
  await measureColdLoad(report, path)
  await measureListing(report, join(folder, 'listing'))
  await measurePeers(report, folder, light)
}

async function measureColdLoad(report, path) {
  await report.compare({
    title: 'file, full load by a new store',
    works: {
      'load 1,000 turns': async () => {
        const fresh = new FileSessionStore(path)
        await fresh.loadSession('loaded')
        await fresh.close()
      },
    },
    floor: 'load 1,000 turns',
    repetitions: 40,
    block: 1,
  })
}

/** The first listing reads every document, and keeps the summaries for the next store. */
async function measureListing(report, path) {
  const count = 10_000
  const store = new FileSessionStore(path)
  for (let first = 0; first < count; first += 500) {
    report.progress(`file: writing ${count.toLocaleString('en-US')} sessions`)
    const save = (_, index) =>
      store.saveSession({ sessionId: `s${first + index}`, createdAt: now(), updatedAt: now(), turns: [turn()] })
    await Promise.all(Array.from({ length: 500 }, save))
  }
  await store.close()

  const fresh = new FileSessionStore(path)
  const title = `file, first page of 50 of ${count.toLocaleString('en-US')} sessions`
  const start = performance.now()
  await fresh.querySessions()
  report.remark({ title, work: 'the first time', seen: `${(performance.now() - start).toFixed(0)} ms` })
  await fresh.close()
  await report.compare({
    title: `${title}, by a new store`,
    works: {
      'readdir and stat of each': async () => {
        const names = await readdir(path)
        await Promise.all(names.map(name => stat(join(path, name))))
      },
      page: async () => {
        const next = new FileSessionStore(path)
        await next.querySessions()
        await next.close()
      },
    },
    floor: 'readdir and stat of each',
    goals: { page: [{ atMost: 2 }] },
    repetitions: 20,
    block: 1,
  })
  const kept = new FileSessionStore(path)
  const delay = monitorEventLoopDelay({ resolution: 1 })
  const { rows } = await report.compare({
    title,
    works: {
      again: async () => {
        delay.enable()
        await kept.querySessions()
        delay.disable()
      },
    },
    floor: 'again',
    repetitions: 20,
    block: 1,
  })
  const again = rows[0].median / 1000
  report.remark({ title, work: 'again', seen: `${again.toFixed(0)} ms`, goal: '≤ 150 ms', met: again <= 150 })
  const longest = (delay.max / 1e6).toFixed(0)
  report.remark({ title, work: 'the event loop stood still', seen: `${longest} ms at the longest` })
  await kept.close()
}

/**
 * The reference rewrites megabytes a turn, so it runs by itself, and last. It is a Python module, and the goals are
 * against that; its twin in JavaScript shows how much of it is the language.
 */
async function measurePeers(report, folder, light) {
  const python = 'reference, Python'
  const reference = await report.peer('the reference in Python, by hand', async () =>
    (await import('../peers/reference.mjs')).openReference(folder),
  )
  const twin = await report.peer('the reference in JavaScript, by hand', async () =>
    (await import('../peers/reference.mjs')).openReferenceTwin(folder),
  )
  for (const [count, atLeast, repetitions] of [
    [1000, 400, 40],
    [10_000, 4000, 12],
  ]) {
    const works = {
      ...(await peerAppends(report, python, reference, [count])),
      ...(await peerAppends(report, 'reference, JavaScript', twin, [count])),
    }
    await report.compare({
      title: 'file, append, whole records',
      works,
      floor: figure(light, at(count)),
      goals: { [at(count, python)]: [{ atLeast }] },
      repetitions,
      block: 1,
    })
  }
  await measureKeptByPeer(report, 'file', 'reference, JavaScript', twin)
  await reference?.close()
  await twin?.close()
}
