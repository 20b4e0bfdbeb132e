import {
  type AssistantMessage,
  type ChatContent,
  type ChatMessage,
  type ChatToolCall,
  type ContentPart,
  MAX_CALL_ID_LENGTH,
  NO_RESULT,
} from './chat-message.js'
import { parseArguments } from './call-arguments.js'
import { layoutOf, type PlacedCall, type PlacedMessage } from './chat-layout.js'
import { cloneJson, type JsonObject, type JsonValue, sameJson, setMember } from '../basics/json.js'
import type { ToolCallRecord, TurnRecord } from '../records/models.js'
import { fingerprint } from '../basics/text.js'

const ROOM_FOR_COUNT = 5

/**
 * Converts turns to chat messages that you can send to a model as they are. For any turns, each tool call
 * appears once and is directly followed by its result, and there is no result without its call.
 *
 * A turn becomes its prompt (omitted if `''`), each tool call with its result, and its response. If
 * `turnsFromMessages` stored another layout in `metadata.chat`, that layout is used as far as it still
 * matches the turn. In detail:
 *
 * - A result that is not text is converted to JSON. For a failed call, the content is its error. For a call
 *   without a result, it is a sentence that says so.
 * - Turns with status `cancelled` or `error` are treated like all others. A turn without a response gets no
 *   response message. A turn's `error` is meant for people and is not sent to the model.
 * - Call ids are unique in the whole conversation (`id`, `id#2`). Exception: if an imported conversation
 *   reused an id in a later message, that id is kept.
 * - System messages belong to the turn in which they were imported. If you convert only the last n turns,
 *   the system messages of earlier turns are missing.
 *
 * @example
 * import type { ChatCompletionMessageParam } from 'openai/resources'
 *
 * // The cast is needed because OpenAI's type is narrower than ChatMessage, which also fits imported messages.
 * const messages = messagesFromTurns(session.turns) as ChatCompletionMessageParam[]
 * const completion = await openai.chat.completions.create({ model, messages, tools })
 */
export function messagesFromTurns(turns: readonly TurnRecord[]): ChatMessage[] {
  const messages: ChatMessage[] = []
  const ids = new CallIds()
  for (const turn of turns) {
    const idsOfTurn = new Map<number, string>()
    for (const placed of layoutOf(turn)) messages.push(render(turn, placed, ids, idsOfTurn))
  }
  return messages
}

function render(turn: TurnRecord, placed: PlacedMessage, ids: CallIds, idsOfTurn: Map<number, string>): ChatMessage {
  if (placed.role === 'assistant') return withMembers(renderAssistant(turn, placed, ids, idsOfTurn), placed.extra)
  if (placed.role === 'tool') {
    const content = placed.content === undefined ? resultText(placed.call) : cloneContent(placed.content)
    return withMembers({ role: 'tool', tool_call_id: idsOfTurn.get(placed.index) ?? '', content }, placed.extra)
  }
  return withMembers({ role: placed.role, content: cloneContent(placed.content) }, placed.extra)
}

function renderAssistant(
  turn: TurnRecord,
  { content, calls }: PlacedMessage & { role: 'assistant' },
  ids: CallIds,
  idsOfTurn: Map<number, string>,
): AssistantMessage {
  const message: AssistantMessage = { role: 'assistant' }
  if (content !== undefined) message.content = cloneContent(content)
  if (calls.length === 0) return message
  const idsOfMessage = new Set<string>()
  message.tool_calls = calls.map(place => {
    const id = ids.next(turn, place, idsOfMessage)
    idsOfMessage.add(id)
    idsOfTurn.set(place.index, id)
    return renderCall(id, place)
  })
  return message
}

/** Gives each call its imported id, or an id that the conversation does not use yet. */
class CallIds {
  readonly #used = new Set<string>()
  readonly #repeated = new Map<string, number>()

  next(turn: TurnRecord, { call, index, id }: PlacedCall, idsOfMessage: ReadonlySet<string>): string {
    const given =
      id !== undefined && !idsOfMessage.has(id) ? id : this.#unique(call.callId || `${turn.turnId}:${index}`)
    this.#used.add(given)
    return given
  }

  #unique(id: string): string {
    let unique = id.length > MAX_CALL_ID_LENGTH ? shortened(id) : id
    let count = this.#repeated.get(id) ?? 1
    while (this.#used.has(unique)) {
      count++
      unique = `${id.length + ROOM_FOR_COUNT > MAX_CALL_ID_LENGTH ? shortened(id) : id}#${count}`
    }
    if (count > 1) this.#repeated.set(id, count)
    return unique
  }
}

function shortened(id: string): string {
  return `call_${fingerprint(id)}`
}

function renderCall(id: string, { call, extra, functionExtra }: PlacedCall): ChatToolCall {
  const target = withMembers({ name: call.toolName, arguments: argumentsText(call) }, functionExtra)
  return withMembers({ id, type: 'function', function: target }, extra)
}

/** The arguments as the model wrote them, if that text was kept and still matches the call. */
function argumentsText(call: ToolCallRecord): string {
  const text = Object.hasOwn(call.metadata, 'argumentsText') ? call.metadata.argumentsText : undefined
  if (typeof text === 'string' && sameJson(parseArguments(text) ?? {}, call.arguments)) return text
  return JSON.stringify(call.arguments)
}

function resultText(call: ToolCallRecord): string {
  const { result, error, status } = call
  if (status === 'success' && (result !== null || error === null)) return asText(result)
  if (error !== null) return error
  if (result !== null) return asText(result)
  return status === 'running' ? NO_RESULT : `This tool call ended with status ${status} and without a result.`
}

function asText(result: JsonValue): string {
  return typeof result === 'string' ? result : JSON.stringify(result)
}

function cloneContent(content: ChatContent): ChatContent {
  return Array.isArray(content) ? content.map(part => ({ ...mapMembers(part), type: part.type })) : content
}

function mapMembers(part: ContentPart): JsonObject {
  const copy: JsonObject = {}
  for (const [key, value] of Object.entries(part)) setMember(copy, key, cloneJson(value))
  return copy
}

/** Adds members that the message does not have yet. `__proto__` is treated as data. */
function withMembers<T extends object>(message: T, members: JsonObject | undefined): T {
  for (const [key, value] of Object.entries(members ?? {})) {
    if (Object.hasOwn(message, key)) continue
    Object.defineProperty(message, key, {
      value: cloneJson(value),
      enumerable: true,
      configurable: true,
      writable: true,
    })
  }
  return message
}
