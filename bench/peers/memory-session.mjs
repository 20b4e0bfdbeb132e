import { MemorySession } from '@openai/agents-core'
import { many, wireTurn } from '../turns.mjs'

/** A turn is six items: what was asked, two calls and their results, what was answered. */
export async function openMemorySession() {
  const sessions = new Map()
  // Its users have items in hand, so that making them is not measured.
  const shapes = many(500, () => itemsOf(wireTurn()))
  let taken = 0
  const next = () => shapes[taken++ % shapes.length]
  const fill = async (sessionId, count) => {
    const session = new MemorySession({ sessionId, initialItems: many(count, next).flat() })
    sessions.set(sessionId, { session, turnCount: count })
  }
  return {
    fill,
    append(sessionId) {
      const entry = sessions.get(sessionId)
      entry.turnCount++
      return entry.session.addItems(next())
    },
    async shorten(sessionId, count) {
      if (sessions.get(sessionId).turnCount > count * 1.1) await fill(sessionId, count)
    },
    load: sessionId => sessions.get(sessionId).session.getItems(),
    async close() {},
  }
}

function itemsOf(turn) {
  const calls = turn.tool_calls.flatMap(({ call_id: callId, tool_name: name, arguments: input, result }) => [
    { type: 'function_call', callId, name, status: 'completed', arguments: JSON.stringify(input) },
    {
      type: 'function_call_result',
      callId,
      name,
      status: 'completed',
      output: { type: 'text', text: JSON.stringify(result) },
    },
  ])
  return [
    { type: 'message', role: 'user', content: turn.prompt },
    ...calls,
    {
      type: 'message',
      role: 'assistant',
      status: 'completed',
      content: [{ type: 'output_text', text: turn.response_content }],
    },
  ]
}
