import type { ChatMessage, JsonObject, JsonValue, UserPart } from '@turnstore/core'
import { type ContentPart, isJsonObject, type ReadCall, type ReadMessage } from '@turnstore/core/adapter'
import type { Fit, MessageDialect, Reading, Report, WriteOptions, Written } from '../middle/dialect.js'
import { mediaPart, textPart, writtenPart } from '../middle/parts.js'
import { assistant, call, isTextPart, result, system, textIn, user } from '../middle/say.js'
import { jsonOutput, stepsOf } from '../middle/steps.js'

/** Model messages of the AI SDK, and the core messages of version 4. */
export const aiSdkModel: MessageDialect = {
  name: 'ai-sdk-model',
  title: 'AI SDK model messages',

  fit(message): Fit {
    const { role, content } = message
    if ('tool_calls' in message || 'parts' in message || 'toolInvocations' in message || 'tool_call_id' in message)
      return 'no'
    if (role === 'tool') return Array.isArray(content) && content.every(isOwnPart) ? 'sure' : 'no'
    if (role !== 'system' && role !== 'user' && role !== 'assistant') return 'no'
    if (typeof content === 'string') return 'could'
    if (!Array.isArray(content) || !content.every(part => isTextPart(part) || isOwnPart(part))) return 'no'
    return content.some(isOwnPart) ? 'sure' : 'could'
  },

  facts: new Set(['providerOptions', 'providerMetadata', 'experimental_providerMetadata', 'experimental_content']),

  read(message, report): Reading {
    const { role, content } = message
    if (typeof content === 'string') {
      return { said: [role === 'assistant' ? assistant(content) : role === 'system' ? system(content) : user(content)] }
    }
    if (!Array.isArray(content)) {
      report.tell('has content that is neither text nor a list of parts; kept, but not read')
      return { said: [] }
    }
    return readParts(content, role, report)
  },

  write: writeModelMessages,
}

function readParts(content: readonly JsonValue[], role: JsonValue | undefined, { tell, lose }: Report): Reading {
  const said: ReadMessage[] = []
  const thoughts: string[] = []
  const asides: string[] = []
  let parts: ContentPart[] = []
  let calls: ReadCall[] = []
  const flush = (): void => {
    if (parts.length === 0 && calls.length === 0) return
    const all = parts.length === 0 ? undefined : parts
    said.push(role === 'user' ? user(all ?? null) : role === 'system' ? system(all ?? null) : assistant(all, calls))
    parts = []
    calls = []
  }
  for (const part of content) {
    if (!isJsonObject(part)) {
      tell('has a part that is no object; kept, but not read')
      continue
    }
    const { type } = part
    if (isTextPart(part)) parts.push(textPart(textIn(part, 'text')))
    else if (type === 'reasoning' || type === 'redacted-reasoning') {
      thoughts.push(textIn(part, 'text'))
      lose(part.providerOptions === undefined ? 'reasoning' : 'signed reasoning')
    } else if (type === 'reasoning-file') lose('reasoning')
    else if (type === 'image' || type === 'file') parts.push(readMedia(part))
    else if (type === 'tool-call') {
      calls.push(call(textIn(part, 'toolCallId'), textIn(part, 'toolName'), part.input ?? part.args))
    } else if (type === 'tool-result') {
      flush()
      said.push(readResult(part))
    } else if (type === 'tool-approval-request' || type === 'tool-approval-response') {
      if (typeof part.reason === 'string') asides.push(part.reason)
      lose('approvals')
    } else if (type === 'custom') lose('data parts')
    else tell('has a part of an unknown type; kept, but not read')
  }
  flush()
  return { said, thoughts, asides }
}

function readResult(part: JsonObject): ReadMessage {
  const { output, result: before = null } = part
  const id = textIn(part, 'toolCallId')
  const name = textIn(part, 'toolName')
  // Version 4 has the result itself.
  if (!isJsonObject(output) || typeof output.type !== 'string') {
    return result({ id, name, value: output ?? before, isError: part.isError === true })
  }
  if (output.type === 'execution-denied') {
    return result({ id, name, value: textIn(output, 'reason') || 'The tool call was denied.', isError: true })
  }
  const { value = null } = output
  if (output.type !== 'content' || !Array.isArray(value)) {
    return result({ id, name, value, isError: output.type.startsWith('error-') })
  }
  const parts = value.map((each): JsonValue => {
    if (!isJsonObject(each) || isTextPart(each)) return isTextPart(each) ? textPart(textIn(each, 'text')) : each
    const { type } = each
    const isKnown =
      type === 'media' || type === 'file-data' || type === 'image-data' || type === 'file-url' || type === 'image-url'
    if (!isKnown && type !== 'file') return each
    return type === 'image-url' ? mediaPart({ mediaType: 'image', url: textIn(each, 'url') }) : readMedia(each)
  })
  return result({ id, name, value: parts })
}

function readMedia(part: JsonObject): ContentPart {
  const { type, data: given = part.image, filename } = part
  const mediaType = textIn(part, 'mediaType', 'mimeType') || (type === 'image' ? 'image/png' : '')
  const named = typeof filename === 'string' ? { filename } : {}
  // Version 7 says what the data is.
  if (isJsonObject(given) && typeof given.type === 'string') {
    if (given.type === 'text') return textPart(textIn(given, 'text'))
    return given.type === 'url'
      ? mediaPart({ mediaType, url: textIn(given, 'url'), ...named })
      : mediaPart({ mediaType, data: textIn(given, 'data'), ...named })
  }
  const source = typeof given === 'string' ? given : textIn(part, 'url')
  const isUrl = /^[a-z][a-z0-9+.-]*:/i.test(source.slice(0, 40))
  return mediaPart({ mediaType, ...(isUrl ? { url: source } : { data: source }), ...named })
}

const ownTypes = new Set<JsonValue | undefined>([
  'tool-call',
  'tool-result',
  'tool-approval-request',
  'tool-approval-response',
  'reasoning',
  'redacted-reasoning',
  'reasoning-file',
  'custom',
])

function isOwnPart(part: JsonValue): boolean {
  if (!isJsonObject(part)) return false
  if (part.type === 'image') return part.image !== undefined
  if (part.type === 'file') return part.data !== undefined && (part.mediaType ?? part.mimeType) !== undefined
  return ownTypes.has(part.type)
}

function writeModelMessages(messages: readonly ChatMessage[], options: WriteOptions): Written {
  const { lose } = options
  const written = stepsOf(messages, options).flatMap((step): JsonObject[] => {
    if (step.role === 'system') return [{ role: 'system', content: step.text }]
    if (step.role === 'user') {
      const content = step.parts.flatMap(part => writePart(part, lose))
      return content.length === 0 ? [] : [{ role: 'user', content }]
    }
    const { texts, calls } = step
    const content: JsonObject[] = [
      ...texts.map(text => textPart(text)),
      ...calls.map(({ id, name, input }) => ({ type: 'tool-call', toolCallId: id, toolName: name, input })),
    ]
    const results: JsonObject[] = calls.map(each => {
      const value = jsonOutput(each)
      const type = typeof value === 'string' ? 'text' : 'json'
      const output = { type: each.failed ? `error-${type}` : type, value }
      return { type: 'tool-result', toolCallId: each.id, toolName: each.name, output }
    })
    return [{ role: 'assistant', content }, ...(results.length === 0 ? [] : [{ role: 'tool', content: results }])]
  })
  return { messages: written }
}

function writePart(part: UserPart, lose: WriteOptions['lose']): JsonObject[] {
  const written = writtenPart(part)
  switch (written.kind) {
    case 'text':
      return [textPart(written.text)]
    case 'url':
      return [{ type: 'image', image: written.url }]
    case 'media': {
      const { mediaType, data, filename } = written
      return [{ type: 'file', data, mediaType, ...(filename === undefined ? {} : { filename }) }]
    }
    default:
      lose('files by id')
      return []
  }
}
