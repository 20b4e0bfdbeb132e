import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { RedisSessionStore } from '../../packages/redis/dist/index.js'
import { measureLoad, measureTail } from './shared.mjs'
import { interleave, median, report } from './timing.mjs'
import { append, fill, now, turn } from './turns.mjs'

const { Redis } = createRequire(new URL('../../packages/redis/package.json', import.meta.url))('ioredis')

/** Starts servers without persistence: what is measured is the work, not the disk. */
async function startRedis(folder, count, ...args) {
  const servers = []
  for (let index = 0; index < count; index++) {
    const port = 21_000 + Math.floor(Math.random() * 30_000)
    const server = spawn('redis-server', ['--port', port, '--bind', '127.0.0.1', '--save', '', '--dir', mkdtempSync(join(folder, 'redis-')), ...args])
    server.stdout.resume()
    const client = new Redis({ port, maxRetriesPerRequest: null, retryStrategy: () => 20 })
    client.on('error', () => {})
    await client.ping()
    servers.push({ port, client, stop: () => (client.disconnect(), server.kill('SIGKILL'), once(server, 'exit')) })
  }
  return servers
}

async function startRedisCluster(folder) {
  const masters = await startRedis(folder, 3, '--cluster-enabled', 'yes')
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

export async function measureRedis(folder) {
  const [server] = await startRedis(folder, 1)
  const masters = await startRedisCluster(folder)
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
          'append at 0': () => append(store, 'n0'),
          'append at 10,000': () => append(store, 'n10000'),
          'append at 100,000': () => append(store, 'n100000'),
          'on a Cluster': () => append(clustered, 'n0'),
        },
        2000,
      ),
      'an awaited RPUSH',
    )
    const all = await interleave({ all: () => Promise.all(Array.from({ length: 64 }, () => append(store, 'n0'))) }, 200)
    console.log(`${'redis, 64 callers'.padEnd(24)} a turn costs ${(median(all.all) / 64).toFixed(1)} µs`)

    await measureTail('redis', store, { 'at 1,000': 'n1000', 'at 100,000': 'n100000' })
    await measureLoad('redis', store)

    // The same with 1,000 sessions in a workspace and with 100,000.
    const few = new RedisSessionStore({ url: `redis://127.0.0.1:${server.port}`, keyPrefix: 'few:' })
    const many = new RedisSessionStore({ url: `redis://127.0.0.1:${server.port}`, keyPrefix: 'many:' })
    const populate = async (target, name, count) => {
      for (let from = 0; from < count; from += 200) {
        const made = Array.from({ length: 200 }, (_, index) => {
          const time = now()
          return target.saveSession({ sessionId: `${name}-${from + index}`, workspaceId: 'w', createdAt: time, updatedAt: time })
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
    report('redis, append', await interleave({ 'among 1,000 sessions': () => append(few, 'few-7'), 'among 100,000': () => append(many, 'many-7') }, 1000), 'among 1,000 sessions')
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
