// `smoke.mjs OPTIONS`, in whichever runtime runs this.
import assert from 'node:assert/strict'
import process from 'node:process'
import { RedisSessionStore } from '@turnstore/redis'
import { Cluster, Redis } from 'ioredis'
import { SESSION, smoke } from '../../../scripts/testing/smoke.mjs'

/** @type {{ url?: string, nodes?: { host: string, port: number }[], keyPrefix: string }} */
const { url, nodes, keyPrefix } = JSON.parse(process.argv[2] ?? '')
const store = new RedisSessionStore(url === undefined ? { nodes: nodes ?? [], keyPrefix } : { url, keyPrefix })
const client = url === undefined ? new Cluster(nodes ?? []) : new Redis(url)
const shared = new RedisSessionStore({ client, keyPrefix })
await smoke(store, shared)
assert.equal((await shared.readTurns(SESSION, { last: 1 }))?.turns[0]?.turnId, 'by the other')
assert.equal(await shared.deleteSession(SESSION), true)
await shared.close()
await store.close()
assert.equal(client.status, 'ready')
client.disconnect()
console.log('all is well')
