import { protocol } from '@openai/agents-core'
import type { JsonObject, JsonValue } from '@turnstore/core'
import { isJsonObject } from '@turnstore/core/adapter'
import { modelMessageSchema, validateUIMessages } from 'ai'
import { expect } from 'vitest'

/*
 * What each format requires of a conversation that a model is to take: the SDK's own validator where there is one, and
 * beside it what the references of the APIs say of calls and results. Written apart from what writes messages.
 */

type Check = (messages: readonly JsonObject[]) => Promise<readonly string[]> | readonly string[]

export async function expectValid(format: string, messages: readonly JsonObject[]): Promise<void> {
  const faults = await checks[format]?.(messages)
  expect({ messages, faults }).toEqual({ messages, faults: [] })
}

/** A call, or the result of one, in the order of a transcript; `'other'` is any other message. */
type Event = { readonly call: JsonValue } | { readonly result: JsonValue } | 'other'

/** Every call has an id that providers take, is answered once, after it and before anything else. */
function faultsOfCalls(events: readonly Event[]): string[] {
  const faults: string[] = []
  const open = new Set<JsonValue>()
  const ids = new Set<JsonValue>()
  let isAnswering = false
  for (const event of events) {
    if (event === 'other') {
      if (open.size > 0) faults.push('something is between a call and its result')
      isAnswering = false
    } else if ('call' in event) {
      if (isAnswering && open.size > 0) faults.push('a call is before the result of an earlier one')
      if (typeof event.call !== 'string' || !/^[a-zA-Z0-9_-]{1,64}$/.test(event.call)) faults.push('an id is refused')
      if (ids.has(event.call)) faults.push('an id is there twice')
      ids.add(event.call)
      open.add(event.call)
      isAnswering = false
    } else {
      if (!open.delete(event.result)) faults.push('a result has no call, or is the second one')
      isAnswering = true
    }
  }
  if (open.size > 0) faults.push('a call has no result')
  return faults
}

function listIn(message: JsonObject, name: string): JsonObject[] {
  const list = message[name]
  return Array.isArray(list) ? list.filter(isJsonObject) : []
}

function isBlank(text: JsonValue | undefined): boolean {
  return typeof text !== 'string' || text.trim() === ''
}

const checks: Readonly<Record<string, Check>> = {
  chat: messages => [
    ...faultsOfCalls(
      messages.flatMap((message): Event[] =>
        message.role === 'tool'
          ? [{ result: message.tool_call_id ?? null }]
          : ['other', ...listIn(message, 'tool_calls').map(({ id = null }) => ({ call: id }))],
      ),
    ),
    ...messages.flatMap(({ role, content = null, tool_calls: calls }) =>
      content === null
        ? calls === undefined
          ? [`${JSON.stringify(role)} without content`]
          : []
        : typeof content === 'string' && isBlank(content)
          ? ['empty text']
          : [],
    ),
  ],

  anthropic: messages => [
    ...(messages[0]?.role === 'user' ? [] : ['the first message is not the user’s']),
    ...faultsOfCalls(
      messages.flatMap((message): Event[] => {
        const blocks = listIn(message, 'content')
        const results = blocks.filter(({ type }) => type === 'tool_result')
        if (results.length > 0) return results.map(({ tool_use_id: id = null }) => ({ result: id }))
        return ['other', ...blocks.filter(({ type }) => type === 'tool_use').map(({ id = null }) => ({ call: id }))]
      }),
    ),
    ...messages.flatMap(message => {
      const { role, content } = message
      if (role !== 'user' && role !== 'assistant') return ['a role that is refused']
      if (!Array.isArray(content) || content.length === 0) return ['no content']
      return listIn(message, 'content').flatMap(({ type, text, input, source, content: output }) => {
        if (type === 'text') return isBlank(text) ? ['empty text'] : []
        if (type === 'tool_use')
          return role === 'assistant' && isJsonObject(input) ? [] : ['an input that is no object']
        if (type === 'tool_result') return role === 'user' && !isBlank(output) ? [] : ['an empty result']
        return type === 'image' || type === 'document'
          ? isJsonObject(source)
            ? []
            : ['no source']
          : ['an unknown block']
      })
    }),
  ],

  async 'claude-code'(entries) {
    const said = entries.flatMap(({ message }) => (isJsonObject(message) ? [message] : []))
    const faults = entries.flatMap(({ parentUuid, uuid, type, sessionId, timestamp }, index) => {
      const before = entries[index - 1]
      return [
        ...(parentUuid === (before?.uuid ?? null) ? [] : ['an entry that does not name the one before']),
        ...(typeof uuid === 'string' && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(uuid) ? [] : ['no UUID']),
        ...(type === said[index]?.role ? [] : ['a type that is not the role']),
        ...(sessionId === entries[0]?.sessionId && typeof sessionId === 'string' ? [] : ['two sessions']),
        ...(typeof timestamp === 'string' && timestamp > (typeof before?.timestamp === 'string' ? before.timestamp : '')
          ? []
          : ['times out of order']),
      ]
    })
    const uuids = new Set(entries.map(({ uuid }) => uuid))
    return [
      ...faults,
      ...(uuids.size < entries.length ? ['two entries with one uuid'] : []),
      ...((await checks.anthropic?.(said)) ?? []),
    ]
  },

  async 'ai-sdk'(messages) {
    try {
      await validateUIMessages({ messages })
    } catch (error) {
      return [String(error)]
    }
    const ids = messages.map(({ id }) => id)
    const calls = messages.flatMap(message => listIn(message, 'parts').flatMap(({ toolCallId }) => toolCallId ?? []))
    return [
      ...(new Set(ids).size < ids.length ? ['two messages with one id'] : []),
      ...(new Set(calls).size < calls.length ? ['two calls with one id'] : []),
    ]
  },

  'ai-sdk-model': messages => [
    ...messages.flatMap(message => {
      const { error } = modelMessageSchema.safeParse(message)
      return error === undefined ? [] : [error.message]
    }),
    ...faultsOfCalls(
      messages.flatMap((message): Event[] => {
        const parts = listIn(message, 'content')
        if (message.role === 'tool') return parts.map(({ toolCallId = null }) => ({ result: toolCallId }))
        return [
          'other',
          ...parts.filter(({ type }) => type === 'tool-call').map(({ toolCallId = null }) => ({ call: toolCallId })),
        ]
      }),
    ),
  ],

  'openai-responses': messages => [
    ...faultsOfCalls(
      messages.map((item): Event => {
        if (item.type === 'function_call') return { call: item.call_id ?? null }
        return item.type === 'function_call_output' ? { result: item.call_id ?? null } : 'other'
      }),
    ),
    ...messages.flatMap(item => {
      const { type, role, content, arguments: written, name, output } = item
      if (type === 'function_call') {
        return typeof written === 'string' && isJsonObject(JSON.parse(written)) && !isBlank(name)
          ? []
          : ['a call that is refused']
      }
      if (type === 'function_call_output') return typeof output === 'string' ? [] : ['an output that is no text']
      if (type !== 'message' || typeof role !== 'string') return ['an unknown item']
      if (role === 'assistant') return isBlank(content) ? ['an assistant without text'] : []
      const parts = listIn(item, 'content')
      const isKnown = (part: JsonObject): boolean => {
        if (part.type === 'input_text') return !isBlank(part.text)
        if (part.type === 'input_image') return typeof part.image_url === 'string' && typeof part.detail === 'string'
        return part.type === 'input_file' && (typeof part.file_data === 'string' || typeof part.file_id === 'string')
      }
      return parts.length > 0 && parts.every(isKnown) ? [] : ['content that is refused']
    }),
  ],

  'openai-agents': messages => [
    ...messages.flatMap(message => {
      const { error } = protocol.ModelItem.safeParse(message)
      return error === undefined ? [] : [error.message]
    }),
    ...faultsOfCalls(
      messages.map((item): Event => {
        if (item.type === 'function_call') return { call: item.callId ?? null }
        return item.type === 'function_call_result' ? { result: item.callId ?? null } : 'other'
      }),
    ),
  ],

  gemini: messages => [
    ...faultsOfCalls(
      messages.flatMap((message): Event[] => {
        const parts = listIn(message, 'parts')
        const idOf = (call: JsonValue | undefined): JsonValue => (isJsonObject(call) ? (call.id ?? null) : null)
        const results = parts.filter(part => 'functionResponse' in part)
        if (results.length > 0) return results.map(part => ({ result: idOf(part.functionResponse) }))
        return [
          'other',
          ...parts.filter(part => 'functionCall' in part).map(part => ({ call: idOf(part.functionCall) })),
        ]
      }),
    ),
    ...messages.flatMap(message => {
      const parts = listIn(message, 'parts')
      if (message.role !== 'user' && message.role !== 'model') return ['a role that is refused']
      if (parts.length === 0) return ['no parts']
      return parts.flatMap(part => {
        if (Object.keys(part).length !== 1) return ['a part of two kinds']
        if ('text' in part) return isBlank(part.text) ? ['empty text'] : []
        const { functionCall: call, functionResponse: response } = part
        if (isJsonObject(call))
          return isJsonObject(call.args) && message.role === 'model' ? [] : ['args that are no object']
        if (isJsonObject(response))
          return isJsonObject(response.response) && message.role === 'user' ? [] : ['a response that is no object']
        return 'inlineData' in part || 'fileData' in part ? [] : ['an unknown part']
      })
    }),
  ],

  langchain: messages => [
    ...faultsOfCalls(
      messages.flatMap((message): Event[] => {
        const data = isJsonObject(message.data) ? message.data : {}
        if (message.type === 'tool') return [{ result: data.tool_call_id ?? null }]
        return ['other', ...listIn(data, 'tool_calls').map(({ id = null }) => ({ call: id }))]
      }),
    ),
    ...messages.flatMap(({ type, data }) =>
      isJsonObject(data) && data.type === type && (typeof data.content === 'string' || Array.isArray(data.content))
        ? []
        : ['no message'],
    ),
  ],

  sharegpt: messages =>
    messages.flatMap(({ from, value }) => (typeof from === 'string' && !isBlank(value) ? [] : ['no entry'])),
}
