import type { JsonObject } from '@turnstore/core'
import { type ContentPart, isJsonObject, type ReadMessage } from '@turnstore/core/adapter'
import type { Read, Reading, Report } from '../middle/dialect.js'
import { listOf } from '../middle/entries.js'
import { parseJsonText } from '../middle/json-text.js'
import { textPart } from '../middle/parts.js'
import { assistant, call, collectTexts, isTextPart, result, system, textIn, user } from '../middle/say.js'
import { timeOf } from '../middle/time.js'

/** Reads the messages of a branch. Results name their tool and no call, so it remembers which tools were called. */
export function beginChatGpt(): Read {
  const calls = new OpenTools()
  return (message, report) => {
    const time = timeOf(message.create_time)
    const facts = isJsonObject(message.metadata) ? message.metadata : {}
    return {
      ...readMessage(message, report, calls),
      ...(time === undefined ? {} : { time }),
      ...(typeof facts.model_slug === 'string' ? { model: facts.model_slug } : {}),
    }
  }
}

class OpenTools {
  readonly #counts = new Map<string, number>()

  call(name: string, written: JsonObject): ReadMessage {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1)
    return assistant(undefined, [call('', name, written)])
  }

  /** The result, after the call itself if the file has none: some tools run unasked, or answer several times. */
  answer(name: string, value: string | ContentPart[]): ReadMessage[] {
    const count = this.#counts.get(name) ?? 0
    this.#counts.set(name, Math.max(0, count - 1))
    const made = count > 0 ? [] : [assistant(undefined, [call('', name, {})])]
    return [...made, result({ id: '', name, value })]
  }
}

function readMessage(
  message: JsonObject,
  report: Report,
  calls: OpenTools,
): Pick<Reading, 'said' | 'thoughts' | 'asides'> {
  const { author, content, metadata } = message
  const role = isJsonObject(author) ? author.role : undefined
  if (!isJsonObject(content)) {
    report.tell('has content of an unknown shape; kept, but not read')
    return { said: [] }
  }
  if (content.content_type === 'thoughts' || content.content_type === 'reasoning_recap') {
    const thoughts: string[] = []
    collectTexts(content, thoughts)
    report.lose('reasoning')
    return { said: [], thoughts }
  }
  const parts = readParts(content, report)
  const text = parts.flatMap(part => (isTextPart(part) ? [part.text] : [])).join('\n')
  // Custom instructions, and what the tool remembers of the user.
  if (content.content_type === 'user_editable_context' || content.content_type === 'model_editable_context')
    return { said: [system(parts)] }
  if (role === 'user') {
    // What the tool puts in the user's mouth opens no turn.
    const isHidden = isJsonObject(metadata) && metadata.is_visually_hidden_from_conversation === true
    return { said: [isHidden ? system(parts) : user(parts)] }
  }
  if (role === 'system') {
    const instructions: string[] = []
    // Where older exports have the custom instructions.
    if (isJsonObject(metadata)) collectTexts(metadata.user_context_message_data, instructions)
    const all = [...(text === '' ? [] : parts), ...instructions.map(textPart)]
    return { said: all.length === 0 ? [] : [system(all)] }
  }
  if (role === 'tool') {
    const name = (isJsonObject(author) ? textIn(author, 'name') : '') || 'tool'
    return { said: calls.answer(name, parts.length === 1 && text !== '' ? text : parts.length === 0 ? '' : parts) }
  }
  if (role !== 'assistant') {
    report.tell('is of an unknown author; kept, but not read')
    return { said: [] }
  }
  // A message to a tool is a call of it.
  const recipient = textIn(message, 'recipient') || 'all'
  if (recipient === 'all') return { said: [assistant(parts)] }
  return { said: [calls.call(recipient, writtenOf(text))], asides: parts.flatMap(part => textIn(part, 'text')) }
}

function writtenOf(text: string): JsonObject {
  const value = parseJsonText(text)
  // Otherwise code, or the words of a search.
  return isJsonObject(value) ? value : { input: text }
}

/** The texts of the types of content that have no parts. */
const textNames = [
  'text',
  'result',
  'summary',
  'model_set_context',
  'user_profile',
  'user_instructions',
  'title',
  'url',
  'domain',
  'name',
]

function readParts(content: JsonObject, { tell, lose }: Report): ContentPart[] {
  if (!Array.isArray(content.parts)) {
    const texts = textNames.flatMap(name => textIn(content, name) || [])
    if (texts.length === 0 && Object.values(content).some(value => typeof value === 'object' && value !== null)) {
      tell('has content of an unknown type; kept, but not read')
    }
    return texts.map(textPart)
  }
  return listOf(content.parts).flatMap((part): ContentPart[] => {
    if (typeof part === 'string') return part === '' ? [] : [textPart(part)]
    if (!isJsonObject(part)) {
      tell('has a part that is neither text nor an object; kept, but not read')
      return []
    }
    // What was spoken.
    if (typeof part.text === 'string') return [textPart(part.text)]
    lose('pictures, sounds and files, which the file only refers to')
    return []
  })
}
