import { digestOf } from '../basics/digest.js'
import { TurnstoreError } from '../basics/errors.js'
import type { JsonObject } from '../basics/json.js'
import type { ToolCallRecord, TurnRecord } from '../records/models.js'
import { CallIds } from './call-ids.js'
import type { AssistantMessage, ChatMessage, ToolMessage } from './chat-message.js'
import {
  callMessages,
  exactMessages,
  mayBeIncomplete,
  resultText,
  saysText,
  type TurnMessage,
} from './exact-messages.js'
import { OpenCalls } from './open-calls.js'
import { type ReadCall, readMessage, type ReadMessage } from './read-message.js'
import { sendableArguments, sendableContent, sendableName, sendableText, sendableToolName } from './sendable-content.js'

export interface SendableOptions {
  readonly keepsIncomplete: boolean
  /** Makes the id of a call out of the recorded one. */
  readonly callId: (id: string) => string
}

/** An assistant message with its calls, and the results as they come. */
interface Said {
  readonly message: ChatMessage
  readonly calls: Call[]
  readonly results: ToolMessage[]
}

interface Call {
  readonly id: string
  readonly record: ToolCallRecord | undefined
  readonly results: ToolMessage[]
  isAnswered: boolean
}

/** A call id that all providers take. OpenAI refuses ids longer than 40 characters, Anthropic any other character. */
export function sendableCallId(id: string): string {
  return /^[a-zA-Z0-9_-]{1,40}$/.test(id) ? id : `call_${digestOf(id)}`
}

/**
 * Messages that a model takes: each call is answered once and right after its message, there is no result without its
 * call and no message without content, and ids, names, arguments and texts are in the form that providers ask for.
 */
export function sendableMessages(turns: readonly TurnRecord[], options: SendableOptions): ChatMessage[] {
  const rendering = new Rendering(options)
  for (const turn of turns) rendering.addTurn(turn)
  return rendering.finish()
}

class Rendering {
  readonly #options: SendableOptions
  readonly #said: Said[] = []
  readonly #open = new OpenCalls<Call>()

  constructor(options: SendableOptions) {
    this.#options = options
  }

  addTurn(turn: TurnRecord): void {
    const { keepsIncomplete } = this.#options
    const { responseContent } = turn
    const records = new Map(turn.toolCalls.map(call => [call.callId, call]))
    const ids = new CallIds(turn.turnId)
    const named = new Set<string>()
    const recordOf = ({ id }: ReadCall): { id: string; record: ToolCallRecord | undefined } => {
      const recordId = ids.next(id)
      named.add(recordId)
      return { id: id === '' ? recordId : id, record: records.get(recordId) }
    }
    const messages = exactMessages(turn, keepsIncomplete)
    for (const message of messages) this.#add(message, recordOf)
    // Made from the record, so all its calls are among them.
    if (messages.some(({ call }) => call !== undefined)) return
    for (const call of turn.toolCalls) {
      if (!named.has(call.callId)) for (const message of callMessages(call)) this.#add(message, recordOf)
    }
    if (keepsIncomplete && responseContent !== null && mayBeIncomplete(turn) && !saysText(messages, responseContent)) {
      this.#add({ message: { role: 'assistant', content: responseContent } }, recordOf)
    }
  }

  #add(
    { message, call }: TurnMessage,
    recordOf: (call: ReadCall) => { id: string; record: ToolCallRecord | undefined },
  ): void {
    const read = readMessage(message)
    if (read === null) return
    if (read.role === 'tool') {
      this.#answer(read, message)
      return
    }
    if (read.role === 'user') {
      const content = sendableContent(read.content)
      if (content !== null) this.#push({ role: read.role, content, ...sendableName(message) })
      return
    }
    if (read.role !== 'assistant') {
      const content = sendableText(read.content)
      if (content !== null) this.#push({ role: read.role, content, ...sendableName(message) })
      return
    }
    const results: ToolMessage[] = []
    const used = new Set<string>()
    const calls = read.calls.map((each): Call & { name: string; arguments: string } => {
      const { id, record } =
        call === undefined ? recordOf(each) : { id: call.callId || recordOf(each).id, record: call }
      return {
        id: this.#uniqueId(id, used),
        record,
        results,
        isAnswered: false,
        name: sendableToolName(each.name),
        arguments: sendableArguments(each.written),
      }
    })
    const said = assistantMessage(message, read, calls)
    if (said === null) return
    this.#said.push({ message: said, calls, results })
    this.#open.add(calls.map((each, index) => ({ key: read.calls[index]?.key ?? '', call: each })))
  }

  /** An id that is used again in a later message passes; in one message it would not tell the calls apart. */
  #uniqueId(id: string, used: Set<string>): string {
    let unique = this.#id(id)
    for (let count = 2; used.has(unique); count++) unique = this.#id(`call_${digestOf([id, count])}`)
    used.add(unique)
    return unique
  }

  #id(recorded: string): string {
    const id: unknown = this.#options.callId(recorded)
    if (typeof id === 'string' && id !== '') return id
    throw new TurnstoreError('INVALID_ARGUMENT', 'options.callId must return a string that is not empty')
  }

  #answer({ key, content }: ReadMessage & { role: 'tool' }, message: JsonObject): void {
    const call = this.#open.take(key)
    if (call === undefined) return
    call.isAnswered = true
    call.results.push({
      role: 'tool',
      tool_call_id: call.id,
      content: sendableText(content) ?? NO_OUTPUT,
      ...sendableName(message),
    })
  }

  #push(message: ChatMessage): void {
    this.#said.push({ message, calls: [], results: [] })
  }

  finish(): ChatMessage[] {
    return this.#said.flatMap(({ message, calls, results }) => [
      message,
      ...results,
      ...calls.flatMap((call): ToolMessage[] =>
        call.isAnswered
          ? []
          : [
              {
                role: 'tool',
                tool_call_id: call.id,
                content: sendableText(resultText(call.record)) ?? NO_OUTPUT,
              },
            ],
      ),
    ])
  }
}

/** Providers refuse an empty result. */
const NO_OUTPUT = 'The tool call gave no output.'

/** Null if it says nothing. */
function assistantMessage(
  message: JsonObject,
  { content }: ReadMessage & { role: 'assistant' },
  calls: readonly (Call & { name: string; arguments: string })[],
): AssistantMessage | null {
  const { refusal } = message
  const text = sendableText(content ?? (typeof refusal === 'string' ? refusal : null))
  if (calls.length === 0) return text === null ? null : { role: 'assistant', content: text, ...sendableName(message) }
  return {
    role: 'assistant',
    ...(content === undefined && text === null ? {} : { content: text }),
    tool_calls: calls.map(({ id, name, arguments: text }) => ({
      id,
      type: 'function',
      function: { name, arguments: text },
    })),
    ...sendableName(message),
  }
}
