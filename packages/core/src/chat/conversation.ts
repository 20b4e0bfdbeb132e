import type { JsonObject } from '../basics/json.js'
import type { ToolCallRecord } from '../records/models.js'
import type { ChatTurn } from './chat-turn.js'
import { OpenCalls } from './open-calls.js'
import { readMessage, type ReadMessage, type Tell } from './read-message.js'

/** A call that waits for its result. */
export interface OpenCall {
  readonly turn: ChatTurn
  readonly call: ToolCallRecord
}

/**
 * Chat messages as they become turns: a user message opens a turn, and what follows belongs to it. This is the one
 * place that decides it, for transcripts and for live messages.
 */
export class Conversation {
  /** All turns that messages were added to. The last one is open. */
  readonly turns: ChatTurn[]
  readonly #newTurn: () => ChatTurn
  readonly #open: OpenCalls<OpenCall>
  readonly #answersEarlierTurns: boolean

  /** @param newTurn returns the next turn */
  constructor(
    newTurn: () => ChatTurn,
    { turn = null, calls = new OpenCalls<OpenCall>(), answersEarlierTurns = false }: ConversationState = {},
  ) {
    this.turns = turn === null ? [] : [turn]
    this.#newTurn = newTurn
    this.#open = calls
    this.#answersEarlierTurns = answersEarlierTurns
  }

  /** Adds a message. It is kept as it is, whether or not it can be read. */
  add(message: JsonObject, tell: Tell): void {
    const read = readMessage(message, tell)
    this.addRead(message, read === null ? [] : [read], tell)
  }

  /** Adds a message of any format with what it says, in order. It opens one turn at most. */
  addRead(message: JsonObject, said: readonly ReadMessage[], tell: Tell): void {
    const turn = this.#turnFor(said.some(({ role }) => role === 'user'))
    turn.messages.push(message)
    for (const read of said) {
      if (read.role === 'user') turn.ask(read.content)
      else if (read.role === 'assistant') this.#say(turn, turn.say(read.content, read.calls), read.calls)
      else if (read.role === 'tool') {
        turn.isOpening = false
        const answered = this.#open.take(read.key)
        if (answered === undefined) tell('is the result of a missing tool call; kept, but not read')
        else answered.turn.answer(answered.call, read.content, read.outcome)
      }
    }
  }

  #turnFor(isQuestion: boolean): ChatTurn {
    const last = this.turns.at(-1)
    if (last !== undefined && (!isQuestion || last.isOpening)) return last
    const turn = this.#newTurn()
    this.turns.push(turn)
    if (!this.#answersEarlierTurns) this.#open.clear()
    return turn
  }

  #say(turn: ChatTurn, calls: readonly ToolCallRecord[], read: readonly { readonly key: string }[]): void {
    this.#open.add(calls.map((call, index) => ({ key: read[index]?.key ?? '', call: { turn, call } })))
  }
}

interface ConversationState {
  /** The open turn. */
  readonly turn?: ChatTurn | null
  /** The calls of the open turn that wait for their results. */
  readonly calls?: OpenCalls<OpenCall>
  /** Whether a result may answer a call of an earlier turn. */
  readonly answersEarlierTurns?: boolean
}
