import type { ChatMessage, JsonObject, JsonValue } from '@turnstore/core'
import { type ContentPart, isJsonObject, type ReadMessage } from '@turnstore/core/adapter'
import type { Fit, MessageDialect, Reading, Report, WriteOptions, Written } from '../middle/dialect.js'
import { mediaPart, textPart, writtenPart } from '../middle/parts.js'
import { assistant, call, collectTexts, result, system, textIn, user } from '../middle/say.js'
import { jsonOutput, stepsOf } from '../middle/steps.js'
import { timeOf } from '../middle/time.js'
import { usageOf } from '../middle/usage.js'

/** UI messages of the AI SDK: `parts` since version 5, and the `toolInvocations` of version 4. */
export const aiSdk: MessageDialect = {
  name: 'ai-sdk',
  title: 'AI SDK UI messages',

  fit({ role, content, parts, toolInvocations }): Fit {
    if (role !== 'system' && role !== 'user' && role !== 'assistant' && role !== 'data') return 'no'
    if (Array.isArray(toolInvocations)) return 'sure'
    if (Array.isArray(parts))
      return parts.every(part => isJsonObject(part) && typeof part.type === 'string') ? 'sure' : 'no'
    return typeof content === 'string' ? 'could' : 'no'
  },

  facts: new Set([
    'metadata',
    'annotations',
    'providerMetadata',
    'callProviderMetadata',
    'resultProviderMetadata',
    'experimental_providerMetadata',
    'data',
    'title',
  ]),

  read(message, report): Reading {
    const { role, metadata = null } = message
    const reader = new PartReader(report)
    if (Array.isArray(message.parts)) for (const part of message.parts) reader.add(part)
    else {
      if (typeof message.reasoning === 'string') reader.think(message.reasoning)
      for (const invocation of listOf(message.toolInvocations)) reader.invoke(invocation)
      // Version 4 writes empty text beside calls.
      const { content } = message
      const isEmpty = content === '' && listOf(message.toolInvocations).length > 0
      if (typeof content === 'string' && !isEmpty) reader.say(content)
    }
    // Version 4 keeps files beside the text, and repeats the text of the parts in `content`.
    for (const file of listOf(message.experimental_attachments)) if (isJsonObject(file)) reader.attach(file)
    if (typeof message.content === 'string' && reader.repeats(message.content)) reader.asides.push(message.content)
    if (typeof message.reasoning === 'string' && reader.thoughts.join('') === message.reasoning)
      reader.asides.push(message.reasoning)
    const facts = isJsonObject(metadata) ? metadata : {}
    const time = timeOf(message.createdAt ?? facts.createdAt)
    const usage = usageOf(facts.usage ?? facts.totalUsage)
    if (metadata !== null) report.lose('metadata of messages')
    return {
      said: reader.finish(role),
      thoughts: reader.thoughts,
      asides: reader.asides,
      ...(time === undefined ? {} : { time }),
      ...(usage === undefined ? {} : { usage }),
      ...(typeof facts.model === 'string' ? { model: facts.model } : {}),
    }
  },

  write: writeUiMessages,
}

function listOf(value: JsonValue | undefined): readonly JsonValue[] {
  return Array.isArray(value) ? value : []
}

class PartReader {
  readonly #report: Report
  readonly thoughts: string[] = []
  readonly asides: string[] = []
  readonly #said: ReadMessage[] = []
  readonly #texts: string[] = []
  #parts: ContentPart[] = []

  constructor(report: Report) {
    this.#report = report
  }

  add(part: JsonValue): void {
    const { tell, lose } = this.#report
    if (!isJsonObject(part) || typeof part.type !== 'string') {
      tell('has a part without a type; kept, but not read')
      return
    }
    const { type } = part
    if (type === 'text' && typeof part.text === 'string') this.say(part.text)
    else if (type === 'reasoning') this.think(textIn(part, 'text', 'reasoning'), part)
    else if (type === 'file' || type === 'image') this.attach(part)
    else if (type === 'tool-invocation') this.invoke(part.toolInvocation ?? null)
    else if (type === 'dynamic-tool') this.#call(part, textIn(part, 'toolName'))
    else if (type.startsWith('tool-')) this.#call(part, type.slice('tool-'.length))
    else if (type === 'step-start') this.#flush()
    else if (type === 'source-url' || type === 'source-document' || type === 'source') lose('sources')
    else if (type === 'reasoning-file') lose('reasoning')
    else if (type.startsWith('data-') || type === 'custom') {
      lose('data parts')
      collectTexts(part.data, this.asides)
    } else tell('has a part of an unknown type; kept, but not read')
  }

  say(text: string): void {
    this.#texts.push(text)
    this.#parts.push(textPart(text))
  }

  /** Whether a text is what the parts say together. */
  repeats(content: string): boolean {
    return ['', '\n', '\n\n'].some(between => this.#texts.join(between) === content)
  }

  think(text: string, { providerMetadata }: JsonObject = {}): void {
    this.thoughts.push(text)
    this.#report.lose(providerMetadata === undefined ? 'reasoning' : 'signed reasoning')
  }

  attach(file: JsonObject): void {
    const url = textIn(file, 'url', 'data', 'image')
    const mediaType = textIn(file, 'mediaType', 'mimeType', 'contentType')
    const name = textIn(file, 'filename', 'name')
    const isUrl = /^[a-z][a-z0-9+.-]*:/i.test(url.slice(0, 40))
    this.#parts.push(
      mediaPart({ mediaType, ...(isUrl ? { url } : { data: url }), ...(name === '' ? {} : { filename: name }) }),
    )
  }

  /** A call of version 4. */
  invoke(invocation: JsonValue): void {
    if (!isJsonObject(invocation) || typeof invocation.toolName !== 'string') {
      this.#report.tell('has a tool invocation without a name; kept, but not read')
      return
    }
    const { toolName: name, args, state } = invocation
    const id = textIn(invocation, 'toolCallId')
    this.#said.push(assistant(this.#take(), [call(id, name, args)]))
    if (state === 'result') this.#said.push(result({ id, name, value: invocation.result ?? null }))
  }

  #call(part: JsonObject, name: string): void {
    const id = textIn(part, 'toolCallId')
    const { state, input = part.rawInput, output = null, approval } = part
    this.#said.push(assistant(this.#take(), [call(id, name, input)]))
    if (part.input !== undefined && part.rawInput !== undefined) collectTexts(part.rawInput, this.asides)
    if (state === 'output-available') this.#said.push(result({ id, name, value: output }))
    if (state === 'output-error') this.#said.push(result({ id, name, value: textIn(part, 'errorText'), isError: true }))
    if (state === 'output-denied') {
      const reason = isJsonObject(approval) ? textIn(approval, 'reason') : ''
      this.#said.push(result({ id, name, value: reason || 'The tool call was denied.', isError: true }))
    }
    if (approval !== undefined) {
      if (isJsonObject(approval)) this.asides.push(textIn(approval, 'reason'))
      this.#report.lose('approvals')
    }
  }

  #take(): ContentPart[] | undefined {
    const parts = this.#parts
    this.#parts = []
    return parts.length === 0 ? undefined : parts
  }

  /** What was said in a step without a call. */
  #flush(): void {
    const said = this.#take()
    if (said !== undefined) this.#said.push(assistant(said))
  }

  finish(role: JsonValue | undefined): ReadMessage[] {
    const said = this.#take()
    if (said !== undefined) {
      this.#said.push(role === 'assistant' ? assistant(said) : role === 'system' ? system(said) : user(said))
    } else if (role === 'user' && this.#said.length === 0) this.#said.push(user(null))
    return this.#said
  }
}

/** One message of the assistant holds all its steps, each with its calls and results. */
function writeUiMessages(messages: readonly ChatMessage[], options: WriteOptions): Written {
  const { idPrefix, lose } = options
  const written: { id: string; role: string; parts: JsonObject[] }[] = []
  for (const step of stepsOf(messages, options)) {
    const last = written.at(-1)
    const id = `${idPrefix}-${written.length}`
    if (step.role !== 'assistant') {
      const parts =
        step.role === 'system'
          ? [textPart(step.text)]
          : step.parts.flatMap((part): JsonObject[] => {
              const each = writtenPart(part)
              if (each.kind === 'text') return [textPart(each.text)]
              if (each.kind === 'url') return [{ type: 'file', mediaType: 'image/*', url: each.url }]
              if (each.kind === 'uploaded') {
                lose('files by id')
                return []
              }
              const { mediaType, data, filename } = each
              const url = `data:${mediaType};base64,${data}`
              return [{ type: 'file', mediaType, url, ...(filename === undefined ? {} : { filename }) }]
            })
      if (parts.length > 0) written.push({ id, role: step.role, parts })
      continue
    }
    const parts: JsonObject[] = [
      { type: 'step-start' },
      ...step.texts.map(text => textPart(text)),
      ...step.calls.map(each => ({
        type: `tool-${each.name}`,
        toolCallId: each.id,
        ...(each.failed
          ? { state: 'output-error', input: each.input, errorText: each.output }
          : { state: 'output-available', input: each.input, output: jsonOutput(each) }),
      })),
    ]
    if (last?.role === 'assistant') last.parts.push(...parts)
    else written.push({ id, role: 'assistant', parts })
  }
  return { messages: written }
}
