import { RedisSessionStore } from '../../packages/redis/dist/index.js'
import { redisServer, startRedis, startRedisCluster } from '../servers.mjs'
import { append, fill, many, now, turn, wireTurn } from '../turns.mjs'
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
    await measureCpu(report, server.client, store)
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

let calls = 0

function call() {
  const { turnId: _turnId, startedAt: _startedAt, ...content } = turn()
  return { callId: `call-${++calls}`, toolName: 'search', arguments: { query: calls }, result: content }
}

/** What 64 sessions that are appended to at once take of the server's processor and of the client's, each append. */
async function measureCpu(report, client, store) {
  const ids = many(64, (_, index) => `cpu-${index}`)
  for (const sessionId of ids) await store.saveSession({ sessionId, turns: [{ turnId: 'open', status: 'running' }] })
  const put = sessionId => store.changeSession(sessionId, { updateTurns: [{ turnId: 'open', putToolCalls: [call()] }] })
  const sha = await client.script('LOAD', BARE_APPEND)
  const works = {
    RPUSH: sessionId => client.rpush(`raw-${sessionId}`, JSON.stringify(wireTurn())),
    'a bare script': sessionId => bareAppend(client, sha, sessionId),
    append: sessionId => append(store, sessionId),
    step: put,
  }
  const taken = Object.fromEntries(Object.keys(works).map(name => [name, { server: [], client: [] }]))
  const rounds = report.quick ? 5 : 25
  for (let round = -2; round < rounds; round++) {
    for (const [name, work] of Object.entries(works)) {
      const [server, own] = [await cpuOf(client), process.cpuUsage()]
      for (let again = 0; again < 20; again++) await Promise.all(ids.map(work))
      const { user, system } = process.cpuUsage(own)
      if (round < 0) continue
      taken[name].server.push(((await cpuOf(client)) - server) / (20 * ids.length))
      taken[name].client.push((user + system) / (20 * ids.length))
    }
  }
  const medianOf = (name, who) => taken[name][who].toSorted((a, b) => a - b)[rounds >> 1]
  const title = 'redis, processor time for each of 64 at once'
  const ratio = (name, who, floor) => medianOf(name, who) / medianOf(floor, who)
  for (const name of Object.keys(works)) {
    const seen = who => `${medianOf(name, who).toFixed(1)} µs (${ratio(name, who, 'RPUSH').toFixed(1)}× RPUSH)`
    report.remark({ title, work: name, seen: `server ${seen('server')}, client ${seen('client')}` })
  }
  const goal = (who, floor, atMost) => {
    const seen = ratio('append', who, floor)
    report.remark({
      title,
      work: `append, ${who}`,
      seen: `${seen.toFixed(2)}×`,
      goal: `≤ ${atMost}× ${floor}`,
      met: seen <= atMost,
    })
  }
  goal('server', 'a bare script', 1.5)
  goal('server', 'RPUSH', 5)
  goal('client', 'RPUSH', 3.5)
}

/** Microseconds of processor time that a server has used. */
async function cpuOf(client) {
  const info = await client.info('cpu')
  const [system, user] = ['used_cpu_sys', 'used_cpu_user'].map(name => Number(info.match(`${name}:([\\d.]+)`)[1]))
  return 1_000_000 * (system + user)
}

const BARE_APPEND = `
redis.call('TIME')
redis.call('HGET', KEYS[5], ARGV[1])
local state = redis.call('HGET', KEYS[1], 'c')
redis.call('HGET', KEYS[3], ARGV[2])
redis.call('ZADD', KEYS[6], 0, ARGV[4])
redis.call('ZADD', KEYS[7], 0, ARGV[4])
redis.call('RPUSH', KEYS[2], ARGV[3])
redis.call('HSET', KEYS[3], ARGV[2], '1')
redis.call('ZREM', KEYS[6], state or '')
redis.call('ZREM', KEYS[7], state or '')
redis.call('HSET', KEYS[5], ARGV[1], 'ok')
redis.call('HSET', KEYS[1], 'c', ARGV[4])
return 'ok'`

let bare = 0

/** A script with the reads and writes of an append, and nothing else. The results stay as few as ours. */
function bareAppend(client, sha, sessionId) {
  const { turn_id: turnId, ...rest } = wireTurn()
  const keys = ['s', 't', 'i', 'h', 'o'].map(kind => `bare:{${sessionId}}${kind}`)
  const member = `2026-01-01T00:00:00.${String(++bare).padStart(6, '0')}Z ${sessionId} 0123456789abcdef`
  const json = JSON.stringify({ turn_id: turnId, ...rest })
  return client.evalsha(sha, 7, ...keys, 'bare:all', 'bare:none', `token-${bare % 128}`, turnId, json, member)
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
