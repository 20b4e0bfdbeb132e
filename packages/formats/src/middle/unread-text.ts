import type { JsonObject, JsonValue } from '@turnstore/core'
import { isPart } from './say.js'
import type { Reading } from './dialect.js'

/** The members that hold what somebody said, in any of the formats. */
const textNames = new Set([
  'content',
  'text',
  'parts',
  'message',
  'input_text',
  'output_text',
  'output',
  'input',
  'refusal',
  'reasoning',
  'reasoning_content',
  'thinking',
  'thought',
  'summary',
  'transcript',
  'value',
  'result',
  'results',
  'response',
  'errorText',
  'body',
  'prompt',
  'completion',
  'delta',
])

/**
 * The path of a text in a message that its reading does not have, or null. Readers know the members that their format
 * documents; this finds text in any other, so that nothing is left out in silence.
 */
export function unreadText(message: JsonObject, reading: Reading): string | null {
  const read = new Set<string>([...(reading.thoughts ?? []), ...(reading.asides ?? [])])
  for (const each of reading.said) {
    if (typeof each.content === 'string') read.add(each.content)
    for (const part of Array.isArray(each.content) ? each.content : []) if (isPart(part)) collect(part, read)
    if (each.role === 'tool' && each.outcome !== undefined) {
      collect(each.outcome.result, read)
      if (each.outcome.error !== null) read.add(each.outcome.error)
    }
    if (each.role === 'assistant')
      for (const { written } of each.calls) if (written !== undefined) collect(written, read)
  }
  return find(message, '', read)
}

function collect(value: JsonValue, into: Set<string>): void {
  if (typeof value === 'string') into.add(value)
  else if (typeof value === 'object' && value !== null) for (const member of Object.values(value)) collect(member, into)
}

function find(value: JsonValue, path: string, read: ReadonlySet<string>): string | null {
  if (typeof value !== 'object' || value === null) return null
  const isList = Array.isArray(value)
  for (const [key, member] of Object.entries(value)) {
    const here = isList ? `${path}[]` : textNames.has(key) ? (path === '' ? key : `${path}.${key}`) : ''
    const isText = isList ? path !== '' : textNames.has(key)
    if (typeof member === 'string') {
      if (isText && member.trim() !== '' && !read.has(member)) return here
      continue
    }
    const found = find(member, here, read)
    if (found !== null) return found
  }
  return null
}
