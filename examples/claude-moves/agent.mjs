// The agent: node agent.mjs DATABASE PROMPT [SESSION]
import { setTimeout as sleep } from 'node:timers/promises'
import { createSdkMcpServer, foldSessionSummary, query, tool } from '@anthropic-ai/claude-agent-sdk'
import { TurnstoreSessionStore } from '@turnstore/claude-agent-sdk'
import { z } from 'zod'
import { openStore } from './store.mjs'

const [database, prompt, resume] = process.argv.slice(2)
const store = openStore(database)
const sessionStore = new TurnstoreSessionStore({ store, foldSessionSummary })

// Only to show what is stored when.
const append = sessionStore.append.bind(sessionStore)
sessionStore.append = async (key, entries) => {
  await append(key, entries)
  const results = JSON.stringify(entries).match(/"type":"tool_result"/g) ?? []
  for (const _result of results) console.log('stored the result of a call')
}

const track = tool(
  'track',
  'Finds a parcel',
  { parcel: z.number() },
  async ({ parcel }) => {
    await sleep(parcel === 3 ? 3_000 : 50)
    return { content: [{ type: 'text', text: `Parcel ${parcel} is at the depot.` }] }
  },
  { annotations: { readOnlyHint: true } },
)

const options = {
  sessionStore,
  sessionStoreFlush: 'eager',
  mcpServers: { parcels: createSdkMcpServer({ name: 'parcels', tools: [track] }) },
  allowedTools: ['mcp__parcels__track'],
  settingSources: [],
  ...(resume ? { resume } : {}),
}
for await (const message of query({ prompt, options })) {
  if (message.type === 'system' && message.subtype === 'init') console.log(`session ${message.session_id}`)
  if (message.type === 'result') console.log(message.result ?? message.subtype)
}
await store.close()
