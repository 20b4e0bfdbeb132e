// One of several processes that add turns to one session at the same moment: node kept-child.mjs URL SESSION COUNT
import { randomUUID } from 'node:crypto'
import { openStore } from '../../packages/cli/dist/index.js'
import { many, now, turn } from '../turns.mjs'

const [url, sessionId, count] = process.argv.slice(2)
const store = await openStore(url)
const add = () =>
  store.changeSession(sessionId, { appendTurns: [{ ...turn(), turnId: randomUUID() }], updatedAt: now() })
await Promise.all(many(Number(count), add))
await store.close()
