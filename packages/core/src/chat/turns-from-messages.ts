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

/** Something about a message that turns cannot hold as it is. Never quotes the message. */
export interface MessageProblem {
  /** Of the message. */
  index: number
  message: string
  /** What is left out: all of the message, a part of it, or nothing that another form does not keep. */
  loss: Loss
}

export interface TurnsFromMessagesOptions {
  /** The agent of all turns; default null. */
  agentId?: string | null
  /** The id of the n-th turn, counted from 0; default `t1`, `t2`, … */
  turnId?: (index: number) => string
  /** Told of everything that does not go in as it stands. Without it, the first such thing throws. */
  onProblem?: (problem: MessageProblem) => void
}

/**
 * The turns of a conversation in the chat-completions format. `messagesFromTurns` gives the same
 * messages back.
 *
 * A user message opens a turn and is its prompt; what stands before the first one belongs to the first
 * turn, or, where the assistant begins, makes a turn with the prompt `''`. The last text of the assistant in a
 * turn is its response, and the text parts of a content that is a list are joined to one text. Tool calls
 * are joined with their results by id. A call without a result is `running`, and so is the last turn
 * where the assistant has yet to speak; all others are `success`. Turn ids count the turns, so the same
 * conversation gives the same ids when it has grown; times are empty. Arguments that are no JSON object
 * are kept as text in the call's `metadata.argumentsText`. What turns have no member for (system
 * messages, texts between tool calls, parts, members that nobody here knows) is kept in
 * `metadata.chat`, for `messagesFromTurns` to put it back.
 *
 * Nothing is left out or altered without a word: a result without a call, an unknown role or a content
 * of a wrong type is told to `onProblem`, and the conversion goes on with the rest; without `onProblem`
 * it throws. Telling nothing are `tool_calls` that are null or empty and missing call ids, which get one.
 *
 * @throws `INVALID_RECORD` for a message larger than a turn may be (16 MiB), or, without `onProblem`,
 *   for the first problem; `INVALID_ARGUMENT`, for an id that `turnId` gives twice as well; `INVALID_ID`
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
  // A plain loop: forEach would pass over holes.
  for (let index = 0; index < messages.length; index++) conversation.read(messages[index], index)
  return conversation.finish()
}

function checkFunction(value: unknown, what: string): void {
  if (value === undefined || typeof value === 'function') return
  throw new TurnstoreError('INVALID_ARGUMENT', `${what} must be a function`)
}

/** The calls of one message with one id. */
interface OpenCalls {
  readonly draft: AssistantDraft
  readonly calls: OpenCall[]
  next: number
}

class Conversation {
  readonly #options: TurnsFromMessagesOptions
  readonly #turns: DraftTurn[] = []
  readonly #turnIds = new Set<string>()
  /** System messages before the first turn, which goes on with them. */
  #opening: Draft[] = []
  /** By id, the last message last. */
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
        tell('has a role other than system, developer, user, assistant and tool; left out', 'message')
    }
  }

  #tell(problem: MessageProblem): void {
    const { onProblem } = this.#options
    if (onProblem === undefined) {
      throw invalidRecord(`messages[${problem.index}]`, `${problem.message}. Hand in onProblem to go on regardless`)
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
      // A store would take the second turn for a repetition of the first.
      throw new TurnstoreError('INVALID_ARGUMENT', `options.turnId(${index}) is the id of a turn before that one`)
    }
    this.#turnIds.add(id)
    return id
  }

  #readAssistant(content: ChatContent | undefined, members: JsonObject, tell: Tell): void {
    const { tool_calls: toolCalls = null, function_call: legacy = null, ...others } = members
    // A null for the legacy member is what SDKs write today.
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
      tell('has tool_calls that are no array; they are left out', 'part')
    }
    if (legacy !== null) this.#readLegacyCall(turn, draft, legacy, tell)
  }

  #readCall(turn: DraftTurn, draft: AssistantDraft, source: JsonValue, tell: Tell): void {
    if (!isJsonObject(source)) {
      tell('is no object; left out', 'part')
      return
    }
    const { id, type, function: target, custom, ...extra } = source
    if (isJsonObject(target) && typeof target.name === 'string') {
      const { name, arguments: written, ...functionExtra } = target
      this.#addCall(turn, draft, { id: idText(id), name, written, extra, functionExtra })
      if (type !== undefined && type !== 'function') tell('is not of the type function; taken for one')
    } else if (isJsonObject(custom) && typeof custom.name === 'string') {
      this.#addCall(turn, draft, { id: idText(id), name: custom.name, written: custom.input, extra, functionExtra: {} })
      tell('is not of the type function; taken for one, with its input as arguments')
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
    tell('has a function_call, the old form of tool_calls; taken for a tool call')
  }

  #addCall(turn: DraftTurn, draft: AssistantDraft, source: CallSource): void {
    const { id, key = id } = source
    const index = turn.toolCalls.length
    const call = turn.addCall(source)
    // The id is kept where messagesFromTurns would give another than the one that came.
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
    if (open === undefined) tell('is the result of a tool call that is not there; left out', 'message')
    else answer(open, readContent(content, tell) ?? (content === undefined ? '' : null), extra)
  }

  #readLegacyResult(content: JsonValue | undefined, members: JsonObject, tell: Tell): void {
    const { name } = members
    const open = typeof name === 'string' ? this.#takeOpenCall(legacyKey(name)) : undefined
    if (open === undefined) {
      tell('is the result of a function call that is not there; left out', 'message')
    } else {
      answer(open, readContent(content, tell) ?? null, {})
      tell('has the role function, the old form of tool; taken for the result of a tool call')
    }
  }

  /**
   * The call that a result with this id answers: of the latest message with an unanswered one, and
   * there the first, since results come in the order of the calls.
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

/** Results of the legacy form name the function. No id begins so: it would be no text. */
function legacyKey(name: string): string {
  return `\u0000${name}`
}
