import type { ToolSet, UIMessage } from 'ai'
import { type JsonObject, type SessionStore, TurnstoreError } from '@turnstore/core'
import { checkMembers, revisionConflict, withOutcome } from '@turnstore/core/adapter'
import { activeStreamOf, clearActiveStream, setActiveStream } from './history/active-stream.js'
import { align } from './history/align.js'
import { ChatLog, type Place } from './history/chat-log.js'
import { exchangeOf } from './history/exchange.js'
import { fork } from './history/fork.js'
import { isUnderWay } from './history/run-mark.js'
import { given, readMessage, readMessages } from './messages/message.js'
import { beginRun, type RunInput, save } from './run/begin-run.js'
import { RecordedRun } from './run/recorded-run.js'

export interface TurnstoreChatsOptions {
  /** Any store of Turnstore. It stays open: you close it. */
  store: SessionStore
  /** The workspace of the chats. Default: none for new chats; chats are found in any. */
  workspaceId?: string | null
  /** The agent of new chats and of their turns; default null. */
  agentId?: string | null
}

export interface RecordRunOptions<TOOLS extends ToolSet = ToolSet, MESSAGE extends UIMessage = UIMessage> {
  /** The last message, after those that are stored. One with the id of a stored message replaces it and what follows. */
  message?: MESSAGE
  /** The whole chat, instead. Without either, the run goes on with what is stored. */
  messages?: readonly MESSAGE[]
  /** The tools of the run. Those that the SDK executes record their calls. */
  tools?: TOOLS
  /** Names of tools that may run twice: a call that a crash interrupted runs again. */
  repeatable?: readonly (keyof TOOLS & string)[]
  /** The contexts with which interrupted calls run again: those of the run. */
  toolsContext?: Readonly<Record<string, unknown>>
}

export interface SaveMessagesOptions {
  /** Save only if the chat has this revision, as `loadChat` gave it; 0: if there is no chat. */
  ifRevision?: number
}

/** A chat as it is stored. */
export interface StoredChat<MESSAGE extends UIMessage = UIMessage> {
  messages: MESSAGE[]
  /** Grows with each change. */
  revision: number
  /** The stream that a browser can resume. */
  activeStreamId: string | null
  /** Whether a run answers the last message, or died meanwhile. */
  isRunning: boolean
  /** The metadata of the session. */
  metadata: JsonObject
}

/**
 * Chats of the AI SDK in a store of Turnstore: a chat is a session, and a user message with what answers it is a turn.
 *
 * The methods fail with the errors of the store.
 *
 * @example
 * const chats = new TurnstoreChats({ store })
 * const run = await chats.recordRun('chat-1', { message, tools })
 * const result = streamText({ model, messages: await convertToModelMessages(run.messages), ...run.settings })
 */
export class TurnstoreChats<MESSAGE extends UIMessage = UIMessage> {
  readonly #place: Place

  /** @throws `INVALID_ARGUMENT` */
  constructor(options: TurnstoreChatsOptions) {
    checkMembers(options, 'options', ['store', 'workspaceId', 'agentId'])
    const { store, workspaceId, agentId = null } = options
    this.#place = { store, workspaceId, agentId }
  }

  /** The messages of a chat, as they were saved; none if there is no chat. Turns of other SDKs come as UI messages. */
  async loadMessages(chatId: string): Promise<MESSAGE[]> {
    const chat = await this.#chat(chatId).read()
    return given<MESSAGE>((chat?.exchanges ?? []).flatMap(({ messages }) => messages))
  }

  /** The messages with what a page needs besides, read at one moment. Null if there is no chat. */
  async loadChat(chatId: string): Promise<StoredChat<MESSAGE> | null> {
    const chat = this.#chat(chatId)
    const session = await this.#place.store.loadSession(chatId, chat.scope())
    if (session === null) return null
    const { turns, revision, metadata } = session
    const last = turns.at(-1)
    return {
      messages: given<MESSAGE>(turns.flatMap(turn => [...exchangeOf(turn).messages])),
      revision,
      activeStreamId: activeStreamOf(metadata),
      isRunning: last !== undefined && isUnderWay(last),
      metadata,
    }
  }

  /**
   * Makes the chat these messages, in one change. What is stored and equal stays untouched. Creates the chat with its
   * first messages.
   * @returns the revision of the chat
   * @throws `INVALID_RECORD` for what is no UI message or not JSON, such as a `Date`; `REVISION_CONFLICT`
   */
  async saveMessages(chatId: string, messages: readonly MESSAGE[], options: SaveMessagesOptions = {}): Promise<number> {
    const { ifRevision, read } = withOutcome('not-stored', () => {
      checkMembers(options, 'options', ['ifRevision'])
      return { ifRevision: options.ifRevision, read: readMessages(messages) }
    })
    const chat = this.#chat(chatId)
    const store = async (): Promise<number> => {
      const stored = await chat.read()
      const revision = stored?.revision ?? 0
      if (ifRevision !== undefined && ifRevision !== revision) throw revisionConflict(chatId, ifRevision, revision)
      return (await save(chat, stored, align(stored?.exchanges ?? [], read))).revision
    }
    return ifRevision === undefined ? chat.retry(store) : store()
  }

  /**
   * Copies a chat up to a message, as a new chat that has this one as its parent.
   * @returns the id of the new chat
   * @throws `SESSION_NOT_FOUND`, `SESSION_EXISTS`; `INVALID_ARGUMENT` if the chat has no such message
   */
  async forkChat(chatId: string, messageId: string, options: { chatId?: string } = {}): Promise<string> {
    checkMembers(options, 'options', ['chatId'])
    const { chatId: forkId = crypto.randomUUID() } = options
    await fork(this.#chat(chatId), messageId, forkId)
    return forkId
  }

  /** Notes the stream that a browser can resume. @throws `SESSION_NOT_FOUND` */
  async setActiveStream(chatId: string, streamId: string): Promise<void> {
    await setActiveStream(this.#chat(chatId), streamId)
  }

  /** Forgets the stream, if it is still the active one. Resolves to false otherwise. */
  async clearActiveStream(chatId: string, streamId: string): Promise<boolean> {
    return clearActiveStream(this.#chat(chatId), streamId)
  }

  /**
   * Begins a run that survives a crash, and settles what the last run of a process that died has left. Only one run can
   * write to the last turn of a chat: this one takes it over.
   * @throws `INVALID_ARGUMENT`, `INVALID_RECORD`
   *
   * @example
   * const run = await chats.recordRun('chat-1', { message, tools, repeatable: ['track'] })
   * const result = streamText({ model, messages: await convertToModelMessages(run.messages), ...run.settings })
   * const { messages: originalMessages, generateMessageId, onEnd } = run
   * const stream = toUIMessageStream({ stream: result.stream, originalMessages, generateMessageId, onEnd })
   */
  async recordRun<TOOLS extends ToolSet>(
    chatId: string,
    options: RecordRunOptions<TOOLS, MESSAGE> & { tools: TOOLS },
  ): Promise<RecordedRun<TOOLS, MESSAGE>>
  async recordRun(chatId: string, options?: RecordRunOptions<ToolSet, MESSAGE>): Promise<RecordedRun<ToolSet, MESSAGE>>
  async recordRun(
    chatId: string,
    options: RecordRunOptions<ToolSet, MESSAGE> = {},
  ): Promise<RecordedRun<ToolSet, MESSAGE>> {
    const { tools, input } = withOutcome('not-stored', () => readRun(options))
    return new RecordedRun<ToolSet, MESSAGE>(chatId, await beginRun(this.#chat(chatId), input), tools)
  }

  #chat(chatId: string): ChatLog {
    return new ChatLog(this.#place, chatId)
  }
}

function readRun<MESSAGE extends UIMessage>(
  options: RecordRunOptions<ToolSet, MESSAGE>,
): { tools: ToolSet; input: RunInput } {
  checkMembers(options, 'options', ['message', 'messages', 'tools', 'repeatable', 'toolsContext'])
  const { message, messages, tools = {}, repeatable = [], toolsContext = {} } = options
  if (message !== undefined && messages !== undefined) {
    throw new TurnstoreError('INVALID_ARGUMENT', 'options.message and options.messages exclude each other')
  }
  if (!Array.isArray(repeatable)) throw new TurnstoreError('INVALID_ARGUMENT', 'options.repeatable must be an array')
  checkObject(tools, 'options.tools')
  checkObject(toolsContext, 'options.toolsContext')
  const given = {
    message: message === undefined ? null : readMessage(message, 'options.message'),
    messages: messages === undefined ? null : readMessages(messages),
  }
  return { tools, input: { ...given, tools, repeatable: new Set(repeatable), toolsContext } }
}

function checkObject(value: unknown, what: string): void {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return
  throw new TurnstoreError('INVALID_ARGUMENT', `${what} must be an object`)
}
