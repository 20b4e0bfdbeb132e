import { LAYOUT_KEY, referTo, textOf, usualLayout } from './chat-layout.js'
import { type ChatContent, NO_RESULT } from './chat-message.js'
import { parseArguments } from './call-arguments.js'
import { isJsonObject, type JsonObject, type JsonValue, sameJson } from '../basics/json.js'
import type { ToolCallRecord, TurnRecord } from '../records/models.js'

/** A message of an unfinished turn. Which text is the response is only known at the end. */
export type Draft =
  | { readonly role: 'system' | 'developer' | 'user'; readonly content: ChatContent; readonly extra: JsonObject }
  | AssistantDraft

export interface AssistantDraft {
  readonly role: 'assistant'
  readonly content: ChatContent | undefined
  readonly calls: JsonValue[]
  readonly extra: JsonObject
  /** In the order of arrival, which may differ from the order of the calls. */
  readonly results: JsonObject[]
}

/** A tool call that has no result yet. */
export interface OpenCall {
  readonly call: ToolCallRecord
  readonly index: number
  readonly draft: AssistantDraft
}

export interface CallSource {
  /** `''` if the call had no id. */
  readonly id: string
  /** The key that a result refers to, if not the id. */
  readonly key?: string
  readonly name: string
  readonly written: JsonValue | undefined
  readonly extra: JsonObject
  readonly functionExtra: JsonObject
}

/** Builds a turn, message by message. */
export class DraftTurn {
  readonly drafts: Draft[]
  readonly toolCalls: ToolCallRecord[] = []
  readonly #turnId: string
  readonly #prompt: string
  readonly #callIds = new Map<string, number>()

  constructor(turnId: string, prompt: string, drafts: Draft[]) {
    this.#turnId = turnId
    this.#prompt = prompt
    this.drafts = drafts
  }

  addCall({ id, name, written }: CallSource): ToolCallRecord {
    const call: ToolCallRecord = {
      callId: this.#uniqueId(id === '' ? `${this.#turnId}:${this.toolCalls.length}` : id),
      toolName: name,
      ...readArguments(written),
      result: null,
      status: 'running',
      error: null,
      durationMs: null,
      sandboxContext: null,
    }
    this.toolCalls.push(call)
    return call
  }

  /** `id`, `id#2`, …. Later calls do not change the ids of earlier ones. */
  #uniqueId(id: string): string {
    let count = this.#callIds.get(id) ?? 0
    let unique = id
    while (count > 0 && this.#callIds.has(unique)) {
      count++
      unique = `${id}#${count}`
    }
    this.#callIds.set(id, Math.max(count, 1))
    if (unique !== id) this.#callIds.set(unique, 1)
    return unique
  }

  finish(agentId: string | null, isLast: boolean): TurnRecord {
    const response = this.#findResponse()
    const responseContent = response === undefined ? null : textOf(response.content)
    const chat = this.drafts.flatMap(draft => layoutEntries(draft, draft === response))
    const usual = usualLayout({ prompt: this.#prompt, responseContent, toolCalls: this.toolCalls })
    return {
      turnId: this.#turnId,
      agentId,
      prompt: this.#prompt,
      responseContent,
      toolCalls: this.toolCalls,
      items: [],
      startedAt: '',
      endedAt: null,
      status: isLast && this.#isUnfinished() ? 'running' : 'success',
      error: null,
      auditEventIds: [],
      metadata: sameJson(chat, usual) ? {} : { [LAYOUT_KEY]: chat },
    }
  }

  /** The assistant's last message with text, or else the last with empty text. */
  #findResponse(): AssistantDraft | undefined {
    const said = this.drafts.filter(
      (draft): draft is AssistantDraft => draft.role === 'assistant' && textOf(draft.content) !== null,
    )
    return said.findLast(({ content }) => textOf(content) !== '') ?? said.at(-1)
  }

  #isUnfinished(): boolean {
    const last = this.drafts.findLast(({ role }) => role !== 'system' && role !== 'developer')
    return last?.role !== 'assistant' || last.calls.length > 0
  }
}

/** An assistant message is followed by the results of its calls, wherever those were. */
function layoutEntries(draft: Draft, isResponse: boolean): JsonValue[] {
  const { role, content } = draft
  const extra = named('extra', draft.extra)
  if (role === 'user') {
    return [
      shortEntry({ role, ...(typeof content === 'string' ? {} : { content: storedContent(content, true) }), ...extra }),
    ]
  }
  if (role !== 'assistant') return [{ role, content, ...extra }]
  if (draft.calls.length === 0) {
    const isPlainResponse = isResponse && typeof content === 'string'
    return [shortEntry({ role, ...(isPlainResponse ? {} : { content: storedContent(content, isResponse) }), ...extra })]
  }
  const said = content === null ? {} : { content: storedContent(content, isResponse) }
  return [{ role, ...said, calls: draft.calls, ...extra }, ...draft.results]
}

function shortEntry(entry: JsonObject): JsonValue {
  const { role = null, ...rest } = entry
  return Object.keys(rest).length === 0 ? role : entry
}

function storedContent(content: ChatContent | undefined, refers: boolean): JsonValue {
  if (content === undefined) return false
  if (!refers || content === null) return content
  return typeof content === 'string' ? content.length : referTo(content)
}

/** Adds the result to its call. */
export function answer({ call, index, draft }: OpenCall, content: ChatContent, members: JsonObject): void {
  const isAnswer = content !== NO_RESULT // the placeholder that messagesFromTurns writes
  if (isAnswer) {
    call.result = content
    call.status = 'success'
  }
  const { name, ...others } = members
  const isToolName = name === call.toolName
  draft.results.push({
    role: 'tool',
    call: index,
    ...(content === null ? { content } : Array.isArray(content) ? { content: 'parts' } : {}),
    ...(isToolName ? { name: true } : {}),
    ...named('extra', isToolName ? others : members),
  })
}

/** An object with one member, or an empty one if there is nothing to store. */
export function named(name: string, members: JsonObject): JsonObject {
  return Object.keys(members).length === 0 ? {} : { [name]: members }
}

/** Also keeps the text if it cannot be restored from the parsed object. */
function readArguments(written: JsonValue | undefined): Pick<ToolCallRecord, 'arguments' | 'metadata'> {
  if (written === undefined || written === null) return { arguments: {}, metadata: {} }
  if (isJsonObject(written)) return { arguments: written, metadata: {} }
  const text = typeof written === 'string' ? written : JSON.stringify(written)
  const parsed = parseArguments(text)
  if (parsed !== null && JSON.stringify(parsed) === text) return { arguments: parsed, metadata: {} }
  return { arguments: parsed ?? {}, metadata: { argumentsText: text } }
}
