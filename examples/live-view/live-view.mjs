// node live-view.mjs SESSION: prints a session while another process records it. With DATABASE, that of the agent.
import { SqliteSessionStore } from '@turnstore/sqlite'

const [sessionId] = process.argv.slice(2)
const store = new SqliteSessionStore(process.env.DATABASE ?? 'sessions.db')
const seen = { turn: 0, isShown: false, calls: 0, response: '' }

for await (const { deleted } of store.watchSession(sessionId)) {
  if (deleted) break
  // Heads cost little. Of the tool calls, only those that are new are read.
  const { turns } = await store.readTurns(sessionId, { from: seen.turn }, { parts: 'none' })
  for (const [index, turn] of turns.entries()) {
    if (index > 0) Object.assign(seen, { turn: seen.turn + 1, isShown: false, calls: 0, response: '' })
    if (!seen.isShown) console.log(`> ${turn.prompt}`)
    seen.isShown = true
    const range = { list: 'toolCalls', from: seen.calls }
    const { parts } = await store.readParts(sessionId, turn.turnId, range)
    for (const { toolName, status, result } of parts) {
      // A running call is looked at again next time.
      if (status === 'running') break
      console.log(`  ${toolName}: ${JSON.stringify(result)}`)
      seen.calls++
    }
    const response = turn.responseContent ?? ''
    if (response !== seen.response) console.log(`< ${response}`)
    seen.response = response
  }
}
await store.close()
