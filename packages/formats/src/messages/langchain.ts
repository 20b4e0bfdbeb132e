import { parseJsonText } from '../middle/json-text.js'
import type { ChatMessage, JsonObject, JsonValue } from '@turnstore/core'
import { type ContentPart, isJsonObject, type ReadCall } from '@turnstore/core/adapter'
import type { Fit, MessageDialect, Reading, Report, WriteOptions, Written } from '../middle/dialect.js'
import { mediaPart, textPart } from '../middle/parts.js'
import { assistant, call, collectTexts, isPart, isTextPart, result, system, textIn, user } from '../middle/say.js'
import { usageOf } from '../middle/usage.js'

/**
 * LangChain messages: as `messages_to_dict` and `toDict` give them (`{ type, data }`), as `toJSON` and `dumps` do
 * (`{ lc, type: 'constructor', id, kwargs }`), or as `model_dump` does (`{ type, content }`).
 */
export const langChain: MessageDialect = {
  name: 'langchain',
  title: 'LangChain messages',

  fit(message): Fit {
    const opened = open(message)
    return opened !== null && (typeof opened.body.content === 'string' || Array.isArray(opened.body.content))
      ? 'sure'
      : 'no'
  },

  facts: new Set([
    'name',
    'response_metadata',
    'usage_metadata',
    'artifact',
    'additional_kwargs',
    'tool_call_chunks',
    'invalid_tool_calls',
  ]),

  read(message, report): Reading {
    const opened = open(message)
    if (opened === null) {
      report.tell('has an unknown type; kept, but not read')
      return { said: [] }
    }
    const { kind, body } = opened
    const facts = isJsonObject(body.response_metadata) ? body.response_metadata : {}
    const usage = usageOf(body.usage_metadata ?? facts.usage ?? facts.tokenUsage)
    const model = textIn(facts, 'model_name', 'model')
    return {
      ...readBody(kind, body, report),
      ...(usage === undefined ? {} : { usage }),
      ...(model === '' ? {} : { model }),
    }
  },

  write: writeMessages,
}

const kinds: Readonly<Record<string, string>> = {
  human: 'human',
  HumanMessage: 'human',
  HumanMessageChunk: 'human',
  ai: 'ai',
  AIMessage: 'ai',
  AIMessageChunk: 'ai',
  system: 'system',
  SystemMessage: 'system',
  developer: 'system',
  tool: 'tool',
  ToolMessage: 'tool',
  function: 'function',
  FunctionMessage: 'function',
  chat: 'chat',
  ChatMessage: 'chat',
  remove: 'remove',
}

function open(message: JsonObject): { kind: string; body: JsonObject } | null {
  const { type, data, kwargs, id } = message
  if (type === 'constructor' && Array.isArray(id) && isJsonObject(kwargs)) {
    const name = id.at(-1)
    const kind = typeof name === 'string' ? kindOf(name) : undefined
    return kind === undefined ? null : { kind, body: kwargs }
  }
  const kind = typeof type === 'string' && !('role' in message && type !== 'chat') ? kindOf(type) : undefined
  if (kind === undefined) return null
  return { kind, body: isJsonObject(data) ? data : message }
}

function kindOf(name: string): string | undefined {
  return Object.hasOwn(kinds, name) ? kinds[name] : undefined
}

function readBody(kind: string, body: JsonObject, report: Report): Pick<Reading, 'said' | 'thoughts' | 'asides'> {
  const extra = isJsonObject(body.additional_kwargs) ? body.additional_kwargs : {}
  const thoughts: string[] = []
  const asides: string[] = []
  const { parts, calls: called } = readContent(body.content, thoughts, report)
  const role = textIn(body, 'role')
  const isPerson = kind === 'human' || (kind === 'chat' && role !== 'assistant' && role !== 'ai' && role !== 'system')
  if (isPerson) return { said: [user(parts)], thoughts }
  if (kind === 'system' || role === 'system') return { said: [system(parts)], thoughts }
  if (kind === 'tool' || kind === 'function') {
    const [only] = Array.isArray(parts) ? parts : []
    const value = typeof parts === 'string' ? parts : parts.length === 1 && isTextPart(only) ? only.text : parts
    if (body.artifact !== undefined && body.artifact !== null) report.lose('artifacts of results')
    const answer = {
      id: textIn(body, 'tool_call_id'),
      name: textIn(body, 'name'),
      value,
      isError: body.status === 'error',
    }
    return { said: [result(answer)], thoughts, asides }
  }
  if (kind === 'remove') return { said: [] }
  const calls = readCalls(body, extra, called, asides)
  if (typeof extra.reasoning_content === 'string') {
    thoughts.push(extra.reasoning_content)
    report.lose('reasoning')
  }
  return { said: [assistant(calls.length > 0 && parts.length === 0 ? undefined : parts, calls)], thoughts, asides }
}

function readCalls(body: JsonObject, extra: JsonObject, called: readonly ReadCall[], asides: string[]): ReadCall[] {
  // Those whose arguments are no JSON stand apart.
  const own = [...listOf(body.tool_calls), ...listOf(body.invalid_tool_calls)].flatMap(each =>
    isJsonObject(each) ? [call(textIn(each, 'id'), textIn(each, 'name'), each.args)] : [],
  )
  if (own.length > 0) {
    for (const { written } of called) collectTexts(written, asides)
    return own
  }
  if (called.length > 0) return [...called]
  const given = listOf(extra.tool_calls).flatMap(each =>
    isJsonObject(each) && isJsonObject(each.function)
      ? [call(textIn(each, 'id'), textIn(each.function, 'name'), each.function.arguments)]
      : [],
  )
  const legacy = isJsonObject(extra.function_call)
    ? [call('', textIn(extra.function_call, 'name'), extra.function_call.arguments)]
    : []
  return [...given, ...legacy]
}

function readContent(
  content: JsonValue | undefined,
  thoughts: string[],
  { tell, lose }: Report,
): { parts: string | ContentPart[]; calls: ReadCall[] } {
  if (typeof content === 'string') return { parts: content, calls: [] }
  const calls: ReadCall[] = []
  const parts = listOf(content).flatMap((part): ContentPart[] => {
    if (typeof part === 'string') return [textPart(part)]
    if (isPart(part)) return [part]
    if (!isJsonObject(part)) {
      tell('has content that is no part; kept, but not read')
      return []
    }
    const { type } = part
    if (type === 'text-plain') return [textPart(textIn(part, 'text'))]
    if (type === 'image_url' && typeof part.image_url === 'string')
      return [mediaPart({ mediaType: 'image', url: part.image_url })]
    if (type === 'thinking' || type === 'reasoning' || type === 'redacted_thinking') {
      thoughts.push(textIn(part, 'thinking', 'reasoning', 'text'))
      lose('signature' in part || type === 'redacted_thinking' ? 'signed reasoning' : 'reasoning')
    } else if (type === 'tool_use' || type === 'tool_call' || type === 'function_call') {
      calls.push(call(textIn(part, 'id', 'call_id'), textIn(part, 'name'), part.input ?? part.args ?? part.arguments))
    } else if (type === 'image' || type === 'audio' || type === 'file' || type === 'video') return [readMedia(part)]
    else if (type !== 'input_json_delta') tell('has a part of an unknown type; kept, but not read')
    return []
  })
  return { parts, calls }
}

function readMedia(part: JsonObject): ContentPart {
  const source = isJsonObject(part.source) ? part.source : part
  const mediaType = textIn(source, 'mimeType', 'mime_type', 'media_type') || (part.type === 'image' ? 'image/png' : '')
  const data = textIn(source, 'data', 'base64')
  return data === '' ? mediaPart({ mediaType, url: textIn(source, 'url') }) : mediaPart({ mediaType, data })
}

function listOf(value: JsonValue | undefined): readonly JsonValue[] {
  return Array.isArray(value) ? value : []
}

/** As `messages_to_dict` gives them, which both languages read. */
function writeMessages(messages: readonly ChatMessage[], { failed }: WriteOptions): Written {
  const names = new Map<string, string>()
  return {
    messages: messages.map((message): JsonObject => {
      const { role } = message
      const content = contentOf(message)
      if (role === 'user') return { type: 'human', data: { content, type: 'human' } }
      if (role === 'tool') {
        const name = names.get(message.tool_call_id) ?? ''
        return {
          type: 'tool',
          data: {
            content,
            type: 'tool',
            name,
            tool_call_id: message.tool_call_id,
            status: failed.has(message) ? 'error' : 'success',
          },
        }
      }
      if (role !== 'assistant') return { type: 'system', data: { content, type: 'system' } }
      const calls = (message.tool_calls ?? []).map(({ id, function: target }): JsonObject => {
        names.set(id, target.name)
        return { name: target.name, args: parseJsonText(target.arguments) ?? {}, id, type: 'tool_call' }
      })
      return { type: 'ai', data: { content, type: 'ai', tool_calls: calls, invalid_tool_calls: [] } }
    }),
  }
}

function contentOf({ content = null }: ChatMessage): JsonValue {
  return Array.isArray(content) ? content.map((part): JsonObject => ({ ...part })) : (content ?? '')
}
