import { join } from 'node:path'
import { LibSQLStore } from '@mastra/libsql'
import { PostgresStore } from '@mastra/pg'
import { many, now, wireTurn } from '../turns.mjs'

/** A turn is two messages of a thread, with its tool calls as parts of the second. WAL, synchronous=NORMAL. */
export async function openMastra(folder) {
  const store = new LibSQLStore({ url: `file:${join(folder, 'mastra.db')}` })
  return mastraOn(store, async () => store.stores.memory.client.close())
}

/** The same in Postgres. */
export async function openMastraOnPostgres(connectionString) {
  const store = new PostgresStore({ connectionString, schemaName: 'mastra' })
  return mastraOn(store, () => store.close())
}

async function mastraOn(store, close) {
  await store.init()
  const save = (threadId, count) =>
    store.saveMessages({ format: 'v2', messages: many(count, wireTurn).flatMap(turn => messagesOf(threadId, turn)) })
  return {
    async fill(threadId, count) {
      const times = { createdAt: new Date(now()), updatedAt: new Date(now()) }
      await store.saveThread({ thread: { id: threadId, resourceId, title: '', metadata: {}, ...times } })
      for (let done = 0; done < count; done += 25) await save(threadId, Math.min(25, count - done))
    },
    append: threadId => save(threadId, 1),
    tail: (threadId, count) => store.getMessages({ threadId, format: 'v2', selectBy: { last: 2 * count } }),
    close,
  }
}

const resourceId = 'user-1'

function messagesOf(threadId, turn) {
  const message = (role, parts) => ({
    id: `${turn.turn_id}-${role}`,
    threadId,
    resourceId,
    role,
    createdAt: new Date(now()),
    content: { format: 2, parts },
  })
  const calls = turn.tool_calls.map(call => ({
    type: 'tool-invocation',
    toolInvocation: {
      state: 'result',
      toolCallId: call.call_id,
      toolName: call.tool_name,
      args: call.arguments,
      result: call.result,
    },
  }))
  return [
    message('user', [{ type: 'text', text: turn.prompt }]),
    message('assistant', [...calls, { type: 'text', text: turn.response_content }]),
  ]
}
