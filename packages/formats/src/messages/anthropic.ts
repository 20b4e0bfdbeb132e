import type { ChatMessage, JsonObject, JsonValue, UserPart } from '@turnstore/core'
import { type ContentPart, isJsonObject, type ReadCall, type ReadMessage } from '@turnstore/core/adapter'
import type { Fit, MessageDialect, Reading, Report, WriteOptions, Written } from '../middle/dialect.js'
import { mediaPart, textPart, writtenPart } from '../middle/parts.js'
import { assistant, call, isTextPart, result, system, textIn, user } from '../middle/say.js'
import { stepsOf, withoutSystem } from '../middle/steps.js'
import { timeOf } from '../middle/time.js'
import { usageOf } from '../middle/usage.js'

/** Anthropic messages, and the responses of that API. */
export const anthropic: MessageDialect = {
  name: 'anthropic',
  title: 'Anthropic messages',

  fit(message): Fit {
    const { role, content, type, stop_reason: stop } = message
    if (role !== 'user' && role !== 'assistant' && role !== 'system') return 'no'
    if ('tool_calls' in message || 'parts' in message || 'toolInvocations' in message) return 'no'
    if (type !== undefined && type !== 'message') return 'no'
    const isResponse = type === 'message' && stop !== undefined
    if (typeof content === 'string') return isResponse ? 'sure' : 'could'
    if (!Array.isArray(content) || !content.every(block => isTextPart(block) || isBlock(block))) return 'no'
    return isResponse || content.some(isBlock) ? 'sure' : 'could'
  },

  facts: new Set(['citations', 'usage', 'container', 'cache_control', 'stop_details', 'context_management', 'caller']),

  read(message, report): Reading {
    const time = timeOf(message.timestamp ?? message.created_at)
    const usage = usageOf(message.usage)
    return {
      ...readAnthropic(message, report),
      ...(time === undefined ? {} : { time }),
      ...(usage === undefined ? {} : { usage }),
      ...(typeof message.id === 'string' ? { usageKey: message.id } : {}),
      ...(typeof message.model === 'string' ? { model: message.model } : {}),
    }
  },

  write: writeAnthropic,
}

/** A message of any file that has Anthropic's blocks. */
export function readAnthropic(message: JsonObject, report: Report): Pick<Reading, 'said' | 'thoughts' | 'asides'> {
  const { role, content } = message
  const blocks = typeof content === 'string' ? [textPart(content)] : content
  if (!Array.isArray(blocks)) {
    report.tell('has content that is neither text nor a list of blocks; kept, but not read')
    return { said: [] }
  }
  const reader = new BlockReader(report)
  for (const block of blocks) reader.add(block)
  return { said: reader.finish(role), thoughts: reader.thoughts, asides: reader.asides }
}

class BlockReader {
  readonly #report: Report
  readonly thoughts: string[] = []
  readonly asides: string[] = []
  /** The results, and what the assistant said before each of them. */
  readonly #said: ReadMessage[] = []
  #parts: ContentPart[] = []
  #calls: ReadCall[] = []

  constructor(report: Report) {
    this.#report = report
  }

  add(block: JsonValue): void {
    const { tell, lose } = this.#report
    if (typeof block === 'string') {
      this.#parts.push(textPart(block))
      return
    }
    if (!isJsonObject(block)) {
      tell('has content that is no block; kept, but not read')
      return
    }
    const { type } = block
    if (isTextPart(block)) {
      this.#parts.push(textPart(textIn(block, 'text')))
      if (Array.isArray(block.citations) && block.citations.length > 0) lose('citations')
    } else if (type === 'thinking') {
      this.thoughts.push(textIn(block, 'thinking'))
      lose(typeof block.signature === 'string' ? 'signed reasoning' : 'reasoning')
    } else if (type === 'redacted_thinking') lose('signed reasoning')
    else if (type === 'image' || type === 'document') this.#parts.push(readSource(block))
    else if (isResult(type)) this.#answer(block)
    else if (type === 'tool_use' || type === 'server_tool_use' || type === 'mcp_tool_use') {
      if (type !== 'tool_use') lose('that a tool ran at the provider')
      this.#calls.push(call(textIn(block, 'id'), textIn(block, 'name'), block.input))
    } else if (type === 'search_result') {
      this.#parts.push(textPart(JSON.stringify(block.content ?? null)))
      if (Array.isArray(block.content))
        for (const each of block.content) if (isJsonObject(each)) this.asides.push(textIn(each, 'text'))
      lose('search results as such')
    } else if (type === 'container_upload') lose('files of a container')
    else tell('has a block of an unknown type; kept, but not read')
  }

  #answer(block: JsonObject): void {
    this.#say()
    const { content = '' } = block
    const isError = block.is_error === true || (isJsonObject(content) && textIn(content, 'type').endsWith('_error'))
    const value = Array.isArray(content) ? readResult(content) : content
    this.#said.push(result({ id: textIn(block, 'tool_use_id'), name: textIn(block, 'name'), value, isError }))
  }

  #say(): void {
    if (this.#calls.length === 0) return
    this.#said.push(assistant(this.#parts.length === 0 ? undefined : this.#parts, this.#calls))
    this.#parts = []
    this.#calls = []
  }

  finish(role: JsonValue | undefined): ReadMessage[] {
    if (this.#calls.length > 0) this.#say()
    else if (this.#parts.length > 0) {
      this.#said.push(
        role === 'assistant' ? assistant(this.#parts) : role === 'system' ? system(this.#parts) : user(this.#parts),
      )
    }
    return this.#said
  }
}

/** Text alone becomes text; with pictures the parts stay. */
function readResult(content: readonly JsonValue[]): JsonValue {
  const parts = content.map((block): JsonValue => {
    if (isTextPart(block)) return textPart(textIn(block, 'text'))
    return isJsonObject(block) && (block.type === 'image' || block.type === 'document') ? readSource(block) : block
  })
  const [only] = parts
  if (parts.length === 0) return ''
  return parts.length === 1 && isTextPart(only) ? textIn(only, 'text') : parts
}

function readSource(block: JsonObject): ContentPart {
  const { source } = block
  if (!isJsonObject(source)) return mediaPart({ mediaType: '' })
  const mediaType = textIn(source, 'media_type') || (block.type === 'image' ? 'image' : 'application/pdf')
  const named = typeof block.title === 'string' ? { filename: block.title } : {}
  if (source.type === 'text' && typeof source.data === 'string') return textPart(source.data)
  if (source.type === 'content') return textPart(JSON.stringify(source.content ?? null))
  if (source.type === 'file') return { type: 'file', file: { file_id: textIn(source, 'file_id') } }
  return source.type === 'base64'
    ? mediaPart({ mediaType, data: textIn(source, 'data'), ...named })
    : mediaPart({ mediaType, url: textIn(source, 'url'), ...named })
}

const blockTypes = new Set<JsonValue | undefined>([
  'tool_use',
  'thinking',
  'redacted_thinking',
  'server_tool_use',
  'mcp_tool_use',
  'search_result',
  'container_upload',
])

/** Whether a block is one that no other format has. */
function isBlock(block: JsonValue): boolean {
  if (!isJsonObject(block)) return false
  const { type } = block
  if (type === 'image' || type === 'document') return isJsonObject(block.source)
  return blockTypes.has(type) || isResult(type)
}

function isResult(type: JsonValue | undefined): boolean {
  return typeof type === 'string' && type.endsWith('tool_result')
}

/** Also for files that have Anthropic's messages in their entries. */
export function writeAnthropic(messages: readonly ChatMessage[], options: WriteOptions): Written {
  const { lose } = options
  const { steps, system: prompt } = withoutSystem(stepsOf(messages, options))
  const written: JsonObject[] = steps.flatMap((step): JsonObject[] => {
    if (step.role === 'user') {
      const content = step.parts.flatMap(part => writePart(part, lose))
      return content.length === 0 ? [] : [{ role: 'user', content }]
    }
    const { calls, texts } = step
    const content: JsonObject[] = [
      ...texts.map(text => textPart(text)),
      ...calls.map(({ id, name, input }) => ({ type: 'tool_use', id, name, input })),
    ]
    const results: JsonObject[] = calls.map(({ id, output, failed }) => ({
      type: 'tool_result',
      tool_use_id: id,
      content: output,
      ...(failed ? { is_error: true } : {}),
    }))
    return [{ role: 'assistant', content }, ...(results.length === 0 ? [] : [{ role: 'user', content: results }])]
  })
  if (options.before.length === 0 && written[0]?.role === 'assistant') {
    written.unshift({ role: 'user', content: [textPart(NO_PROMPT)] })
  }
  return prompt === undefined ? { messages: written } : { messages: written, system: prompt }
}

/** Said for the user if the assistant speaks first: the API requires that the first message is the user's. */
const NO_PROMPT = 'The conversation begins with the assistant.'

const imageTypes = new Set(['image/jpeg', 'image/png', 'image/gif', 'image/webp'])

function writePart(part: UserPart, lose: WriteOptions['lose']): JsonObject[] {
  const written = writtenPart(part)
  if (written.kind === 'text') return [textPart(written.text)]
  if (written.kind === 'url') return [{ type: 'image', source: { type: 'url', url: written.url } }]
  if (written.kind === 'media') {
    const { mediaType, data, filename } = written
    const source = { type: 'base64', media_type: mediaType, data }
    if (imageTypes.has(mediaType)) return [{ type: 'image', source }]
    if (mediaType === 'application/pdf') {
      return [{ type: 'document', source, ...(filename === undefined ? {} : { title: filename }) }]
    }
  }
  lose(written.kind === 'uploaded' ? 'files by id' : `media that Anthropic does not take`)
  return []
}
