import { KeyedMutex } from '../adapter-kit/keyed-mutex.js'
import { RecentMap } from '../adapter-kit/recent-map.js'
import { retryConflicts } from '../adapter-kit/retry-conflicts.js'
import { wholeNumber } from '../basics/arguments.js'
import { digestOf } from '../basics/digest.js'
import { sessionNotFound, TurnstoreError } from '../basics/errors.js'
import { checkId } from '../basics/ids.js'
import { type JsonObject, sameJson } from '../basics/json.js'
import { withOutcome } from '../basics/outcome.js'
import type { ScopeOptions } from '../basics/scope.js'
import type { ChangeResult, SessionChange, TurnUpdate } from '../changes/change.js'
import type { ChangeOptions } from '../changes/change-options.js'
import { CHAT_FORMAT } from '../chat/chat-message.js'
import { ChatTurn } from '../chat/chat-turn.js'
import { Conversation } from '../chat/conversation.js'
import { copyMessage } from '../chat/copy-message.js'
import { invalidRecord } from '../records/members.js'
import type { TurnInput, TurnItemInput, TurnRecord } from '../records/models.js'
import type { SessionStore } from '../stores/session-store.js'
import { LiveSession, type PlacedMessage } from './live-session.js'
import { checkRepeatOptions, idFor, repeatable, type RepeatOptions } from './repeatable.js'

export interface RecordMessagesOptions extends RepeatOptions {
  /** The id of the turn that the first user message opens. */
  turnId?: string
  /**
   * The position of the first message among the session's exact messages (`getMessages` with `exact`). Makes the call
   * safe to repeat: messages that are there already are not recorded again.
   */
  at?: number
}

export interface RecordedMessages {
  /** The turns that have these messages. */
  turnIds: string[]
  /** How many of the messages were new. */
  added: number
  /** How many exact messages the session has now: the `at` of the next call. */
  count: number
  revision: number
}

/** The sessions whose state is kept between calls. */
const REMEMBERED = 256

interface Recorder {
  readonly store: SessionStore
  readonly scope: ScopeOptions
  readonly now: () => string
  readonly newId: () => string
}

interface Call {
  readonly sessionId: string
  readonly messages: readonly JsonObject[]
  readonly options: RecordMessagesOptions
  readonly repeat: ChangeOptions
}

/**
 * Records chat messages as they happen. It keeps what it knows of a session, so that a message costs one write, whatever
 * the session holds. Each write depends on the revision: if another writer was faster, the session is read anew.
 */
export class MessageRecorder {
  readonly #recorder: Recorder
  readonly #sessions = new RecentMap<LiveSession>(REMEMBERED)
  /** Messages of one session are recorded in the order of the calls. */
  readonly #queue = new KeyedMutex()

  constructor(recorder: Recorder) {
    this.#recorder = recorder
  }

  async record(
    sessionId: string,
    messages: readonly object[],
    options: RecordMessagesOptions,
  ): Promise<RecordedMessages> {
    const call = withOutcome('not-stored', () => {
      checkRepeatOptions(options, ['turnId', 'at'])
      const { turnId, at } = options
      const copies = copyMessages(messages)
      if (at !== undefined) wholeNumber(at, 'options.at', 0)
      if (turnId !== undefined) {
        checkId(turnId, 'options.turnId')
        if (!copies.some(({ role }) => role === 'user')) {
          throw new TurnstoreError('INVALID_ARGUMENT', 'options.turnId needs a user message, which opens the turn')
        }
      }
      const repeat = repeatable('recordMessages', options, copies, turnId ?? null, at ?? null)
      return { sessionId, messages: copies, options: { ...options }, repeat }
    })
    return this.#queue.run(sessionId, () => retryConflicts(sessionId, () => this.#record(call, this.#take(sessionId))))
  }

  /** Takes note of another change by the same manager. */
  note(sessionId: string, change: Omit<SessionChange, 'updatedAt'>, result: ChangeResult): void {
    const session = this.#sessions.get(sessionId)
    if (session !== undefined && !session.follow(change, result)) this.#sessions.delete(sessionId)
  }

  /** What is known of a session. Taken out: after an error it is unknown what is stored. */
  #take(sessionId: string): LiveSession | undefined {
    const known = this.#sessions.get(sessionId)
    this.#sessions.delete(sessionId)
    return known
  }

  async #record(call: Call, known: LiveSession | undefined): Promise<RecordedMessages> {
    const { sessionId, options, messages } = call
    // What is known may be out of date. A write finds that out, anything else has to read.
    const isEnough = messages.length > 0 && (options.at === undefined || options.at === known?.count)
    let session = isEnough && known !== undefined ? known : await this.#read(sessionId)
    const { at = session.count } = options
    if (at > session.count) {
      throw new TurnstoreError('INVALID_ARGUMENT', `options.at is ${at}, but there are ${session.count} messages`, {
        outcome: 'not-stored',
        sessionId,
      })
    }
    const there: PlacedMessage[] = []
    if (at < session.count) {
      session = await this.#read(sessionId, placed => {
        if (placed.position >= at && placed.position < at + messages.length) there.push(placed)
      })
      checkSame(sessionId, there, messages, at)
    }
    const result =
      there.length === messages.length
        ? { turnIds: [], added: 0, count: session.count, revision: session.revision }
        : await this.#write(call, session, there.length)
    if (session.revision === result.revision) this.#sessions.set(sessionId, session)
    return { ...result, turnIds: [...new Set([...there.map(({ turn }) => turn.turnId), ...result.turnIds])] }
  }

  /** @param from the index of the first message that is new */
  async #write(call: Call, session: LiveSession, from: number): Promise<RecordedMessages> {
    const { store, scope, now, newId } = this.#recorder
    const { sessionId, options, repeat } = call
    const { turnId } = options
    const added = call.messages.slice(from)
    const stored = session.turn
    const completes = stored?.isOpening === true && isFirstQuestion(added, 0)
    if (turnId !== undefined && !(completes && stored.turnId === turnId)) await this.#checkNew(sessionId, turnId)
    const isRenamed = turnId !== undefined && completes && stored.turnId !== turnId
    const open = isRenamed ? renamed(session.opening, turnId) : stored
    const pending = open?.messages.length ?? 0
    const { prompt: promptBefore, responseContent: responseBefore } = open ?? {}
    let at = 0
    const newTurn = (): ChatTurn =>
      new ChatTurn(
        isFirstQuestion(added, at) && turnId !== undefined ? turnId : idFor(`turn ${from + at}`, options, newId),
      )
    const conversation = new Conversation(newTurn, { turn: open, calls: session.calls })
    for (; at < added.length; at++) conversation.add(added[at] ?? {}, () => {})
    const { turns } = conversation
    const last = turns.at(-1) ?? null
    const time = now()
    let index = from - pending
    const itemsOf = ({ messages }: ChatTurn): TurnItemInput[] =>
      messages.map(value => ({ ...itemId(options, index++), format: CHAT_FORMAT, value }))
    const updateTurns: TurnUpdate[] = []
    const appendTurns: (TurnInput & Pick<TurnRecord, 'turnId'>)[] = []
    for (const turn of turns) {
      const { prompt, responseContent } = turn
      const parts = { toolCalls: [...turn.calls.values()], items: itemsOf(turn) }
      const end = turn === last ? {} : { status: 'success', endedAt: time }
      if (turn === stored) {
        const set = {
          ...(prompt === promptBefore ? {} : { prompt }),
          ...(responseContent === responseBefore ? {} : { responseContent }),
          ...end,
        }
        updateTurns.push({ turnId: turn.turnId, set, putToolCalls: parts.toolCalls, putItems: parts.items })
      } else {
        const life = { startedAt: time, status: 'running', ...end }
        appendTurns.push({ turnId: turn.turnId, prompt, responseContent, ...parts, ...life })
      }
    }
    const change: SessionChange = {
      ...(isRenamed ? { keepTurns: session.turnCount - 1 } : {}),
      updateTurns,
      appendTurns,
      ...(appendTurns.length === 0 ? {} : { reopen: true }),
      updatedAt: time,
    }
    const result = await store.changeSession(sessionId, change, { ...scope, ...repeat, ifRevision: session.revision })
    if (result.replayed) return this.#replayed(call, result)
    const turnIds = turns.filter(turn => turn !== stored || turn.messages.length > pending).map(each => each.turnId)
    session.advance(result, added.length, last)
    return { turnIds, added: added.length, count: session.count, revision: result.revision }
  }

  /** A retry would be taken for the turn that is there, and its messages would be lost. */
  async #checkNew(sessionId: string, turnId: string): Promise<void> {
    const { store, scope } = this.#recorder
    const turn = await store.readParts(sessionId, turnId, { list: 'items', limit: 1 }, scope)
    if (turn === null) return
    throw new TurnstoreError('TURN_ID_CONFLICT', `Session ${sessionId} already has the turn in options.turnId`, {
      outcome: 'not-stored',
      sessionId,
    })
  }

  /** The first result of a call with a key, found by the items that it made. */
  async #replayed({ sessionId, messages, options }: Call, { revision }: ChangeResult): Promise<RecordedMessages> {
    const made = new Set(messages.map((_, index) => itemId(options, index).itemId))
    const turnIds = new Set<string>()
    let added = 0
    let end: number | null = null
    const { count } = await this.#read(sessionId, ({ turn, itemId, position }) => {
      if (itemId === undefined || !made.has(itemId)) return
      turnIds.add(turn.turnId)
      added++
      end = position + 1
    })
    return { turnIds: [...turnIds], added, count: end ?? count, revision }
  }

  async #read(sessionId: string, visit?: (message: PlacedMessage) => void): Promise<LiveSession> {
    const { store, scope } = this.#recorder
    return withOutcome('not-stored', async () => {
      const session = await store.loadSession(sessionId, scope)
      if (session === null) throw sessionNotFound(sessionId)
      return new LiveSession(session, visit)
    })
  }
}

/** @throws `INVALID_ARGUMENT`, `INVALID_RECORD` */
function copyMessages(messages: readonly object[]): JsonObject[] {
  if (!Array.isArray(messages)) throw new TurnstoreError('INVALID_ARGUMENT', 'messages must be an array')
  const copies: JsonObject[] = []
  // Not map, which skips holes.
  for (let index = 0; index < messages.length; index++) {
    const refuse = (problem: string): never => {
      throw invalidRecord(`messages[${index}]`, problem)
    }
    const copy = copyMessage(messages[index], index, refuse)
    if (copy !== null) copies.push(copy)
  }
  return copies
}

/** Whether a turn that opens at this message is that of the first user message: only system messages come before it. */
function isFirstQuestion(messages: readonly JsonObject[], at: number): boolean {
  const question = messages.findIndex(({ role }) => role === 'user')
  const speaks = messages.findIndex(({ role }, place) => place >= at && role !== 'system' && role !== 'developer')
  return question !== -1 && question === speaks
}

/** Derived from the key, so that a repetition finds them. @param index of the message in the call; negative for older ones */
function itemId({ idempotencyKey }: RepeatOptions, index: number): { itemId?: string } {
  return idempotencyKey === undefined || index < 0 ? {} : { itemId: digestOf(['message', idempotencyKey, index]) }
}

/** A turn that has nothing but system messages, under another id. */
function renamed(opening: readonly JsonObject[], turnId: string): ChatTurn {
  const turn = new ChatTurn(turnId)
  turn.messages.push(...opening)
  return turn
}

/** @throws `MESSAGE_CONFLICT` */
function checkSame(
  sessionId: string,
  stored: readonly PlacedMessage[],
  given: readonly JsonObject[],
  at: number,
): void {
  const other = stored.findIndex(({ message }, index) => !sameJson(message, given[index] ?? null))
  if (other === -1) return
  throw new TurnstoreError('MESSAGE_CONFLICT', `Session ${sessionId} has another message at position ${at + other}`, {
    outcome: 'not-stored',
    sessionId,
  })
}
