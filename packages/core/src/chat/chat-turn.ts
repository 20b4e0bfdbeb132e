import type { JsonObject } from '../basics/json.js'
import type { ToolCallRecord } from '../records/models.js'
import { CallIds } from './call-ids.js'
import { NO_RESULT } from './chat-message.js'
import { argumentsOf, type CallOutcome, type ChatContent, type ReadCall, textOf } from './read-message.js'

/** A turn that grows message by message. */
export class ChatTurn {
  readonly turnId: string
  prompt: string = ''
  responseContent: string | null = null
  /** The messages that are new. */
  readonly messages: JsonObject[] = []
  /** The tool calls that are new or newly answered, by id. */
  readonly calls: Map<string, ToolCallRecord> = new Map()
  /** Tool calls that were recorded beside the messages, by id, until a message names them. */
  readonly recorded: Map<string, ToolCallRecord> = new Map()
  /** System messages alone open a turn that the first user message completes. */
  isOpening: boolean = true
  /** Whether it ends with an answer of the assistant. */
  isAnswered: boolean = false
  readonly #ids: CallIds

  constructor(turnId: string) {
    this.turnId = turnId
    this.#ids = new CallIds(turnId)
  }

  /** A user message. */
  ask(content: ChatContent): void {
    this.prompt = textOf(content) ?? ''
    this.isOpening = false
  }

  /** An assistant message. Its last text is the response, an empty one only if there is no other. */
  say(content: ChatContent | undefined, calls: readonly ReadCall[]): ToolCallRecord[] {
    const text = textOf(content)
    if (text !== null && (text !== '' || this.responseContent === null)) this.responseContent = text
    this.isOpening = false
    this.isAnswered = calls.length === 0
    return calls.map(call => this.#call(call))
  }

  #call({ id, name, written }: ReadCall): ToolCallRecord {
    const callId = this.#ids.next(id)
    const recorded = this.recorded.get(callId)
    if (recorded !== undefined) return recorded
    const call: ToolCallRecord = {
      callId,
      toolName: name,
      arguments: argumentsOf(written) ?? {},
      result: null,
      status: 'running',
      error: null,
      durationMs: null,
      sandboxContext: null,
      metadata: {},
    }
    this.calls.set(callId, call)
    return call
  }

  /** Gives a call its result, unless it has one: what was recorded beside the messages says more than they do. */
  answer(call: ToolCallRecord, content: ChatContent, outcome: CallOutcome = { result: content, error: null }): void {
    this.isAnswered = false
    // The placeholder that messagesFromTurns writes is no result.
    if (call.status !== 'running' || content === NO_RESULT) return
    call.result = outcome.result
    call.error = outcome.error
    call.status = outcome.error === null ? 'success' : 'error'
    this.calls.set(call.callId, call)
  }
}
