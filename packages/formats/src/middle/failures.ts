import type { ChatMessage } from '@turnstore/core'

/**
 * The results that are errors. Chat messages cannot say it, so it goes beside them.
 *
 * @param messages as `messagesFromTurns` gives them
 * @param failures whether each call failed, in the order of the calls
 */
export function failedResults(messages: readonly ChatMessage[], failures: readonly boolean[]): Set<ChatMessage> {
  const failed = new Set<ChatMessage>()
  let open = new Set<string>()
  let count = 0
  for (const message of messages) {
    if (message.role === 'assistant') {
      open = new Set()
      for (const { id } of message.tool_calls ?? []) if (failures[count++] === true) open.add(id)
    } else if (message.role === 'tool' && open.has(message.tool_call_id)) failed.add(message)
  }
  return failed
}
