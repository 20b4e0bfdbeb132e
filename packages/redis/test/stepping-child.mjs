// A process with 16 callers that put tool calls into one turn and report each that was acknowledged:
// `stepping-child.mjs URL KEY_PREFIX NAME`. It ends when it is told to.
import { RedisSessionStore } from '@turnstore/redis'

const [url = '', keyPrefix = '', name = ''] = process.argv.slice(2)
const store = new RedisSessionStore({ url, keyPrefix })
const stepping = { isOver: false }
process.on('message', () => {
  stepping.isOver = true
})

/** @param {number} caller */
async function put(caller) {
  for (let step = 0; !stepping.isOver; step++) {
    const callId = `${name}-${caller}-${step}`
    await store.changeSession('s', { updateTurns: [{ turnId: 't', putToolCalls: [{ callId, toolName: 'f' }] }] })
    process.send?.(callId)
  }
}

await Promise.all(Array.from({ length: 16 }, (_, caller) => put(caller)))
await store.close()
process.disconnect()
