// Measures what the stores cost as ratios to the same work done by hand, in one run on this machine:
//
//   node scripts/dev.mjs run node scripts/measure.mjs [memory|file|redis]
//
// Work and floor run in turns, block by block, so that a machine whose speed drifts treats both alike.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, fdatasync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { FileSessionStore } from '../packages/file/dist/index.js'
import { InMemorySessionStore } from '../packages/memory/dist/index.js'
import { RedisSessionStore } from '../packages/redis/dist/index.js'

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
let clock = Date.parse('2026-01-01T00:00:00Z')
function turn() {
  turns++
  return { ...shapes[turns % shapes.length], turnId: `turn-${turns}`, startedAt: '2026-01-01T00:00:00Z' }
}

function append(store, sessionId, count = 1) {
  const appendTurns = Array.from({ length: count }, turn)
  return store.changeSession(sessionId, { appendTurns, updatedAt: '2026-01-01T00:00:00Z' })
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
  if (only === undefined || only === 'memory') await measureMemory()
  if (only === undefined || only === 'file') await measureFile()
  if (only === undefined || only === 'redis') await measureRedis()
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

  await fill(store, 'callers', 0)
  const one = await interleave({ one: () => append(store, 'callers'), all: () => Promise.all(Array.from({ length: 64 }, () => append(store, 'callers'))) }, 100)
  console.log(`${'file, 64 callers'.padEnd(24)} a turn costs ${(median(one.one) / (median(one.all) / 64)).toFixed(1)} times less than one by one`)

  const texts = Array.from({ length: 20 }, () => JSON.stringify(turn()))
  report(
    'file, tail of 20',
    await interleave(
      {
        'parsing them': async () => texts.map(text => JSON.parse(text)),
        'at 10,000': () => store.readTurns('n10000', { last: 20 }),
        'at 50,000': () => store.readTurns('n50000', { last: 20 }),
      },
      200,
    ),
    'parsing them',
  )

  await fill(store, 'thousand', 1000)
  const whole = JSON.stringify(await store.loadSession('thousand'))
  report(
    'file, load 1,000 turns',
    await interleave(
      { 'parsing it': async () => JSON.parse(whole), load: () => store.loadSession('thousand') },
      60,
    ),
    'parsing it',
  )
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

/** Starts servers without persistence: what is measured is the work, not the disk. */
async function startRedis(count, ...args) {
  const servers = []
  for (let index = 0; index < count; index++) {
    const port = 21_000 + Math.floor(Math.random() * 30_000)
    const server = spawn('redis-server', ['--port', port, '--bind', '127.0.0.1', '--save', '', '--dir', mkdtempSync(join(folder, 'redis-')), ...args])
    server.stdout.resume()
    const { Redis } = await import('../packages/redis/node_modules/ioredis/built/index.js')
    const client = new Redis({ port, maxRetriesPerRequest: null, retryStrategy: () => 20 })
    client.on('error', () => {})
    await client.ping()
    servers.push({ port, client, stop: () => (client.disconnect(), server.kill('SIGKILL'), once(server, 'exit')) })
  }
  return servers
}

async function startRedisCluster() {
  const masters = await startRedis(3, '--cluster-enabled', 'yes')
  await Promise.all(masters.map(({ client }, index) => client.cluster('SET-CONFIG-EPOCH', index + 1)))
  for (const [index, { client }] of masters.entries()) {
    const first = Math.floor((16_384 * index) / 3)
    const behind = Math.floor((16_384 * (index + 1)) / 3)
    await client.cluster('ADDSLOTS', ...Array.from({ length: behind - first }, (_, slot) => first + slot))
    if (index > 0) await masters[0].client.cluster('MEET', '127.0.0.1', masters[index].port)
  }
  for (const { client } of masters) {
    while (!(await client.cluster('INFO')).includes('cluster_state:ok')) await new Promise(resolve => setTimeout(resolve, 50))
  }
  return masters
}

/** As callers do, each append with a time of its own, so that the indexes are written as well. */
function appendLater(store, sessionId) {
  clock += 7
  return store.changeSession(sessionId, { appendTurns: [turn()], updatedAt: new Date(clock).toISOString() })
}

async function measureRedis() {
  const [server] = await startRedis(1)
  const masters = await startRedisCluster()
  const store = new RedisSessionStore({ url: `redis://127.0.0.1:${server.port}` })
  const clustered = new RedisSessionStore({ nodes: masters.map(({ port }) => ({ host: '127.0.0.1', port })) })
  try {
    for (const count of [0, 1000, 10_000, 100_000]) await fill(store, `n${count}`, count)
    await fill(clustered, 'n0', 0)
    report(
      'redis, append',
      await interleave(
        {
          'an awaited RPUSH': () => server.client.rpush('raw', JSON.stringify(turn())),
          'append at 0': () => appendLater(store, 'n0'),
          'append at 10,000': () => appendLater(store, 'n10000'),
          'append at 100,000': () => appendLater(store, 'n100000'),
          'on a Cluster': () => appendLater(clustered, 'n0'),
        },
        2000,
      ),
      'an awaited RPUSH',
    )
    const all = await interleave({ all: () => Promise.all(Array.from({ length: 64 }, () => appendLater(store, 'n0'))) }, 200)
    console.log(`${'redis, 64 callers'.padEnd(24)} a turn costs ${(median(all.all) / 64).toFixed(1)} µs`)

    const texts = Array.from({ length: 20 }, () => JSON.stringify(turn()))
    report(
      'redis, tail of 20',
      await interleave(
        {
          'parsing them': async () => texts.map(text => JSON.parse(text)),
          'at 1,000': () => store.readTurns('n1000', { last: 20 }),
          'at 100,000': () => store.readTurns('n100000', { last: 20 }),
        },
        400,
      ),
      'parsing them',
    )
    const whole = JSON.stringify(await store.loadSession('n1000'))
    report(
      'redis, load 1,000 turns',
      await interleave({ 'parsing it': async () => JSON.parse(whole), load: () => store.loadSession('n1000') }, 60),
      'parsing it',
    )

    // The same with 1,000 sessions in a workspace and with 100,000.
    const few = new RedisSessionStore({ url: `redis://127.0.0.1:${server.port}`, keyPrefix: 'few:' })
    const many = new RedisSessionStore({ url: `redis://127.0.0.1:${server.port}`, keyPrefix: 'many:' })
    const populate = async (target, name, count) => {
      for (let from = 0; from < count; from += 200) {
        const made = Array.from({ length: 200 }, (_, index) => {
          clock += 7
          const now = new Date(clock).toISOString()
          return target.saveSession({ sessionId: `${name}-${from + index}`, workspaceId: 'w', createdAt: now, updatedAt: now })
        })
        await Promise.all(made)
      }
    }
    await populate(few, 'few', 1000)
    await populate(many, 'many', 100_000)
    const middleOf = async (target, size) => {
      let { cursor } = await target.querySessions({ workspaceId: 'w', limit: 1000 })
      for (let seen = 1000; seen < size / 2; seen += 1000) ({ cursor } = await target.querySessions({ workspaceId: 'w', limit: 1000, cursor }))
      return cursor
    }
    const cursors = { few: (await few.querySessions({ workspaceId: 'w', limit: 500 })).cursor, many: await middleOf(many, 100_000) }
    report('redis, append', await interleave({ 'among 1,000 sessions': () => appendLater(few, 'few-7'), 'among 100,000': () => appendLater(many, 'many-7') }, 1000), 'among 1,000 sessions')
    report(
      'redis, page of 50',
      await interleave(
        {
          'first of 1,000': () => few.querySessions({ workspaceId: 'w' }),
          'first of 100,000': () => many.querySessions({ workspaceId: 'w' }),
          'middle of 1,000': () => few.querySessions({ workspaceId: 'w', cursor: cursors.few }),
          'middle of 100,000': () => many.querySessions({ workspaceId: 'w', cursor: cursors.many }),
        },
        200,
      ),
      'first of 1,000',
    )
    await Promise.all([few.close(), many.close()])
  } finally {
    await Promise.all([store.close(), clustered.close()])
    await Promise.all([server, ...masters].map(each => each.stop()))
  }
}
