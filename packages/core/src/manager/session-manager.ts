import { checkMembers, readFlag, wholeNumber } from '../basics/arguments.js'
import { isTurnstoreError, sessionNotFound, TurnstoreError } from '../basics/errors.js'
import { withOutcome } from '../basics/outcome.js'
import { type DeleteOptions, type ReadOptions, type ScopeOptions, scopeOf } from '../basics/scope.js'
import type { Signal } from '../basics/signal.js'
import { timeKey } from '../basics/time.js'
import type { JsonObject } from '../basics/json.js'
import type { ChangeResult, SessionChange } from '../changes/change.js'
import type { ChangeOptions } from '../changes/change-options.js'
import type { ChatMessage } from '../chat/chat-message.js'
import { messagesFromTurns, type MessagesOptions, readMessagesOptions } from '../chat/messages-from-turns.js'
import type { SessionPage } from '../queries/page.js'
import { queryMembers, type SessionQuery } from '../queries/query.js'
import type { TurnRange } from '../queries/turn-range.js'
import { completeToolCall, completeTurn } from '../records/complete.js'
import { hardLimits } from '../records/limits.js'
import type {
  AgentTransitionInput,
  AgentTransitionRecord,
  SessionRecord,
  SessionSummary,
  ToolCallInput,
  ToolCallRecord,
  TurnInput,
  TurnPatch,
  TurnRecord,
} from '../records/models.js'
import { RecordFactory } from '../records/record-factory.js'
import { turnPatchMembers } from '../records/record-input.js'
import { attempt, later } from '../stores/lifecycle.js'
import { bindStore, boundWorkspaceOf } from '../stores/bound-store.js'
import { watchMembers, type WatchedSession, type WatchOptions } from '../watch/watch-options.js'
import { searchMembers, type SearchPage, type SearchQuery } from '../search/search-query.js'
import type { SessionStore } from '../stores/session-store.js'
import { MessageRecorder, type RecordedMessages, type RecordMessagesOptions } from './message-recorder.js'
import { fork, type ForkOptions, readFork } from './fork-session.js'
import {
  deleteSessions,
  type DeleteQuery,
  type DeleteSessionsOptions,
  type PruneOptions,
  readDeleteSessions,
  readPrune,
} from './delete-sessions.js'
import { checkRepeatOptions, idFor, repeatable, type RepeatOptions } from './repeatable.js'
import { readStart, start, type StartSessionOptions } from './start-session.js'
import { typed, untyped } from './typed-metadata.js'

export interface SessionManagerOptions {
  /**
   * Restricts the manager to one workspace, or with null to sessions without one. Default: the workspace of a bound
   * store, else all sessions. An explicit `undefined` is refused.
   */
  workspaceId?: string | null
  /** Returns the current time, as a `Date` or in ISO 8601. */
  now?: () => Date | string
  /** Returns a new unique id. */
  newId?: () => string
}

/** What `updateSession` changes. */
export interface SessionUpdate<Metadata = JsonObject> {
  /** Top-level members to set. */
  metadata?: Partial<Metadata>
  /** Top-level members to remove, after `metadata`. */
  unsetMetadata?: readonly (keyof Metadata & string)[]
  agentId?: string | null
}

interface MessageRange {
  /** The last n turns. */
  last?: number
  signal?: Signal
}

export interface RecordedTurn {
  /**
   * Your turn, with defaults filled in; its values are the objects that you passed. If the session already
   * had the turn, the stored one may have more tool calls.
   */
  turn: TurnRecord
  revision: number
  /** The id of the turn if the session already had it. Then nothing was written. */
  deduplicated: string[]
}

/**
 * Records what agents do. Each mutation is one atomic change in the store, never a load, modify and save.
 * Any number of managers and processes can record into one session at once, within the store's `sharing`.
 *
 * Methods that need an existing session fail with `SESSION_NOT_FOUND`. All methods also pass on the store's
 * errors. Every rejected write has an `outcome`.
 *
 * `Metadata` is the type of the sessions' metadata. It is your word: nothing checks what is stored.
 *
 * @example
 * const manager = new SessionManager(store, { workspaceId: 'acme' })
 * const { sessionId } = await manager.startSession({ agentId: 'support' })
 * await manager.recordTurn(sessionId, { prompt: 'Hello', responseContent: 'Hello! What can I do for you?' })
 * await manager.endSession(sessionId)
 *
 * @example
 * interface Chat { title?: string; userId: string }
 * const manager = new SessionManager<Chat>(store)
 * const summary = await manager.getSummary(sessionId) // summary?.metadata.title is a string or undefined
 */
export class SessionManager<Metadata extends object = JsonObject> implements AsyncDisposable {
  /** The store. Of a manager with a workspace: bound to that workspace. */
  readonly store: SessionStore
  readonly #store: SessionStore
  readonly #scope: ScopeOptions
  readonly #factory: RecordFactory
  readonly #recorder: MessageRecorder

  /** @throws `INVALID_ARGUMENT`, `INVALID_ID` */
  constructor(store: SessionStore, options: SessionManagerOptions = {}) {
    checkMembers(options, 'options', ['workspaceId', 'now', 'newId'])
    const { now, newId } = options
    this.#store = store
    this.#scope = ownScope(store, options)
    const { workspaceId } = this.#scope
    this.store = workspaceId === undefined ? store : bindStore(store, workspaceId)
    this.#factory = new RecordFactory(
      {
        ...(now === undefined ? {} : { now: () => readNow(now()) }),
        ...(newId === undefined ? {} : { newId }),
      },
      // The store enforces its own limits, which may be higher than the defaults.
      hardLimits,
    )
    const { now: time, newId: id } = this.#factory
    this.#recorder = new MessageRecorder({ store, scope: this.#scope, now: time, newId: id })
  }

  /**
   * Starts a session and returns its record.
   * @throws `SESSION_EXISTS` if the id is in use. With `resume` and `replace`: only if another workspace
   *   uses it
   */
  async startSession(options: StartSessionOptions<Metadata> = {}): Promise<SessionRecord<Metadata>> {
    const session = await start(
      this.#store,
      this.#factory,
      withOutcome('not-stored', () => readStart(options, this.#factory, this.#scopeOf)),
    )
    return typed(session)
  }

  /**
   * Appends a turn. A session that was ended is open again. Set `turnId` to make retries safe: it is the idempotency key, and a turn is never
   * recorded twice.
   * @throws `TURN_ID_CONFLICT`, `INVALID_RECORD`
   */
  async recordTurn(sessionId: string, turn: TurnInput = {}, options: RepeatOptions = {}): Promise<RecordedTurn> {
    const [input, repeat] = withOutcome('not-stored', () => {
      checkRepeatOptions(options)
      return [
        this.#factory.turnInput(turn, () => idFor('turn', options, this.#factory.newId)),
        repeatable('recordTurn', options, turn),
      ] as const
    })
    const change = this.#change(sessionId, { appendTurns: [input], reopen: true }, repeat)
    const { revision, deduplicated } = await inTheCallersWords(change, () => this.#factory.turn(input))
    return { turn: completeTurn(input), revision, deduplicated }
  }

  /**
   * Updates a turn. Setting a status other than `running` also sets `endedAt` to now, unless the patch
   * contains `endedAt`.
   * @throws `TURN_NOT_FOUND`, `INVALID_RECORD`
   */
  async updateTurn(
    sessionId: string,
    turnId: string,
    patch: TurnPatch,
    options: RepeatOptions = {},
  ): Promise<ChangeResult> {
    const repeat = withOutcome('not-stored', () => {
      checkMembers(patch, 'patch', turnPatchMembers)
      checkRepeatOptions(options)
      return repeatable('updateTurn', options, turnId, patch)
    })
    const ends = patch.status !== undefined && patch.status !== 'running' && !Object.hasOwn(patch, 'endedAt')
    const set = ends ? { ...patch, endedAt: this.#factory.now() } : patch
    return this.#change(sessionId, { updateTurns: [{ turnId, set }] }, repeat)
  }

  /**
   * Adds a tool call to a turn, or replaces the one with the same `callId` in place. Always pass the
   * complete call: members that you omit, such as the arguments, are lost. Concurrent calls of this method
   * do not overwrite each other's tool calls.
   * @throws `TURN_NOT_FOUND`, `INVALID_RECORD`; `CALL_ID_CONFLICT` if the id belongs to a finished call with
   *   another name or other arguments, unless `replace` is true
   */
  async recordToolCall(
    sessionId: string,
    turnId: string,
    call: ToolCallInput,
    options: RepeatOptions & { replace?: boolean } = {},
  ): Promise<{ toolCall: ToolCallRecord; revision: number }> {
    const [input, repeat, replace] = withOutcome('not-stored', () => {
      checkRepeatOptions(options, ['replace'])
      return [
        this.#factory.toolCallInput(call, () => idFor('tool call', options, this.#factory.newId)),
        repeatable('recordToolCall', options, turnId, call),
        readFlag(options.replace, 'options.replace'),
      ] as const
    })
    const putToolCalls = [replace ? { ...input, replace } : input]
    const change = this.#change(sessionId, { updateTurns: [{ turnId, putToolCalls }] }, repeat)
    const { revision } = await inTheCallersWords(change, () => this.#factory.toolCall(input))
    return { toolCall: completeToolCall(input, input.callId), revision }
  }

  /**
   * Records an agent transition: one agent passing the session to another. It does not change the
   * session's `agentId`.
   * @throws `TRANSITION_ID_CONFLICT`, `INVALID_RECORD`
   */
  async recordAgentTransition(
    sessionId: string,
    transition: AgentTransitionInput,
    options: RepeatOptions = {},
  ): Promise<{ transition: AgentTransitionRecord; revision: number }> {
    const [record, repeat] = withOutcome('not-stored', () => {
      checkRepeatOptions(options)
      return [
        this.#factory.agentTransition(transition, () => idFor('agent transition', options, this.#factory.newId)),
        repeatable('recordAgentTransition', options, transition),
      ] as const
    })
    const { revision } = await this.#change(sessionId, { appendAgentTransitions: [record] }, repeat)
    return { transition: record, revision }
  }

  /** Sets `metadata.ended`. `startSession` with `ifExists: 'resume'` clears it. */
  async endSession(sessionId: string, options: RepeatOptions = {}): Promise<ChangeResult> {
    const repeat = withOutcome('not-stored', () => {
      checkRepeatOptions(options)
      return repeatable('endSession', options)
    })
    return this.#change(sessionId, { setMetadata: { ended: true } }, repeat)
  }

  /**
   * Sets metadata, title and agent of a session, without touching its turns: top-level metadata members to set, then
   * those to remove, and the agent.
   * @throws `REVISION_CONFLICT`, `INVALID_RECORD`
   *
   * @example
   * await manager.updateSession(id, { metadata: { title: 'Tea' }, unsetMetadata: ['draft'] })
   */
  async updateSession(
    sessionId: string,
    update: SessionUpdate<Metadata>,
    options: RepeatOptions & { ifRevision?: number } = {},
  ): Promise<ChangeResult> {
    const [change, conditions] = withOutcome('not-stored', () => {
      checkMembers(update, 'update', ['metadata', 'unsetMetadata', 'agentId'])
      checkRepeatOptions(options, ['ifRevision'])
      const { metadata = {}, unsetMetadata = [], agentId } = update
      return [
        { setMetadata: untyped(metadata), unsetMetadata, ...(agentId === undefined ? {} : { agentId }) },
        { ...repeatable('updateSession', options, update), ...ifRevisionIn(options) },
      ] as const
    })
    return this.#change(sessionId, change, conditions)
  }

  /**
   * Marks a running turn as `interrupted`, for example one whose process died. It needs the revision at which you saw
   * the turn, so it never interrupts a turn in which work went on since. A turn that is not running is left alone, and
   * listed in `skipped`.
   * @throws `REVISION_CONFLICT`, `TURN_NOT_FOUND`
   */
  async interruptTurn(
    sessionId: string,
    turnId: string,
    options: RepeatOptions & { ifRevision: number },
  ): Promise<ChangeResult> {
    const conditions = withOutcome('not-stored', () => {
      checkRepeatOptions(options, ['ifRevision'])
      wholeNumber(options.ifRevision, 'options.ifRevision', 1)
      return { ...repeatable('interruptTurn', options, turnId), ...ifRevisionIn(options) }
    })
    const set = { status: 'interrupted', endedAt: this.#factory.now() }
    return this.#change(sessionId, { updateTurns: [{ turnId, ifStatus: 'running', set }] }, conditions)
  }

  /** The whole session, or null if it does not exist. */
  async getSession(sessionId: string, options: { signal?: Signal } = {}): Promise<SessionRecord<Metadata> | null> {
    return typed(await this.#store.loadSession(sessionId, this.#reading(options)))
  }

  /** The session without its turns, or null if it does not exist. */
  async getSummary(sessionId: string, options: { signal?: Signal } = {}): Promise<SessionSummary<Metadata> | null> {
    return typed(await this.#store.loadSummary(sessionId, this.#reading(options)))
  }

  /** The turns of a session, or a range of them, without loading the rest. */
  async getTurns(sessionId: string, range: TurnRange = {}, options: { signal?: Signal } = {}): Promise<TurnRecord[]> {
    const page = await this.#store.readTurns(sessionId, range, this.#reading(options))
    if (page === null) throw sessionNotFound(sessionId)
    return page.turns
  }

  /**
   * Records chat messages as they happen, each as an item of its turn, and what they say as the turn's prompt, tool calls
   * and response. A user message ends the open turn, with the status `success`, and opens one; what follows belongs to
   * it. System messages before the first user message open a turn that this message completes. Without an open turn, any
   * other message opens one with the prompt `''`. A result whose call is in another turn is kept as an item only.
   *
   * Without `at` or `idempotencyKey`, a repetition records the messages again. The first call of a manager for a
   * session reads the session; from then on a message costs what it costs alone, unless another writer changes the
   * session in between.
   *
   * @throws `MESSAGE_CONFLICT` if there is another message at `at`; `TURN_ID_CONFLICT` if `turnId` is in use;
   *   `INVALID_RECORD`; `INVALID_ARGUMENT`, also for `turnId` without a user message and for `at` beyond the end
   *
   * @example
   * await manager.recordMessages(id, [{ role: 'user', content: 'Is there tea?' }], { turnId: 'q1' })
   * const { choices } = await openai.chat.completions.create({ model, messages: await manager.getMessages(id) })
   * await manager.recordMessages(id, [choices[0].message])
   */
  async recordMessages(
    sessionId: string,
    messages: readonly object[],
    options: RecordMessagesOptions = {},
  ): Promise<RecordedMessages> {
    return this.#recorder.record(sessionId, messages, options)
  }

  /**
   * The conversation as chat messages that you can send to a model, or, with `exact`, as they were recorded. `last`
   * limits them to the last n turns. For a model, they then begin at a user message, so add your own system message.
   * `messagesFromTurns` describes both forms.
   */
  async getMessages(sessionId: string, options: MessagesOptions & MessageRange & { exact: true }): Promise<JsonObject[]>
  async getMessages(
    sessionId: string,
    options?: MessagesOptions & MessageRange & { exact?: false },
  ): Promise<ChatMessage[]>
  async getMessages(
    sessionId: string,
    options: MessagesOptions & MessageRange = {},
  ): Promise<(ChatMessage | JsonObject)[]> {
    checkMembers(options, 'options', ['last', 'signal', 'exact', 'incomplete', 'callId'])
    const { last, signal, ...form } = options
    readMessagesOptions(form)
    const range = last === undefined ? {} : { last: wholeNumber(last, 'options.last', 0) }
    const messages = messagesFromTurns(
      await this.getTurns(sessionId, range, signal === undefined ? {} : { signal }),
      form,
    )
    if (last === undefined || form.exact) return messages
    const first = messages.findIndex(({ role }) => role === 'user')
    return first === -1 ? [] : messages.slice(first)
  }

  /** The session ids of one workspace, or of all sessions that the manager sees. */
  async listSessions(options: ReadOptions = {}): Promise<string[]> {
    checkMembers(options, 'options', ['workspaceId', 'signal'])
    const { signal, ...scope } = options
    return this.#store.listSessions({ ...this.#scopeOf(scope), ...(signal === undefined ? {} : { signal }) })
  }

  /** One page of the sessions that the manager sees. Pass its `cursor` to get the next page. */
  async querySessions(query: SessionQuery = {}): Promise<SessionPage<Metadata>> {
    return typed(await this.#store.querySessions(this.#scopedQuery(query)))
  }

  /**
   * Iterates over all sessions that match the query, page by page. `limit` is the page size. Errors are
   * thrown during the iteration, never by the call itself.
   * @throws `CORRUPT_SESSION`, `SCHEMA_TOO_NEW` after the last session, if some sessions are damaged;
   *   `INVALID_ARGUMENT`
   *
   * @example
   * for await (const { sessionId, turnCount } of manager.sessions({ ended: false })) console.log(sessionId, turnCount)
   */
  sessions(query: SessionQuery = {}): AsyncIterable<SessionSummary<Metadata>> {
    return typed(later(attempt(() => this.#store.sessions(this.#scopedQuery(query)))))
  }

  /**
   * Searches the turns of the sessions that the manager sees. Pass the `cursor` of a page to get the next.
   * @throws `INVALID_ARGUMENT`
   *
   * @example
   * const { hits } = await manager.searchSessions({ text: 'parcel "at the depot"' })
   * for (const { session, snippet } of hits) console.log(session.sessionId, snippet)
   */
  async searchSessions(query: SearchQuery): Promise<SearchPage<Metadata>> {
    return typed(await this.#store.searchSessions(this.#scopedQuery(query, searchMembers)))
  }

  /**
   * Watches a session: gives its state, and again after each change, by whatever process. The watch ends when the session
   * is deleted, or when you leave the loop. Read turns and parts to see what has changed.
   *
   * @example
   * for await (const { deleted, lastTurn } of manager.watchSession('chat-1')) console.log(deleted ? 'gone' : lastTurn?.status)
   */
  watchSession(sessionId: string, options: WatchOptions = {}): AsyncIterable<WatchedSession> {
    return later(
      attempt(() => {
        checkMembers(options, 'options', watchMembers)
        return this.#store.watchSession(sessionId, { ...options, ...this.#scopeOf(options) })
      }),
    )
  }

  /**
   * Creates a session from the first n turns of another, like a copy that is rewound to n turns. The fork
   * has `parentSessionId` set, its metadata merged, and no `ended` flag.
   * @throws `SESSION_EXISTS`
   */
  async forkSession(sessionId: string, options: ForkOptions<Metadata> = {}): Promise<SessionRecord<Metadata>> {
    const forking = withOutcome('not-stored', () => readFork(options))
    return typed(await fork(this.#store, this.#factory, sessionId, this.#scope, forking))
  }

  /** Keeps the first n turns. Drops the rest, and the agent transitions recorded in them. */
  async rewindSession(
    sessionId: string,
    turns: number,
    options: RepeatOptions & { ifRevision?: number } = {},
  ): Promise<ChangeResult> {
    const conditions = withOutcome('not-stored', () => {
      checkRepeatOptions(options, ['ifRevision'])
      wholeNumber(turns, 'turns', 0)
      return { ...repeatable('rewindSession', options, turns), ...ifRevisionIn(options) }
    })
    return this.#change(sessionId, { keepTurns: turns }, conditions)
  }

  /**
   * Deletes a session. Resolves to false if it did not exist.
   * @throws `REVISION_CONFLICT`; `CORRUPT_SESSION` for a damaged session, unless `evenIfDamaged` is true
   */
  async deleteSession(sessionId: string, options: Omit<DeleteOptions, 'workspaceId'> = {}): Promise<boolean> {
    withOutcome('not-stored', () => checkMembers(options, 'options', ['ifRevision', 'evenIfDamaged']))
    return this.#store.deleteSession(sessionId, { ...options, ...this.#scope })
  }

  /**
   * Deletes the sessions that match the options, and returns their ids. Pass `updatedBefore`, `ended` or
   * both. `onDeleted` is called right after each deletion.
   *
   * A session that changes meanwhile, and no longer matches, is kept.
   *
   * Damaged sessions are kept. The others are deleted first, then the first such error is thrown. Any other
   * error stops the prune at once. In both cases the sessions reported to `onDeleted` are deleted.
   * @throws `INVALID_ARGUMENT`; `CORRUPT_SESSION` and `SCHEMA_TOO_NEW` at the end
   */
  async pruneSessions(options: PruneOptions): Promise<string[]> {
    return deleteSessions(
      this.#store,
      withOutcome('not-stored', () => readPrune(options, this.#scopeOf(options))),
    )
  }

  /**
   * Deletes all sessions that match a query, for example those of one person, and returns their ids. The query must have
   * a member. Otherwise the same as {@link pruneSessions}.
   * @throws `INVALID_ARGUMENT`; `CORRUPT_SESSION` and `SCHEMA_TOO_NEW` at the end
   *
   * @example
   * await manager.deleteSessions({ metadata: { userId: 'u-17' } })
   */
  async deleteSessions(query: DeleteQuery, options: DeleteSessionsOptions = {}): Promise<string[]> {
    const deleting = withOutcome('not-stored', () => readDeleteSessions(query, options, this.#scopeOf(query, 'query')))
    return deleteSessions(this.#store, deleting)
  }

  /** Closes the store. A manager with a workspace closes nothing, since others may use the store. */
  async close(): Promise<void> {
    await this.store.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #reading(options: { signal?: Signal }): ReadOptions {
    checkMembers(options, 'options', ['signal'])
    return { ...options, ...this.#scope }
  }

  async #change(
    sessionId: string,
    change: Omit<SessionChange, 'updatedAt'>,
    options: ChangeOptions,
  ): Promise<ChangeResult> {
    const result = await this.#store.changeSession(
      sessionId,
      { ...change, updatedAt: this.#factory.now() },
      { ...this.#scope, ...options },
    )
    this.#recorder.note(sessionId, change, result)
    return result
  }

  /** The workspace of a call. If the manager is bound to a workspace, a call cannot name another. */
  readonly #scopeOf = (options: ScopeOptions, what = 'options'): ScopeOptions => {
    const named = readOwnScope(options, what)
    if (!('workspaceId' in this.#scope)) return named
    if ('workspaceId' in named && named.workspaceId !== this.#scope.workspaceId) {
      throw new TurnstoreError(
        'INVALID_ARGUMENT',
        `${what}.workspaceId is not the workspace that this manager is bound to`,
      )
    }
    return this.#scope
  }

  #scopedQuery<Query extends ScopeOptions>(query: Query, members = queryMembers): Query {
    checkMembers(query, 'query', members)
    return { ...query, ...this.#scopeOf(query, 'query') }
  }
}

function ifRevisionIn({ ifRevision }: { ifRevision?: number }): { ifRevision?: number } {
  return ifRevision === undefined ? {} : { ifRevision }
}

/** The manager's workspace: that in its options, or that of a bound store. @throws `INVALID_ARGUMENT`, `INVALID_ID` */
function ownScope(store: SessionStore, options: ScopeOptions): ScopeOptions {
  const named = readOwnScope(options)
  const workspaceId = boundWorkspaceOf(store)
  if (workspaceId === undefined) return named
  if (named.workspaceId === undefined || named.workspaceId === workspaceId) return { workspaceId }
  throw new TurnstoreError('INVALID_ARGUMENT', 'options.workspaceId is not the workspace that the store is bound to')
}

/** The workspace in the options, if any. @throws `INVALID_ARGUMENT`, `INVALID_ID` */
function readOwnScope(options: ScopeOptions, what = 'options'): ScopeOptions {
  const workspaceId = scopeOf({ ...options }, what)
  return workspaceId === undefined ? {} : { workspaceId }
}

/** Refuses an invalid time, because the session could not be sorted or pruned. @throws `INVALID_ARGUMENT` */
function readNow(time: Date | string): string {
  let text = ''
  try {
    text = typeof time === 'string' ? time : time.toISOString()
  } catch {
    // Not a Date, or an invalid one.
  }
  if (timeKey(text) !== '') return text
  throw new TurnstoreError('INVALID_ARGUMENT', 'options.now must return a Date or an ISO 8601 time', {
    outcome: 'not-stored',
  })
}

/**
 * The store checks and copies what is recorded, once. Where it refuses the record, `check` finds the fault again and
 * names it as the caller does: `turn.prompt`, not `change.appendTurns[0].prompt`.
 */
async function inTheCallersWords<T>(change: Promise<T>, check: () => unknown): Promise<T> {
  try {
    return await change
  } catch (error) {
    if (isTurnstoreError(error, 'INVALID_RECORD')) withOutcome('not-stored', check)
    throw error
  }
}
