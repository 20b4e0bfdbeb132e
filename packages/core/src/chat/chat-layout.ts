import type { ChatContent, ContentPart } from './chat-message.js'
import { isJsonObject, type JsonObject, type JsonValue, setMember } from '../basics/json.js'
import type { ToolCallRecord, TurnRecord } from '../records/models.js'

/*
 * The layout of a turn: which messages it was imported from. The usual layout is user(prompt), then for
 * each tool call assistant(call) and tool(result), then assistant(response). It is not stored. Any other
 * layout is stored in `metadata.chat` as a list of messages that refer to the turn:
 *
 *   "user" | "assistant"                         the prompt; the response
 *   { role: "user", content?, extra? }                content omitted: the prompt, as text
 *   { role: "assistant", content?, calls?, extra? }   content omitted: the response, or null if there are calls
 *   { role: "tool", call, content?, name?, extra? }   content omitted: the call's result; name true: the tool's name
 *   { role: "system" | "developer", content, extra? }
 *
 * Content is null, false (the message has no content), text, or a list of parts. The text of the prompt and
 * the response is not repeated. Instead, a number n means the next n UTF-16 units of that text. The number
 * replaces the whole content, a text part, or the text of a part with more members. The content "parts" of
 * a tool message means that the result is the list of parts. Calls are indexes, or { call, id, extra?,
 * functionExtra? } if the id cannot be derived from the call.
 *
 * Turns change after import, and anyone may write metadata. Reading therefore uses only those parts of a
 * layout that match the turn.
 */

/** The key of the layout in a turn's metadata. */
export const LAYOUT_KEY = 'chat'

/** Separates text parts that are joined into one text. */
const JOINT = '\n'

/** A message of the layout, with its content resolved from the turn. */
export type PlacedMessage =
  | { readonly role: 'system' | 'developer' | 'user'; readonly content: ChatContent; readonly extra?: JsonObject }
  | {
      readonly role: 'assistant'
      readonly content: ChatContent | undefined
      readonly calls: readonly PlacedCall[]
      readonly extra?: JsonObject
    }
  | {
      readonly role: 'tool'
      readonly call: ToolCallRecord
      readonly index: number
      /** Undefined: the call's own result or error. */
      readonly content: ChatContent | undefined
      readonly extra?: JsonObject
    }

export interface PlacedCall {
  readonly call: ToolCallRecord
  /** The call's index in the turn. */
  readonly index: number
  /** The imported id, if it cannot be derived from the call. */
  readonly id?: string
  readonly extra?: JsonObject
  readonly functionExtra?: JsonObject
}

/** The layout that is not stored. */
export function usualLayout(turn: Pick<TurnRecord, 'prompt' | 'responseContent' | 'toolCalls'>): JsonValue[] {
  return [
    ...(turn.prompt === '' ? [] : ['user']),
    ...turn.toolCalls.flatMap((_call, index) => [
      { role: 'assistant', calls: [index] },
      { role: 'tool', call: index },
    ]),
    ...(turn.responseContent === null ? [] : ['assistant']),
  ]
}

/**
 * The messages of a turn, in order. For any stored layout, each call appears exactly once, its result
 * follows the message with the call, and the prompt and the response appear at most once.
 */
export function layoutOf(turn: TurnRecord): PlacedMessage[] {
  const stored = Object.hasOwn(turn.metadata, LAYOUT_KEY) ? turn.metadata[LAYOUT_KEY] : undefined
  const layout = new LayoutReader(turn)
  for (const entry of Array.isArray(stored) ? stored : usualLayout(turn)) layout.read(entry)
  return layout.finish()
}

class LayoutReader {
  readonly #turn: TurnRecord
  readonly #messages: PlacedMessage[] = []
  readonly #placed = new Set<number>()
  /** Calls of the previous message that have no result yet. */
  readonly #open = new Map<number, ToolCallRecord>()
  #hasPrompt = false
  #hasResponse = false

  constructor(turn: TurnRecord) {
    this.#turn = turn
  }

  read(entry: JsonValue): void {
    const members = isJsonObject(entry) ? entry : { role: entry }
    const { role, content, call, calls } = ownMembers(members)
    if (role === 'tool') {
      this.#readResult(members, call, content)
      return
    }
    this.#closeCalls()
    if (role === 'user') this.#readPrompt(members, content)
    else if (role === 'assistant') this.#readAssistant(members, content, calls)
    else if (role === 'system' || role === 'developer') {
      this.#messages.push({ role, content: literal(content) ?? '', ...readExtra(members) })
    }
  }

  #readPrompt(members: JsonObject, content: JsonValue | undefined): void {
    const { prompt } = this.#turn
    if (this.#hasPrompt) return
    this.#hasPrompt = true
    const kept = content === null && prompt === '' ? null : prompt
    this.#messages.push({
      role: 'user',
      content: Array.isArray(content) ? (fill(content, prompt) ?? withoutText(content, prompt)) : kept,
      ...readExtra(members),
    })
  }

  #readAssistant(members: JsonObject, content: JsonValue | undefined, calls: JsonValue | undefined): void {
    const placedCalls = this.#readCalls(calls)
    const refers = isReference(content) || (content === undefined && !Array.isArray(calls))
    const said = refers ? this.#readResponse(content) : (literal(content) ?? (content === false ? undefined : null))
    const extra = readExtra(members)
    // If the response was removed, or changed and comes later, this message has no content.
    const isGone = (refers && said === null) || Array.isArray(calls)
    if (isGone && (said === null || said === undefined) && placedCalls.length === 0) return
    this.#messages.push({ role: 'assistant', content: said, calls: placedCalls, ...extra })
    for (const { call, index } of placedCalls) this.#open.set(index, call)
  }

  /** The response as this message had it, or null if it no longer matches. */
  #readResponse(content: JsonValue | undefined): ChatContent {
    const response = this.#turn.responseContent
    if (this.#hasResponse || response === null) return null
    const said = content === undefined || content === response.length ? response : fill(content, response)
    this.#hasResponse = said !== null
    return said
  }

  #readCalls(calls: JsonValue | undefined): PlacedCall[] {
    if (!Array.isArray(calls)) return []
    return calls.flatMap(entry => {
      const { call: index, id, extra, functionExtra } = ownMembers(isJsonObject(entry) ? entry : { call: entry })
      const call = typeof index === 'number' ? this.#turn.toolCalls[index] : undefined
      if (call === undefined || typeof index !== 'number' || this.#placed.has(index)) return []
      this.#placed.add(index)
      return [
        {
          call,
          index,
          ...(typeof id === 'string' && id !== '' ? { id } : {}),
          ...(isJsonObject(extra) ? { extra } : {}),
          ...(isJsonObject(functionExtra) ? { functionExtra } : {}),
        },
      ]
    })
  }

  #readResult(members: JsonObject, index: JsonValue | undefined, content: JsonValue | undefined): void {
    const call = typeof index === 'number' ? this.#open.get(index) : undefined
    if (call === undefined || typeof index !== 'number') return
    this.#open.delete(index)
    const { extra = {} } = readExtra(members)
    const named = ownMembers(members).name === true ? { ...extra, name: call.toolName } : extra
    this.#messages.push({ role: 'tool', call, index, content: resultContent(call, content), extra: named })
  }

  #closeCalls(): void {
    for (const [index, call] of this.#open) this.#messages.push({ role: 'tool', call, index, content: undefined })
    this.#open.clear()
  }

  /** Adds what the turn gained after its layout was written. */
  finish(): PlacedMessage[] {
    this.#closeCalls()
    const { prompt, responseContent, toolCalls } = this.#turn
    const missing = toolCalls.flatMap((call, index): PlacedMessage[] =>
      this.#placed.has(index)
        ? []
        : [
            { role: 'assistant', content: null, calls: [{ call, index }] },
            { role: 'tool', call, index, content: undefined },
          ],
    )
    const last = this.#messages.at(-1)
    const endsWithText = last?.role === 'assistant' && last.calls.length === 0
    const end = endsWithText && missing.length > 0 ? this.#messages.length - 1 : this.#messages.length
    const messages = [...this.#messages.slice(0, end), ...missing, ...this.#messages.slice(end)]
    if (!this.#hasPrompt && prompt !== '') {
      const begin = messages.findIndex(({ role }) => role !== 'system' && role !== 'developer')
      messages.splice(begin === -1 ? messages.length : begin, 0, { role: 'user', content: prompt })
    }
    if (!this.#hasResponse && responseContent !== null) {
      messages.push({ role: 'assistant', content: responseContent, calls: [] })
    }
    return messages
  }
}

/** The object's own members, without inherited ones. */
function ownMembers(object: JsonObject): JsonObject {
  return { __proto__: null, ...object }
}

const reserved = new Set(['role', 'content', 'tool_calls', 'tool_call_id'])

/** Unknown members, except those that would affect how calls and results are matched. */
function readExtra(members: JsonObject): { extra?: JsonObject } {
  const { extra } = ownMembers(members)
  if (!isJsonObject(extra)) return {}
  const kept: JsonObject = {}
  for (const [key, value] of Object.entries(extra)) {
    if (!reserved.has(key) && !(key === 'function_call' && value !== null)) setMember(kept, key, value)
  }
  return { extra: kept }
}

/** Content stored in the layout itself, or undefined. */
function literal(content: JsonValue | undefined): ChatContent | undefined {
  if (typeof content === 'string' || content === null) return content
  return Array.isArray(content) ? content.filter(isPart) : undefined
}

export function isPart(part: JsonValue): part is ContentPart {
  return isJsonObject(part) && Object.hasOwn(part, 'type') && typeof part.type === 'string'
}

/** Whether content refers to text of the turn. */
function isReference(content: JsonValue | undefined): boolean {
  return (
    typeof content === 'number' || (Array.isArray(content) && content.some(item => referredLength(item) !== undefined))
  )
}

/** The length of the text that a part refers to, or undefined if the part holds its own text. */
function referredLength(item: JsonValue): number | undefined {
  if (typeof item === 'number') return item
  return isPart(item) && item.type === 'text' && typeof item.text === 'number' ? item.text : undefined
}

/** The parts with their text filled in, or null if the text has changed. */
function fill(content: JsonValue | undefined, text: string): ContentPart[] | null {
  if (!Array.isArray(content)) return null
  const parts: ContentPart[] = []
  let at = 0
  for (const item of content) {
    const length = referredLength(item)
    if (length === undefined) {
      if (isPart(item)) parts.push(item)
      continue
    }
    if (at > 0 && text.slice(at - JOINT.length, at) !== JOINT) return null
    if (!Number.isSafeInteger(length) || length < 0 || at + length > text.length) return null
    parts.push({ ...(isJsonObject(item) ? item : {}), type: 'text', text: text.slice(at, at + length) })
    at += length + JOINT.length
  }
  const end = at === 0 ? 0 : at - JOINT.length
  return end === text.length ? parts : null
}

/** The changed text as one part, followed by the parts that are not text. */
function withoutText(content: readonly JsonValue[], text: string): ContentPart[] {
  return [{ type: 'text', text }, ...content.filter(isPart).filter(part => part.type !== 'text')]
}

function resultContent(call: ToolCallRecord, content: JsonValue | undefined): ChatContent | undefined {
  const { result } = call
  if (content === null && result === null && call.status === 'success') return null
  if (content === 'parts' && Array.isArray(result) && result.every(isPart)) return result
  return undefined
}

/*
 * Building a layout from messages.
 */

/** The text of content, or null if it has none. */
export function textOf(content: ChatContent | undefined): string | null {
  if (typeof content === 'string' || content === null || content === undefined) return content ?? null
  const texts = content.flatMap(part => (isTextPart(part) ? [part.text] : []))
  return texts.length === 0 ? null : texts.join(JOINT)
}

function isTextPart(part: ContentPart): part is ContentPart & { text: string } {
  return part.type === 'text' && typeof part.text === 'string'
}

/** Replaces the texts of parts with their lengths: references to the prompt or the response. */
export function referTo(parts: readonly ContentPart[]): JsonValue[] {
  return parts.map(part => {
    if (!isTextPart(part)) return part
    return Object.keys(part).length === 2 ? part.text.length : { ...part, text: part.text.length }
  })
}
