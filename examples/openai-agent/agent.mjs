// node agent.mjs: counts the tea on three shelves at once. Run it again after a crash, and it continues.
import { setTimeout as sleep } from 'node:timers/promises'
import { Agent, run, setTracingDisabled, tool } from '@openai/agents-core'
import { TurnstoreSession } from '@turnstore/openai-agents'
import { SqliteSessionStore } from '@turnstore/sqlite'
import { z } from 'zod'
import { model } from './model.mjs'

setTracingDisabled(true)
const boxes = { green: 12, black: 7, white: 3 }

const count = tool({
  name: 'count',
  description: 'Counts the boxes of tea on a shelf: green, black or white.',
  parameters: z.object({ shelf: z.enum(['green', 'black', 'white']) }),
  async execute({ shelf }) {
    console.log(`  walking to the ${shelf} shelf`)
    // The ladder to the white shelf is slow to fetch.
    await sleep(shelf === 'white' ? Number(process.env.LADDER_MS ?? 2000) : 100)
    console.log(`  counted the ${shelf} shelf`)
    return { shelf, boxes: boxes[shelf] }
  },
})

const store = new SqliteSessionStore(process.env.DATABASE ?? 'sessions.db')
const session = new TurnstoreSession({ store, sessionId: 'stocktaking' })
const clerk = new Agent({
  name: 'Clerk',
  instructions: 'Count all three shelves at once, with parallel calls. Then say how many boxes there are in all.',
  tools: [count],
  ...model,
})

const { agent, callModelInputFilter, recovered, isUnfinished } = await session.recordRun({
  agent: clerk,
  // Counting twice does no harm, so a call that a crash interrupted runs again.
  repeatable: ['count'],
})
for (const { callId, outcome } of recovered) console.log(`  after the crash, call ${callId} is ${outcome}`)
const input = isUnfinished ? [] : 'How many boxes of tea do we have?'
const { finalOutput } = await run(agent, input, { session, callModelInputFilter })
console.log(finalOutput)
await store.close()
