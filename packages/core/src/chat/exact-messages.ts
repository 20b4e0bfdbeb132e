import { cloneJsonObject, isJsonObject, type JsonObject, type JsonValue } from '../basics/json.js'
import type { ToolCallRecord, TurnItem, TurnRecord } from '../records/models.js'
import { CHAT_FORMAT, NO_RESULT } from './chat-message.js'
import { readMessage, textOf } from './read-message.js'

/** A message of a turn, and the record of the call that it makes, if it was made from that record. */
export interface TurnMessage {
  readonly message: JsonObject
  readonly call?: ToolCallRecord
}

/** The items of a turn that are chat messages. */
export function chatItems({ items }: Pick<TurnRecord, 'items'>): TurnItem[] {
  return items.filter(({ format, value }) => format === CHAT_FORMAT && isJsonObject(value))
}

/** The messages of a turn exactly as they were recorded; of a turn without such items, those that say the same. */
export function exactMessages(turn: TurnRecord, keepsIncomplete: boolean): TurnMessage[] {
  const messages = chatItems(turn).flatMap(({ value }): TurnMessage[] =>
    isJsonObject(value) ? [{ message: cloneJsonObject(value) }] : [],
  )
  return messages.length > 0 ? messages : plainMessages(turn, keepsIncomplete)
}

/** What a turn says without its items: the prompt, each call with its result, and the response. */
export function plainMessages(turn: TurnRecord, keepsIncomplete: boolean): TurnMessage[] {
  const { prompt, responseContent } = turn
  return [
    ...(prompt === '' ? [] : [{ message: { role: 'user', content: prompt } }]),
    ...turn.toolCalls.flatMap(callMessages),
    ...(responseContent === null || (!keepsIncomplete && mayBeIncomplete(turn))
      ? []
      : [{ message: { role: 'assistant', content: responseContent } }]),
  ]
}

/** A call, and its result if it has one. */
export function callMessages(call: ToolCallRecord): TurnMessage[] {
  const { callId: id, toolName: name } = call
  const toolCall: JsonObject = { id, type: 'function', function: { name, arguments: JSON.stringify(call.arguments) } }
  const made: TurnMessage = { message: { role: 'assistant', content: null, tool_calls: [toolCall] }, call }
  const content = outcomeText(call)
  return content === null ? [made] : [made, { message: { role: 'tool', tool_call_id: id, content } }]
}

/** What a call came to, as text. Null if nothing is known. */
export function outcomeText({ result, error, status }: ToolCallRecord): string | null {
  if (status === 'success' && (result !== null || error === null)) return asText(result)
  if (error !== null) return error
  if (result !== null) return asText(result)
  return status === 'running' ? null : `This tool call ended with status ${status} and without a result.`
}

function asText(result: JsonValue): string {
  return typeof result === 'string' ? result : JSON.stringify(result)
}

/** The text for a call that has no result, whatever is known of it. */
export function resultText(call: ToolCallRecord | undefined): string {
  return (call === undefined ? null : outcomeText(call)) ?? NO_RESULT
}

/** Whether the response may be the beginning of one: its turn runs, or was interrupted. */
export function mayBeIncomplete({ status }: Pick<TurnRecord, 'status'>): boolean {
  return status === 'running' || status === 'interrupted'
}

/** Whether one of the messages says the text. What stands in an item is complete. */
export function saysText(messages: readonly TurnMessage[], text: string): boolean {
  return messages.some(({ message }) => {
    const read = readMessage(message)
    return read?.role === 'assistant' && textOf(read.content) === text
  })
}
