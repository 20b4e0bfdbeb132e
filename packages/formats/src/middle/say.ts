import type { JsonObject, JsonValue } from '@turnstore/core'
import type { ChatContent, ContentPart, ReadCall, ReadMessage } from '@turnstore/core/adapter'

export function user(content: ChatContent): ReadMessage {
  return { role: 'user', content }
}

export function system(content: ChatContent): ReadMessage {
  return { role: 'system', content }
}

export function assistant(content: ChatContent | undefined, calls: readonly ReadCall[] = []): ReadMessage {
  return { role: 'assistant', content, calls }
}

/** A call of the assistant. */
export function call(id: string, name: string, written: JsonValue | undefined): ReadCall {
  return { id, key: keyOf(id, name), name, written }
}

/** The result of a call, as the format has it. */
export function result({ id, name, value, isError = false }: ToolResult): ReadMessage {
  const content = contentOfResult(value)
  return {
    role: 'tool',
    key: keyOf(id, name),
    content,
    outcome: isError
      ? { result: typeof value === 'string' ? null : value, error: textOfResult(content) }
      : { result: value, error: null },
  }
}

interface ToolResult {
  /** `''` if the format has none. */
  readonly id: string
  readonly name: string
  readonly value: JsonValue
  readonly isError?: boolean
}

/** A call without an id is answered by its name. The NUL keeps names apart from ids. */
function keyOf(id: string, name: string): string {
  return id === '' ? `\u0000${name}` : id
}

function contentOfResult(value: JsonValue): ChatContent {
  if (typeof value === 'string') return value
  if (isParts(value)) return value
  return JSON.stringify(value)
}

function textOfResult(content: ChatContent): string {
  return typeof content === 'string' ? content : JSON.stringify(content)
}

/** Whether a list is one of content parts, of the kinds that chat completions have. */
function isParts(value: JsonValue): value is ContentPart[] {
  return Array.isArray(value) && value.length > 0 && value.every(isPart)
}

const partTypes = new Set(['text', 'image_url', 'input_audio', 'file', 'refusal'])

/** Whether a part is of a kind that chat completions have. */
export function isPart(part: JsonValue): part is ContentPart {
  if (typeof part !== 'object' || part === null || Array.isArray(part)) return false
  if (typeof part.type !== 'string' || !partTypes.has(part.type)) return false
  const body = part[part.type]
  return part.type === 'text' || part.type === 'refusal'
    ? typeof body === 'string'
    : typeof body === 'object' && body !== null && !Array.isArray(body)
}

/** A part with text, in the form that most formats have. */
export function isTextPart(part: JsonValue | undefined): part is JsonObject & { type: 'text'; text: string } {
  return (
    typeof part === 'object' &&
    part !== null &&
    !Array.isArray(part) &&
    part.type === 'text' &&
    typeof part.text === 'string'
  )
}

/** A text that a format allows to be missing. */
export function textIn(object: JsonObject, ...names: readonly string[]): string {
  for (const name of names) {
    const text = object[name]
    if (typeof text === 'string') return text
  }
  return ''
}

/** A copy of an object without some members. */
export function without(object: JsonObject, names: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([name]) => !names.includes(name)))
}

/** A member that is a text, and the others. Anything else under its name stays with them. */
export function takeText(object: JsonObject, name: string): { text: string; others: JsonObject } {
  const text = object[name]
  return typeof text === 'string' ? { text, others: without(object, [name]) } : { text: '', others: object }
}

/** All texts in a value, for what a file repeats or keeps for itself. */
export function collectTexts(value: JsonValue | undefined, into: string[]): void {
  // Not by recursion: a file may be nested without end.
  const waiting = [value]
  for (let next = waiting.pop(); waiting.length > 0 || next !== undefined; next = waiting.pop()) {
    if (typeof next === 'string') into.push(next)
    else if (typeof next === 'object' && next !== null) for (const member of Object.values(next)) waiting.push(member)
  }
}
