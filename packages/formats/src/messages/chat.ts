import { CHAT_FORMAT, type ChatMessage, type JsonObject, type JsonValue } from '@turnstore/core'
import { isJsonObject, readMessage, type ReadMessage } from '@turnstore/core/adapter'
import type { Fit, MessageDialect, Reading } from '../middle/dialect.js'
import { collectTexts, isPart, textIn } from '../middle/say.js'
import { timeOf } from '../middle/time.js'
import { usageOf } from '../middle/usage.js'

const roles = new Set<JsonValue | undefined>(['system', 'developer', 'user', 'assistant', 'tool', 'function'])

/** OpenAI chat completions. Core reads and writes them. */
export const chat: MessageDialect = {
  name: CHAT_FORMAT,
  title: 'OpenAI chat completions',

  fit(message): Fit {
    const { role, content = null, tool_calls: calls, function_call: legacy } = message
    if (!roles.has(role) || 'parts' in message || 'toolInvocations' in message) return 'no'
    const isContent =
      typeof content === 'string' || content === null || (Array.isArray(content) && content.every(isPart))
    if (!isContent) return 'no'
    if (Array.isArray(calls) || isJsonObject(legacy) || role === 'function') return 'sure'
    if (role === 'tool') return 'tool_call_id' in message ? 'sure' : 'no'
    return Array.isArray(content) && content.some(part => isJsonObject(part) && part.type !== 'text') ? 'sure' : 'could'
  },

  facts: new Set(['name', 'annotations', 'logprobs', 'metadata', 'usage', 'provider_specific_fields']),

  read(message, { tell, lose }): Reading {
    const read = readMessage(message, tell)
    if (hasOtherParts(message.content)) tell('has content in parts of an unknown type; kept, but not read')
    const thoughts = [textIn(message, 'reasoning_content'), textIn(message, 'reasoning')].filter(text => text !== '')
    collectTexts(message.reasoning_details, thoughts)
    if (thoughts.length > 0) lose('reasoning')
    const time = timeOf(message.created_at ?? message.timestamp)
    const usage = usageOf(message.usage)
    return {
      said: read === null ? [] : [withRefusal(read, message)],
      thoughts,
      ...(time === undefined ? {} : { time }),
      ...(usage === undefined ? {} : { usage }),
      ...(typeof message.model === 'string' ? { model: message.model } : {}),
    }
  },

  write(messages, { failed, lose }) {
    if (failed.size > 0) lose('that a call failed')
    return { messages: messages.map(asJson) }
  },
}

function hasOtherParts(content: JsonValue | undefined): boolean {
  return (
    Array.isArray(content) && content.some(part => isJsonObject(part) && typeof part.type === 'string' && !isPart(part))
  )
}

function withRefusal(read: ReadMessage, { refusal }: JsonObject): ReadMessage {
  return read.role === 'assistant' && typeof refusal === 'string' && (read.content ?? null) === null
    ? { ...read, content: [{ type: 'refusal', refusal }] }
    : read
}

function asJson(message: ChatMessage): JsonObject {
  const { role, content, name } = message
  const named = name === undefined ? {} : { name }
  if (!Array.isArray(content))
    return { role, ...(content === undefined ? {} : { content }), ...named, ...callsOf(message) }
  return { role, content: content.map((part): JsonObject => ({ ...part })), ...named, ...callsOf(message) }
}

function callsOf(message: ChatMessage): JsonObject {
  if (message.role === 'tool') return { tool_call_id: message.tool_call_id }
  if (message.role !== 'assistant' || message.tool_calls === undefined) return {}
  return { tool_calls: message.tool_calls.map(({ id, type, function: target }) => ({ id, type, function: target })) }
}
