import { checkMembers } from '../basics/arguments.js'
import { TurnstoreError } from '../basics/errors.js'
import { checkId } from '../basics/ids.js'
import type { JsonObject } from '../basics/json.js'
import { invalidRecord } from '../records/members.js'
import type { TurnRecord } from '../records/models.js'
import { partIdOf } from '../records/part-ids.js'
import { CHAT_FORMAT } from './chat-message.js'
import { ChatTurn } from './chat-turn.js'
import { Conversation } from './conversation.js'
import { copyMessage } from './copy-message.js'
import { type Loss, readMessage, type ReadMessage, type Tell } from './read-message.js'

/** A part of a message that was not understood. Never quotes the message. */
export interface MessageProblem {
  /** Index of the message. */
  index: number
  message: string
  /** What is left out: the whole message, a part of it, or nothing (it is kept, but not read). */
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
 * Converts a conversation in the chat-completions format to turns. `messagesFromTurns` with `exact` gives the same
 * messages again.
 *
 * - Each message is an item of its turn, exactly as it was.
 * - A user message starts a turn and is its prompt. System messages before it belong to the first turn. If
 *   the assistant speaks first, the first turn has the prompt `''`.
 * - The assistant's last text in a turn is the response. If content is a list, its text parts are joined.
 * - Tool calls are matched with their results by id. Arguments that are not a JSON object are `{}`.
 * - A call without a result has the status `running`, and so does the last turn if the assistant has not
 *   answered. All others have `success`.
 * - By default, turn ids number the turns, so a conversation keeps its ids as it grows. Times are empty.
 *
 * What is not understood is reported to `onProblem`: a result without a call, an unknown role, content of the wrong
 * type. The conversion continues with the rest. Without `onProblem` it throws. Not reported are `tool_calls` that are
 * null or empty, and missing call ids, which are filled in.
 *
 * @throws `INVALID_RECORD` if a message is larger than a part of a turn may be (16 MiB), or, without `onProblem`, for
 *   the first problem; `INVALID_ARGUMENT`, also if `turnId` returns an id twice; `INVALID_ID`
 *
 * @example
 * const problems: MessageProblem[] = []
 * const turns = turnsFromMessages(messages, { onProblem: problem => problems.push(problem) })
 */
export function turnsFromMessages(messages: readonly unknown[], options: TurnsFromMessagesOptions = {}): TurnRecord[] {
  return turnsFromItems(messages, chatReader, options)
}

/** What messages of one format say. */
export interface MessageReader {
  /** The format of the items. */
  readonly format: string
  /** What a message says, in order. What is not understood is reported. */
  read(message: JsonObject, tell: Tell): readonly ReadMessage[]
}

const chatReader: MessageReader = {
  format: CHAT_FORMAT,
  read(message, tell) {
    const read = readMessage(message, tell)
    return read === null ? [] : [read]
  },
}

/** {@link turnsFromMessages} for messages of any format. */
export function turnsFromItems(
  messages: readonly unknown[],
  reader: MessageReader,
  options: TurnsFromMessagesOptions = {},
): TurnRecord[] {
  checkMembers(options, 'options', ['agentId', 'turnId', 'onProblem'])
  const { agentId = null, turnId, onProblem } = options
  if (agentId !== null) checkId(agentId, 'options.agentId')
  checkFunction(turnId, 'options.turnId')
  checkFunction(onProblem, 'options.onProblem')
  if (!Array.isArray(messages)) throw new TurnstoreError('INVALID_ARGUMENT', 'messages must be an array')
  const turnIds = new TurnIds(turnId)
  const conversation = new Conversation(() => new ChatTurn(turnIds.next()), { answersEarlierTurns: true })
  // Not forEach, which skips holes.
  for (let index = 0; index < messages.length; index++) {
    const tell = (message: string, loss: Loss = 'none'): void => {
      if (onProblem !== undefined) onProblem({ index, message, loss })
      else throw invalidRecord(`messages[${index}]`, `${message}. Pass onProblem to continue anyway`)
    }
    const message = copyMessage(messages[index], index, tell)
    if (message !== null) conversation.addRead(message, reader.read(message, tell), tell)
  }
  const { turns } = conversation
  return turns.map(turn => recordOf(turn, reader.format, agentId, turn === turns.at(-1) && !turn.isAnswered))
}

function checkFunction(value: unknown, what: string): void {
  if (value === undefined || typeof value === 'function') return
  throw new TurnstoreError('INVALID_ARGUMENT', `${what} must be a function`)
}

class TurnIds {
  readonly #given: ((index: number) => string) | undefined
  readonly #ids = new Set<string>()

  constructor(given: ((index: number) => string) | undefined) {
    this.#given = given
  }

  next(): string {
    const index = this.#ids.size
    const id = this.#given === undefined ? `t${index + 1}` : checkId(this.#given(index), `options.turnId(${index})`)
    if (this.#ids.has(id)) {
      // A store would treat the second turn as a retry of the first.
      throw new TurnstoreError('INVALID_ARGUMENT', `options.turnId(${index}) returned the id of an earlier turn`)
    }
    this.#ids.add(id)
    return id
  }
}

function recordOf(turn: ChatTurn, format: string, agentId: string | null, isRunning: boolean): TurnRecord {
  const { turnId, prompt, responseContent, messages, calls } = turn
  return {
    turnId,
    agentId,
    prompt,
    responseContent,
    toolCalls: [...calls.values()],
    items: messages.map((value, index) => ({ itemId: partIdOf('items', turnId, index), format, value })),
    startedAt: '',
    endedAt: null,
    status: isRunning ? 'running' : 'success',
    error: null,
    auditEventIds: [],
    metadata: {},
  }
}
