import { copyMessage, idText, type Loss, readContent, type Tell } from './chat-input.js'
import { textOf } from './chat-layout.js'
import { type ChatContent, MAX_CALL_ID_LENGTH } from './chat-message.js'
import {
  answer,
  type AssistantDraft,
  type CallSource,
  type Draft,
  DraftTurn,
  named,
  type OpenCall,
} from './draft-turn.js'
import { TurnstoreError } from '../basics/errors.js'
import { checkId } from '../basics/ids.js'
import { isJsonObject, type JsonObject, type JsonValue } from '../basics/json.js'
import { invalidRecord } from '../records/members.js'
import type { TurnRecord } from '../records/models.js'
import { checkMembers } from '../basics/arguments.js'

/** A part of a message that turns cannot represent exactly. Never quotes the message. */
export interface MessageProblem {
  /** Index of the message. */
  index: number
  message: string
  /** What is left out: the whole message, a part of it, or nothing (it is kept in another form). */
  loss: Loss
}

export interface TurnsFromMessagesOptions {
  /** The agent of all turns; default null. */
  agentId?: string | null
  /** Returns the id of a turn, given its index; default `t1`, `t2`, … */
  turnId?: (index: number) => string
  /** Called for each problem. Without it, the first problem throws. */
  onProblem?: (problem: MessageProblem) => void
}

/**
 * Converts a conversation in the chat-completions format to turns. `messagesFromTurns` converts it back to
 * the same messages.
 *
 * - A user message starts a turn and is its prompt. System messages before it belong to the first turn. If
 *   the assistant speaks first, the first turn has the prompt `''`.
 * - The assistant's last text in a turn is the response. If content is a list, its text parts are joined.
 * - Tool calls are matched with their results by id. Arguments that are not a JSON object are kept as text
 *   in the call's `metadata.argumentsText`.
 * - A call without a result has the status `running`, and so does the last turn if the assistant has not
 *   answered. All others have `success`.
 * - By default, turn ids number the turns, so a conversation keeps its ids as it grows. Times are empty.
 * - Everything else (system messages, text between tool calls, parts, unknown members) is kept in
 *   `metadata.chat`, and `messagesFromTurns` restores it.
 *
 * Everything that is left out or altered is reported to `onProblem`: a result without a call, an unknown
 * role, content of the wrong type. The conversion continues with the rest. Without `onProblem` it throws.
 * Not reported are `tool_calls` that are null or empty, and missing call ids, which are filled in.
 *
 * @throws `INVALID_RECORD` if a message is larger than a part of a turn may be (16 MiB), or, without `onProblem`, for
 *   the first problem; `INVALID_ARGUMENT`, also if `turnId` returns an id twice; `INVALID_ID`
 *
 * @example
 * const problems: MessageProblem[] = []
 * const turns = turnsFromMessages(messages, { onProblem: problem => problems.push(problem) })
 */
export function turnsFromMessages(messages: readonly unknown[], options: TurnsFromMessagesOptions = {}): TurnRecord[] {
  checkMembers(options, 'options', ['agentId', 'turnId', 'onProblem'])
  if (options.agentId !== undefined && options.agentId !== null) checkId(options.agentId, 'options.agentId')
  checkFunction(options.turnId, 'options.turnId')
  checkFunction(options.onProblem, 'options.onProblem')
  if (!Array.isArray(messages)) throw new TurnstoreError('INVALID_ARGUMENT', 'messages must be an array')
  const conversation = new Conversation(options)
  // Not forEach, which skips holes.
  for (let index = 0; index < messages.length; index++) conversation.read(messages[index], index)
  return conversation.finish()
}

function checkFunction(value: unknown, what: string): void {
  if (value === undefined || typeof value === 'function') return
  throw new TurnstoreError('INVALID_ARGUMENT', `${what} must be a function`)
}

/** The calls of one message that share an id. */
interface OpenCalls {
  readonly draft: AssistantDraft
  readonly calls: OpenCall[]
  next: number
}

class Conversation {
  readonly #options: TurnsFromMessagesOptions
  readonly #turns: DraftTurn[] = []
  readonly #turnIds = new Set<string>()
  /** System messages before the first turn. They become part of it. */
  #opening: Draft[] = []
  /** By id; the latest message comes last. */
  readonly #unanswered = new Map<string, OpenCalls[]>()
  readonly #callIds = new Set<string>()

  constructor(options: TurnsFromMessagesOptions) {
    this.#options = options
  }

  read(source: unknown, index: number): void {
    const tell: Tell = (message, loss = 'none') => this.#tell({ index, message, loss })
    const message = copyMessage(source, index, tell)
    if (message === null) return
    const { role, content, ...extra } = message
    switch (role) {
      case 'system':
      case 'developer': {
        const draft: Draft = { role, content: readContent(content, tell) ?? '', extra }
        const turn = this.#turns.at(-1)
        if (turn === undefined) this.#opening.push(draft)
        else turn.drafts.push(draft)
        return
      }
      case 'user': {
        const said = content === undefined ? '' : readContent(content, tell)
        this.#openTurn(textOf(said) ?? '').drafts.push({ role, content: said ?? null, extra })
        return
      }
      case 'assistant':
        this.#readAssistant(content === undefined ? undefined : readContent(content, tell), extra, tell)
        return
      case 'tool':
        this.#readResult(content, extra, tell)
        return
      case 'function':
        this.#readLegacyResult(content, extra, tell)
        return
      default:
        tell('has an unknown role, not system, developer, user, assistant or tool; left out', 'message')
    }
  }

  #tell(problem: MessageProblem): void {
    const { onProblem } = this.#options
    if (onProblem === undefined) {
      throw invalidRecord(`messages[${problem.index}]`, `${problem.message}. Pass onProblem to continue anyway`)
    }
    onProblem(problem)
  }

  #openTurn(prompt: string): DraftTurn {
    const index = this.#turns.length
    const turn = new DraftTurn(this.#turnId(index), prompt, this.#opening)
    this.#opening = []
    this.#turns.push(turn)
    return turn
  }

  #turnId(index: number): string {
    const { turnId } = this.#options
    if (turnId === undefined) return `t${index + 1}`
    const id = checkId(turnId(index), `options.turnId(${index})`)
    if (this.#turnIds.has(id)) {
      // A store would treat the second turn as a retry of the first.
      throw new TurnstoreError('INVALID_ARGUMENT', `options.turnId(${index}) returned the id of an earlier turn`)
    }
    this.#turnIds.add(id)
    return id
  }

  #readAssistant(content: ChatContent | undefined, members: JsonObject, tell: Tell): void {
    const { tool_calls: toolCalls = null, function_call: legacy = null, ...others } = members
    // SDKs write the legacy member as null.
    const extra =
      Object.hasOwn(members, 'function_call') && legacy === null ? { ...others, function_call: null } : others
    const turn = this.#turns.at(-1) ?? this.#openTurn('')
    const draft: AssistantDraft = { role: 'assistant', content, calls: [], extra, results: [] }
    turn.drafts.push(draft)
    if (Array.isArray(toolCalls)) {
      for (const [place, call] of toolCalls.entries()) {
        this.#readCall(turn, draft, call, (problem, loss) => tell(`has tool_calls[${place}] that ${problem}`, loss))
      }
    } else if (toolCalls !== null) {
      tell('has tool_calls that are not an array; left out', 'part')
    }
    if (legacy !== null) this.#readLegacyCall(turn, draft, legacy, tell)
  }

  #readCall(turn: DraftTurn, draft: AssistantDraft, source: JsonValue, tell: Tell): void {
    if (!isJsonObject(source)) {
      tell('is not an object; left out', 'part')
      return
    }
    const { id, type, function: target, custom, ...extra } = source
    if (isJsonObject(target) && typeof target.name === 'string') {
      const { name, arguments: written, ...functionExtra } = target
      this.#addCall(turn, draft, { id: idText(id), name, written, extra, functionExtra })
      if (type !== undefined && type !== 'function') tell('is not of type function; imported as a function call')
    } else if (isJsonObject(custom) && typeof custom.name === 'string') {
      this.#addCall(turn, draft, { id: idText(id), name: custom.name, written: custom.input, extra, functionExtra: {} })
      tell('is not of type function; imported as a function call with its input as arguments')
    } else {
      tell('has no function with a name; left out', 'part')
    }
  }

  #readLegacyCall(turn: DraftTurn, draft: AssistantDraft, source: JsonValue, tell: Tell): void {
    if (!isJsonObject(source) || typeof source.name !== 'string') {
      tell('has a function_call without a name; left out', 'part')
      return
    }
    const { name, arguments: written } = source
    this.#addCall(turn, draft, { id: '', key: legacyKey(name), name, written, extra: {}, functionExtra: {} })
    tell('has a legacy function_call; imported as a tool call')
  }

  #addCall(turn: DraftTurn, draft: AssistantDraft, source: CallSource): void {
    const { id, key = id } = source
    const index = turn.toolCalls.length
    const call = turn.addCall(source)
    // Keep the id if messagesFromTurns would generate another one.
    const differs = id !== '' && (call.callId !== id || this.#callIds.has(id) || id.length > MAX_CALL_ID_LENGTH)
    this.#callIds.add(id)
    const place: JsonObject = {
      call: index,
      ...(differs ? { id } : {}),
      ...named('extra', source.extra),
      ...named('functionExtra', source.functionExtra),
    }
    draft.calls.push(Object.keys(place).length === 1 ? index : place)
    const open = this.#unanswered.get(key) ?? []
    const last = open.at(-1)
    if (last?.draft === draft) last.calls.push({ call, index, draft })
    else open.push({ draft, calls: [{ call, index, draft }], next: 0 })
    this.#unanswered.set(key, open)
  }

  #readResult(content: JsonValue | undefined, members: JsonObject, tell: Tell): void {
    const { tool_call_id: id, ...extra } = members
    const open = this.#takeOpenCall(idText(id))
    if (open === undefined) tell('is the result of a missing tool call; left out', 'message')
    else answer(open, readContent(content, tell) ?? (content === undefined ? '' : null), extra)
  }

  #readLegacyResult(content: JsonValue | undefined, members: JsonObject, tell: Tell): void {
    const { name } = members
    const open = typeof name === 'string' ? this.#takeOpenCall(legacyKey(name)) : undefined
    if (open === undefined) {
      tell('is the result of a missing function call; left out', 'message')
    } else {
      answer(open, readContent(content, tell) ?? null, {})
      tell('has the legacy role function; imported as the result of a tool call')
    }
  }

  /**
   * The call that a result with this id answers: the first unanswered one in the latest message that has
   * one, because results arrive in the order of the calls.
   */
  #takeOpenCall(id: string): OpenCall | undefined {
    const messages = this.#unanswered.get(id)
    const latest = messages?.at(-1)
    if (messages === undefined || latest === undefined) return undefined
    const open = latest.calls[latest.next]
    latest.next++
    if (latest.next >= latest.calls.length) messages.pop()
    return open
  }

  finish(): TurnRecord[] {
    if (this.#opening.length > 0) this.#openTurn('')
    const { agentId = null } = this.#options
    return this.#turns.map((turn, index) => turn.finish(agentId, index === this.#turns.length - 1))
  }
}

/** Legacy results name the function. The NUL prefix keeps these keys apart from ids. */
function legacyKey(name: string): string {
  return `\u0000${name}`
}
