import { RedisSessionStore } from '../../packages/redis/dist/index.js'
import { redisServer, startRedis, startRedisCluster } from '../servers.mjs'
import { append, fill, now, wireTurn } from '../turns.mjs'
import { measureKept } from './kept.mjs'
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
  sessionOf,
} from './shared.mjs'

export async function measureRedis({ folder, report }) {
  if (redisServer() === null) {
    report.leaveOut('redis', 'neither redis-server nor valkey-server is on the PATH')
    return
  }
  const [server] = await startRedis(folder, 1)
  const masters = await startRedisCluster(folder)
  const url = `redis://127.0.0.1:${server.port}`
  const store = new RedisSessionStore({ url })
  const clustered = new RedisSessionStore({ nodes: masters.map(({ port }) => ({ host: '127.0.0.1', port })) })
  try {
    await fillSizes(report, 'redis', store, report.sizes)
    await fill(clustered, sessionOf(0), 0)
    const light = await measureAppend(report, server.client, store, clustered)
    const { rows } = await measureCallers(report, 'redis', store, light)
    const each = rows.find(({ name }) => name.startsWith('64')).median
    const [title, work] = ['redis, 64 callers on one session', '64 at once, each']
    report.remark({ title, work, seen: `${each.toFixed(1)} µs`, goal: '≤ 30 µs', met: each <= 30 })

    await measureSteps(report, 'redis', store, { atMost: 1.5 })
    await measureLongTurn(report, 'redis', store, text => server.client.rpush('raw parts', text))
    await measureTail(report, 'redis', store, { sizes: report.sizes.slice(1), atMost: 3.2 })
    await measureLoad(report, 'redis', store, { atMost: 2.5 })
    await measureKept(report, 'redis', store, url)
    await measureSessions(report, url)
  } finally {
    await Promise.all([store.close(), clustered.close()])
    await Promise.all([server, ...masters].map(each => each.stop()))
  }
}

async function measureAppend(report, client, store, clustered) {
  const floor = 'an awaited RPUSH'
  const onCluster = 'append at 0 on a Cluster'
  return report.compare({
    title: 'redis, append',
    works: {
      [floor]: () => client.rpush('raw', JSON.stringify(wireTurn())),
      ...appendsTo(store, report.sizes),
      [onCluster]: () => append(clustered, sessionOf(0)),
    },
    floor,
    goals: {
      [at(0)]: [{ atMost: 1.6 }],
      [at(10_000)]: [{ atMost: 1.6 }, flat(at(0))],
      [at(100_000)]: [{ atMost: 1.6 }, flat(at(0))],
      [onCluster]: [{ atMost: 2.2 }],
    },
    repetitions: 2000,
  })
}

/** Listings and appends among many sessions of one workspace. */
async function measureSessions(report, url) {
  const large = report.quick ? 10_000 : 100_000
  const few = await sessionsIn(report, url, 'few', 1000)
  const many = await sessionsIn(report, url, 'many', large)
  const [ofFew, ofMany] = ['among 1,000', `among ${large.toLocaleString('en-US')}`]
  await report.compare({
    title: 'redis, append among sessions',
    works: { [ofFew]: () => append(few, 'few-7'), [ofMany]: () => append(many, 'many-7') },
    floor: ofFew,
    repetitions: 1000,
  })
  const cursors = { few: await cursorAfter(few, 500), many: await cursorAfter(many, large / 2) }
  await report.compare({
    title: 'redis, page of 50',
    works: {
      [ofFew]: () => few.querySessions({ workspaceId }),
      [ofMany]: () => many.querySessions({ workspaceId }),
      [`${ofFew}, in the middle`]: () => few.querySessions({ workspaceId, cursor: cursors.few }),
      [`${ofMany}, in the middle`]: () => many.querySessions({ workspaceId, cursor: cursors.many }),
    },
    floor: ofFew,
    repetitions: 400,
  })
  await Promise.all([few.close(), many.close()])
}

const workspaceId = 'acme'

async function sessionsIn(report, url, name, count) {
  const store = new RedisSessionStore({ url, keyPrefix: `${name}:` })
  for (let first = 0; first < count; first += 200) {
    report.progress(`redis: writing ${count.toLocaleString('en-US')} sessions`)
    const save = (_, index) =>
      store.saveSession({ sessionId: `${name}-${first + index}`, workspaceId, createdAt: now(), updatedAt: now() })
    await Promise.all(Array.from({ length: 200 }, save))
  }
  return store
}

/** The cursor behind so many sessions. */
async function cursorAfter(store, count) {
  let cursor
  for (let seen = 0; seen < count; seen += 500) {
    ;({ cursor } = await store.querySessions({ workspaceId, limit: 500, ...(cursor && { cursor }) }))
  }
  return cursor
}
