import { isTurnstoreError, SessionManager } from '@turnstore/core'
import { SqliteSessionStore } from '@turnstore/sqlite'
import { complete } from './model.mjs'
import { tools } from './tools.mjs'

const manager = new SessionManager(new SqliteSessionStore(process.env.DATABASE ?? 'agent.db'))
const system = { role: 'system', content: 'You are a clerk in a tea shop.' }

/** Answers a prompt. Everything is stored as it happens. */
export async function answer(sessionId, prompt) {
  await manager.startSession({ sessionId, ifExists: 'resume' })
  const { turnIds } = await manager.recordMessages(sessionId, [{ role: 'user', content: prompt }])
  return goOn(sessionId, turnIds[0])
}

async function goOn(sessionId, turnId) {
  for (;;) {
    const messages = [system, ...(await manager.getMessages(sessionId, { last: 20 }))]
    const message = await complete(messages, text => manager.updateTurn(sessionId, turnId, { responseContent: text }))
    await manager.recordMessages(sessionId, [message])
    if (message.tool_calls === undefined) break
    await Promise.all(message.tool_calls.map(call => runTool(sessionId, call.id, call.function)))
  }
  await manager.updateTurn(sessionId, turnId, { status: 'success' })
  return (await manager.getTurns(sessionId, { turnId }))[0].responseContent
}

async function runTool(sessionId, id, { name, arguments: text }) {
  const content = JSON.stringify(await tools[name](JSON.parse(text), id))
  await manager.recordMessages(sessionId, [{ role: 'tool', tool_call_id: id, content }])
}

/** Takes over the turns of processes that died: those that run, and in which nothing was stored for a while. */
export async function* recover(idleMs) {
  const updatedBefore = new Date(Date.now() - idleMs).toISOString()
  for await (const { sessionId, revision, lastTurn } of manager.sessions({
    lastTurnStatus: 'running',
    updatedBefore,
  })) {
    const { turnId } = lastTurn
    try {
      await manager.interruptTurn(sessionId, turnId, { ifRevision: revision })
    } catch (error) {
      if (isTurnstoreError(error, 'REVISION_CONFLICT')) continue // It lives, or another process has taken it.
      throw error
    }
    await manager.updateTurn(sessionId, turnId, { status: 'running', endedAt: null })
    const [turn] = await manager.getTurns(sessionId, { turnId })
    const open = turn.toolCalls.filter(({ status }) => status === 'running')
    for (const call of open) {
      await runTool(sessionId, call.callId, { name: call.toolName, arguments: JSON.stringify(call.arguments) })
    }
    yield await goOn(sessionId, turnId)
  }
}

export const close = () => manager.close()
