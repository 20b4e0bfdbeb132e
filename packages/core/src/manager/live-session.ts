import { ChatTurn } from '../chat/chat-turn.js'
import type { OpenCall } from '../chat/conversation.js'
import { chatItems, exactMessages } from '../chat/exact-messages.js'
import { OpenCalls } from '../chat/open-calls.js'
import { readMessage } from '../chat/read-message.js'
import type { ChangeResult, SessionChange } from '../changes/change.js'
import type { JsonObject } from '../basics/json.js'
import type { SessionRecord, ToolCallRecord, TurnRecord } from '../records/models.js'
import { completeToolCall } from '../records/complete.js'

/** A message of a session, its turn, and its position among all messages. */
export interface PlacedMessage {
  readonly turn: TurnRecord
  readonly message: JsonObject
  /** Of its item. Undefined in a turn without such items. */
  readonly itemId: string | undefined
  readonly position: number
}

/** What a recorder of messages knows of a session: enough to add the next message without reading. */
export class LiveSession {
  revision: number
  turnCount: number
  /** How many exact messages the session has. */
  count = 0
  /** The last turn, while it runs. */
  turn: ChatTurn | null = null
  /** The calls of that turn that have no result yet. */
  readonly calls: OpenCalls<OpenCall> = new OpenCalls()
  /** The system messages that opened the turn, until a user message completes it. */
  opening: JsonObject[] = []
  /** Whether the messages of the turn are items. If not, they become items with the next one. */
  #hasItems = false

  /** @param visit is called for each message of the session, in order */
  constructor(session: SessionRecord, visit: (message: PlacedMessage) => void = () => {}) {
    this.revision = session.revision
    this.turnCount = session.turns.length
    const last = session.turns.at(-1)
    for (const turn of session.turns) {
      const messages = exactMessages(turn, false).map(({ message }) => message)
      const items = chatItems(turn)
      for (const [index, message] of messages.entries()) {
        visit({ turn, message, itemId: items[index]?.itemId, position: this.count++ })
      }
      if (turn === last && turn.status === 'running') this.#resume(turn, messages)
    }
  }

  #resume(turn: TurnRecord, messages: readonly JsonObject[]): void {
    const chat = new ChatTurn(turn.turnId)
    for (const call of turn.toolCalls) chat.recorded.set(call.callId, call)
    for (const message of messages) {
      const read = readMessage(message)
      if (read?.role === 'user') chat.ask(read.content)
      else if (read?.role === 'assistant') {
        this.#addCalls(chat, chat.say(read.content, read.calls), read.calls)
      } else if (read?.role === 'tool') {
        chat.isOpening = false
        this.calls.take(read.key)
      }
    }
    chat.calls.clear()
    chat.prompt = turn.prompt
    chat.responseContent = turn.responseContent
    this.turn = chat
    this.#hasItems = chatItems(turn).length > 0
    if (chat.isOpening) this.opening = [...messages]
    if (!this.#hasItems) chat.messages.push(...messages)
  }

  #addCalls(turn: ChatTurn, calls: readonly ToolCallRecord[], read: readonly { readonly key: string }[]): void {
    this.calls.add(calls.map((call, index) => ({ key: read[index]?.key ?? '', call: { turn, call } })))
  }

  /** Takes over a change of messages that is stored. */
  advance(result: ChangeResult, added: number, turn: ChatTurn | null): void {
    this.revision = result.revision
    this.turnCount = result.turnCount
    this.count += added
    this.turn = turn
    this.#hasItems = true
    this.opening = turn?.isOpening === true ? [...this.opening, ...turn.messages] : []
    turn?.messages.splice(0)
    turn?.calls.clear()
  }

  /** Takes over another change of this manager. False if the session has to be read anew. */
  follow(change: Omit<SessionChange, 'updatedAt'>, { revision }: ChangeResult): boolean {
    if (revision === this.revision) return true
    const { keepTurns, appendTurns = [], updateTurns = [] } = change
    if (revision !== this.revision + 1 || keepTurns !== undefined || appendTurns.length > 0) return false
    for (const { turnId, set, putToolCalls = [] } of updateTurns) {
      if (this.turn?.turnId !== turnId || !this.#hasItems || set?.prompt !== undefined) return false
      for (const put of putToolCalls) {
        const open = this.calls.find(({ call }) => call.callId === put.callId)
        const record = completeToolCall(put, put.callId ?? '')
        if (open !== undefined) Object.assign(open.call, record)
        else this.turn.recorded.set(record.callId, record)
      }
      if (set?.responseContent !== undefined) this.turn.responseContent = set.responseContent
      if (set?.status !== undefined && set.status !== 'running') this.turn = null
    }
    this.revision = revision
    return true
  }
}
