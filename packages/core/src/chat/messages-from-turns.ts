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
import {
  cloneJson,
  type JsonObject,
  type JsonValue,
  sameJson,
  setMember,
} from '../basics/json.js'
import type { ToolCallRecord, TurnRecord } from '../records/models.js'
import { fingerprint } from '../basics/text.js'

const ROOM_FOR_COUNT = 5

/**
 * The conversation that turns hold, as chat messages that can be sent to a model as they are, whatever
 * the turns hold: each tool call stands once, directly followed by its result, and no result stands
 * alone.
 *
 * A turn gives its prompt (none where it is `''`), each tool call with its result, and its response,
 * unless `turnsFromMessages` kept another layout in `metadata.chat`, which then holds as far as it fits
 * the turn as it is now. Besides:
 *
 * - A result that is no text is given as JSON; a call that failed gives its error, and one without a
 *   result a sentence that says so. What `cancelled` and `error` turns hold is given like that of others.
 *   Nothing is put into the model's mouth: a turn without a response gives none, and its `error` is for
 *   people, not for the model.
 * - The ids of calls are unique in the whole conversation (`id`, `id#2`). Only where an imported
 *   conversation itself used an id again in a later message, it is given back as it was.
 * - System messages stand in the turn in which they were imported: the last n turns come without those
 *   of the turns before.
 *
 * @example
 * import type { ChatCompletionMessageParam } from 'openai/resources'
 *
 * // That type is narrower than ours, which an imported message fits as it was: hence the cast.
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

/** Gives each call an id that the conversation does not have yet, or the one that it was imported with. */
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

/** The arguments as the model wrote them, where that was kept and is still what the call holds. */
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

/** Adds members that are not the message's own. `__proto__` is data like any other. */
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
