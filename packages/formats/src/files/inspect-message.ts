import type { JsonObject, JsonValue } from '@turnstore/core'
import { type ContentPart, isJsonObject, type ReadMessage } from '@turnstore/core/adapter'
import type { Read, Reading, Report } from '../middle/dialect.js'
import { listOf } from '../middle/entries.js'
import { mediaPart, textPart } from '../middle/parts.js'
import { assistant, call, collectTexts, isTextPart, result, system, textIn, user } from '../middle/say.js'

/** Reads a message of a sample of Inspect. */
export const readInspect: Read = (message, report): Reading => {
  const { role, model } = message
  const content = new Content(report)
  const parts = content.read(message.content)
  const read = {
    thoughts: content.thoughts,
    asides: content.asides,
    ...(typeof model === 'string' ? { model } : {}),
  }
  if (role === 'user') return { ...read, said: [user(parts)] }
  if (role === 'system') return { ...read, said: [system(parts)] }
  if (role === 'tool') return { ...read, said: [readResult(message, parts, content.asides)] }
  if (role !== 'assistant') {
    report.tell('has an unknown role; kept, but not read')
    return { said: [] }
  }
  const calls = listOf(message.tool_calls).flatMap(each => {
    if (!isJsonObject(each)) {
      report.tell('has a tool call that is no object; kept, but not read')
      return []
    }
    if (typeof each.parse_error === 'string') content.asides.push(each.parse_error)
    return [call(textIn(each, 'id'), textIn(each, 'function'), each.arguments)]
  })
  const own = calls.length > 0 && parts.length === 0 ? undefined : parts
  return { ...read, said: [...content.served, assistant(own, calls)] }
}

function readResult(message: JsonObject, parts: string | ContentPart[], asides: string[]): ReadMessage {
  const { error = null } = message
  const [only, ...others] = typeof parts === 'string' ? [] : parts
  const value = others.length === 0 && isTextPart(only) ? only.text : parts
  const failure = isJsonObject(error) ? textIn(error, 'message') : ''
  // Beside its error, a call may have output.
  collectTexts(value, asides)
  const id = textIn(message, 'tool_call_id')
  return result({ id, name: textIn(message, 'function'), value: failure || value, isError: isJsonObject(error) })
}

class Content {
  readonly #report: Report
  readonly thoughts: string[] = []
  readonly asides: string[] = []
  /** Calls that ran at the provider, with their results. */
  readonly served: ReadMessage[] = []

  constructor(report: Report) {
    this.#report = report
  }

  read(content: JsonValue | undefined): string | ContentPart[] {
    if (typeof content === 'string') return content
    return listOf(content).flatMap(part => this.#readPart(part))
  }

  #readPart(part: JsonValue): ContentPart[] {
    const { tell, lose } = this.#report
    if (isTextPart(part)) return [textPart(part.text)]
    if (!isJsonObject(part)) {
      tell('has content that is no part; kept, but not read')
      return []
    }
    const { type } = part
    if (type === 'image' || type === 'audio' || type === 'video' || type === 'document') {
      const url = textIn(part, type)
      const mediaType = type === 'image' ? 'image' : textIn(part, 'mime_type') || `${type}/${textIn(part, 'format')}`
      return [mediaPart({ mediaType, url })]
    }
    if (type === 'reasoning') {
      this.thoughts.push(textIn(part, 'reasoning'), textIn(part, 'summary'))
      lose(typeof part.signature === 'string' ? 'signed reasoning' : 'reasoning')
    } else if (type === 'tool_use') this.#serve(part)
    else if (type === 'data') {
      collectTexts(part.data, this.asides)
      lose("the provider's own content")
    } else tell('has a part of an unknown type; kept, but not read')
    return []
  }

  #serve(part: JsonObject): void {
    const id = textIn(part, 'id')
    const name = textIn(part, 'name')
    const error = textIn(part, 'error')
    collectTexts([part.context ?? null, part.result ?? null], this.asides)
    this.served.push(
      assistant(undefined, [call(id, name, part.arguments)]),
      result({ id, name, value: error || (part.result ?? ''), isError: error !== '' }),
    )
    this.#report.lose('that a tool ran at the provider')
  }
}
