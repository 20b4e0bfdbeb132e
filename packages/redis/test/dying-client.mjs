// A process that dies between a script and an index: `dying-client.mjs CONNECTION KEY_PREFIX WHEN`. Its client is a
// real one that ends the process at the chosen moment.
import { createHash } from 'node:crypto'
import { RedisSessionStore } from '@turnstore/redis'
import { Cluster, Redis } from 'ioredis'
import { luaSources } from '../dist/lua/lua-sources.js'

const [connection = '', keyPrefix = '', when = ''] = process.argv.slice(2)
/** @type {{ url: string } | { nodes: { host: string, port: number }[] }} */
const where = JSON.parse(connection)
const real = 'url' in where ? new Redis(where.url) : new Cluster(where.nodes)

/** @param {import('@turnstore/redis').RedisClient} client */
function mortal(client) {
  const names = new Map(
    Object.entries(luaSources).map(([name, source]) => [createHash('sha1').update(source).digest('hex'), name]),
  )
  return new Proxy(client, {
    get(target, member) {
      if (member === 'call') return call
      const value = Reflect.get(target, member)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })

  /** @param {string} command @param {(string | number)[]} args */
  async function call(command, args) {
    const script =
      command === 'eval'
        ? Object.entries(luaSources).find(([, source]) => source === args[0])?.[0]
        : names.get(String(args[0]))
    // A packet that has not been sent when the process dies.
    if (when === 'append' && script === 'index' && keysLeft(args)) return new Promise(() => {})
    if (when === 'create' && script === 'save') die()
    const reply = await client.call(command, args)
    if (script === (when === 'append' ? 'change' : when)) die()
    return reply
  }

  /** @param {(string | number)[]} args */
  function keysLeft(args) {
    return args.slice(2 + Number(args[1])).some(arg => Number(arg) > 0)
  }
}

function die() {
  process.kill(process.pid, 'SIGKILL')
  // Until the signal arrives.
  for (;;);
}

const store = new RedisSessionStore({ client: mortal(real), keyPrefix })
const updatedAt = '2026-06-01T00:00:00Z'
if (when === 'create')
  await store.saveSession({ sessionId: 'victim', workspaceId: 'w', createdAt: updatedAt, updatedAt })
if (when === 'append')
  await store.changeSession('victim', { appendTurns: [{ turnId: 't' }], updatedAt }, { workspaceId: 'w' })
if (when === 'delete') await store.deleteSession('victim')
