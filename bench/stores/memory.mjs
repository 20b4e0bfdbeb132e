import { SessionManager } from '../../packages/core/dist/index.js'
import { InMemorySessionStore } from '../../packages/memory/dist/index.js'
import { figure } from '../comparison.mjs'
import { turn } from '../turns.mjs'
import { measureKept } from './kept.mjs'
import {
  appendsTo,
  at,
  fillSizes,
  flat,
  measureLoad,
  measureLongTurn,
  measureSteps,
  measureTail,
  peerAppends,
} from './shared.mjs'

export async function measureMemory({ report }) {
  const store = new InMemorySessionStore()
  await fillSizes(report, 'memory', store, report.sizes)
  const peer = await report.peer('MemorySession of @openai/agents-core', async () =>
    (await import('../peers/memory-session.mjs')).openMemorySession(),
  )
  const peers = await peerAppends(report, 'MemorySession', peer, [1000, 10_000])
  const [near, far] = [1000, 10_000].map(count => at(count, 'MemorySession'))
  const floor = 'structured copy of the turn'
  const light = await report.compare({
    title: 'memory, append',
    works: { [floor]: async () => structuredClone(turn()), ...appendsTo(store, report.sizes), [near]: peers[near] },
    floor,
    goals: {
      [at(0)]: [{ atMost: 2 }],
      [at(10_000)]: [{ atMost: 2 }, flat(at(0))],
      [at(100_000)]: [{ atMost: 2 }, flat(at(0))],
      [near]: [{ atLeast: 2, of: at(1000) }],
    },
    repetitions: 4000,
  })
  const manager = new SessionManager(store)
  await manager.startSession({ sessionId: 'managed' })
  await report.compare({
    title: 'memory, append through the manager',
    works: { [floor]: async () => structuredClone(turn()), recordTurn: () => manager.recordTurn('managed', turn()) },
    floor,
    repetitions: 4000,
  })
  // It copies the whole array, so it runs by itself.
  await report.compare({
    title: 'memory, append, heavy',
    works: { [far]: peers[far] },
    floor: figure(light, at(10_000)),
    goals: { [far]: [{ atLeast: 60 }] },
    repetitions: 400,
  })

  await measureTail(report, 'memory', store, { sizes: report.sizes.slice(1) })
  await peer?.fill('loaded', 1000)
  const load = peer && (() => peer.load('loaded'))
  await measureLoad(report, 'memory', store, { atMost: 2.5, peers: { 'MemorySession, load': load } })
  await measureSteps(report, 'memory', store, { atMost: 1.5 })
  await measureLongTurn(report, 'memory', store, async (_text, call) => structuredClone(call))
  await measureKept(report, 'memory', store)
  await store.close()
}
