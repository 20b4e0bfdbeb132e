import { applyNormalChange } from '../changes/apply-change.js'
import { type ChangeResult, readChange, type SessionChange } from '../changes/change.js'
import type { TurnPatch } from '../records/models.js'
import type { ChatMessage } from '../chat/chat-message.js'
import { messagesFromTurns } from '../chat/messages-from-turns.js'
import { isTurnstoreError, sessionExists, sessionNotFound, TurnstoreError } from '../basics/errors.js'
import { checkId } from '../basics/ids.js'
import type { JsonObject } from '../basics/json.js'
import { attempt } from '../stores/lifecycle.js'
import { hardLimits } from '../records/limits.js'
import {
  type AgentTransitionInput,
  type AgentTransitionRecord,
  isEnded,
  type SessionRecord,
  type SessionSummary,
  type ToolCallInput,
  type ToolCallRecord,
  type TurnInput,
  type TurnRecord,
} from '../records/models.js'
import { checkMembers } from '../basics/arguments.js'
import { type DeleteOptions, type ScopeOptions, scopeOf } from '../basics/scope.js'
import { withOutcome } from '../basics/outcome.js'
import { prune, type PruneOptions, readPrune } from './prune.js'
import { queryMembers, type SessionQuery } from '../queries/query.js'
import type { SessionPage } from '../queries/page.js'
import { RecordFactory } from '../records/record-factory.js'
import { readMetadataInput, turnPatchMembers } from '../records/record-input.js'
import type { SessionStore } from '../stores/session-store.js'
import { timeKey } from '../basics/time.js'
import type { TurnRange } from '../queries/turn-range.js'
import { wholeNumber } from '../basics/arguments.js'

export interface SessionManagerOptions {
  /**
   * Binds the manager to one workspace (null: to the sessions without one): it sees no other. Left
   * out, it sees all; a member whose value is `undefined` is refused.
   */
  workspaceId?: string | null
  /** The present time, a `Date` or ISO 8601. */
  now?: () => Date | string
  /** A new random id. */
  newId?: () => string
}

export interface StartSessionOptions {
  /** Default: that of the manager, or none. */
  workspaceId?: string | null
  /** The agent that the session begins with. */
  agentId?: string | null
  /** Default: a random one. */
  sessionId?: string
  metadata?: JsonObject
  /** Where the id is in use: fail (the default), give the stored session back and take `ended` off it, or replace it. */
  ifExists?: 'fail' | 'resume' | 'replace'
}

export interface RecordedTurn {
  /**
   * The turn that was handed in, completed. Where the session had it already, the stored one, with the
   * tool calls that it has by now, is in the session.
   */
  turn: TurnRecord
  revision: number
  /** The session had this turn already; nothing was written. */
  deduplicated: boolean
}

export interface ForkOptions {
  /** How many turns the fork takes over; default all. */
  turns?: number
  sessionId?: string
  /** Merged over that of the session. */
  metadata?: JsonObject
}

/**
 * Records what agents do. Each mutation is one change of the store, never load, alter and save, so
 * any number of managers in any number of processes may record into one session at once, as far as
 * the store's `sharing` goes.
 *
 * The methods that need a session fail with `SESSION_NOT_FOUND` without one; besides, each hands on
 * the errors of the store. A rejected write has an `outcome`, whether the store refused it or the manager.
 *
 * @example
 * const manager = new SessionManager(store, { workspaceId: 'acme' })
 * const { sessionId } = await manager.startSession({ agentId: 'support' })
 * await manager.recordTurn(sessionId, { prompt: 'Hello', responseContent: 'Hello! What can I do for you?' })
 * await manager.endSession(sessionId)
 */
export class SessionManager {
  readonly store: SessionStore
  readonly #scope: ScopeOptions
  readonly #factory: RecordFactory

  /** @throws `INVALID_ARGUMENT`, `INVALID_ID` */
  constructor(store: SessionStore, options: SessionManagerOptions = {}) {
    checkMembers(options, 'options', ['workspaceId', 'now', 'newId'])
    const { now = () => new Date(), newId } = options
    this.store = store
    this.#scope = readOwnScope(options)
    this.#factory = new RecordFactory(
      {
        now: () => readNow(now()),
        ...(newId === undefined ? {} : { newId }),
      },
      // The store judges with its own, which may be wider than the default.
      hardLimits,
    )
  }

  /**
   * Starts a session and gives its record.
   * @throws `SESSION_EXISTS` where the id is in use; with `resume` and `replace` only where another
   *   workspace holds it
   */
  async startSession(options: StartSessionOptions = {}): Promise<SessionRecord> {
    const { session, scope, ifExists } = withOutcome('not-stored', () => this.#readStart(options))
    if (ifExists === 'replace') return { ...session, revision: await this.store.saveSession(session) }
    for (;;) {
      if (ifExists === 'resume') {
        const stored = await this.#resume(session.sessionId, scope)
        if (stored !== null) return stored
      }
      try {
        return { ...session, revision: await this.store.saveSession(session, { ifRevision: 0 }) }
      } catch (error) {
        if (!isTurnstoreError(error, 'REVISION_CONFLICT')) throw error
        if (ifExists === 'fail') throw sessionExists(session.sessionId)
        // Somebody created it between the two looks: resume that one.
      }
    }
  }

  #readStart(options: StartSessionOptions): Pick<Required<StartSessionOptions>, 'ifExists'> & {
    session: SessionRecord
    scope: ScopeOptions
  } {
    checkMembers(options, 'options', ['workspaceId', 'agentId', 'sessionId', 'metadata', 'ifExists'])
    const { agentId = null, sessionId, metadata = {}, ifExists = 'fail' } = options
    if (!['fail', 'resume', 'replace'].includes(ifExists)) {
      throw new TurnstoreError('INVALID_ARGUMENT', "options.ifExists must be 'fail', 'resume' or 'replace'")
    }
    if (agentId !== null) checkId(agentId, 'options.agentId')
    const scope = this.#scopeOf(options)
    const session = this.#factory.session({
      ...(sessionId === undefined ? {} : { sessionId }),
      workspaceId: scope.workspaceId ?? null,
      agentId,
      metadata,
    })
    return { session, scope, ifExists }
  }

  async #resume(sessionId: string, scope: ScopeOptions): Promise<SessionRecord | null> {
    const stored = await withOutcome('not-stored', () => this.store.loadSession(sessionId, scope))
    if (stored === null || !isEnded(stored)) return stored
    try {
      await this.store.changeSession(sessionId, { unsetMetadata: ['ended'], updatedAt: this.#factory.now() }, scope)
    } catch (error) {
      if (isTurnstoreError(error, 'SESSION_NOT_FOUND')) return null
      throw error
    }
    return withOutcome('unknown', () => this.store.loadSession(sessionId, scope))
  }

  /**
   * Appends a turn. Give it a `turnId` of your own to make a retry harmless: a turn that is there
   * already is not recorded twice.
   * @throws `TURN_ID_CONFLICT`, `INVALID_RECORD`
   */
  async recordTurn(sessionId: string, turn: TurnInput = {}): Promise<RecordedTurn> {
    const record = withOutcome('not-stored', () => this.#factory.turn(turn))
    const { revision, deduplicated } = await this.#change(sessionId, { appendTurns: [record] })
    return { turn: record, revision, deduplicated: deduplicated.length > 0 }
  }

  /**
   * Sets some members of a turn. A status other than `running` ends the turn now, unless the patch
   * has an `endedAt` of its own.
   * @throws `TURN_NOT_FOUND`, `INVALID_RECORD`
   */
  async updateTurn(sessionId: string, turnId: string, patch: TurnPatch): Promise<ChangeResult> {
    withOutcome('not-stored', () => checkMembers(patch, 'patch', turnPatchMembers))
    const ends = patch.status !== undefined && patch.status !== 'running' && !Object.hasOwn(patch, 'endedAt')
    const set = ends ? { ...patch, endedAt: this.#factory.now() } : patch
    return this.#change(sessionId, { updateTurns: [{ turnId, set }] })
  }

  /**
   * Adds a tool call to a turn, or replaces the one with its `callId` in its place. A call is given
   * whole: what a second recording leaves out, such as its arguments, is gone. What is recorded by two
   * at once is all kept.
   * @throws `TURN_NOT_FOUND`, `INVALID_RECORD`
   */
  async recordToolCall(
    sessionId: string,
    turnId: string,
    call: ToolCallInput,
  ): Promise<{ toolCall: ToolCallRecord; revision: number }> {
    const toolCall = withOutcome('not-stored', () => this.#factory.toolCall(call))
    const { revision } = await this.#change(sessionId, { updateTurns: [{ turnId, putToolCalls: [toolCall] }] })
    return { toolCall, revision }
  }

  /**
   * Records that one agent handed over to another. `agentId` of the session stays: it is the agent that
   * the session began with, unless a change of the store has set another.
   * @throws `TRANSITION_ID_CONFLICT`, `INVALID_RECORD`
   */
  async recordAgentTransition(
    sessionId: string,
    transition: AgentTransitionInput,
  ): Promise<{ transition: AgentTransitionRecord; revision: number }> {
    const record = withOutcome('not-stored', () => this.#factory.agentTransition(transition))
    const { revision } = await this.#change(sessionId, { appendAgentTransitions: [record] })
    return { transition: record, revision }
  }

  /** Sets `metadata.ended`; `startSession` with `resume` takes it off again. */
  async endSession(sessionId: string): Promise<ChangeResult> {
    return this.#change(sessionId, { setMetadata: { ended: true } })
  }

  async getSession(sessionId: string): Promise<SessionRecord | null> {
    return this.store.loadSession(sessionId, this.#scope)
  }

  /** The turns of a session, or a stretch of them, without loading the rest. */
  async getTurns(sessionId: string, range: TurnRange = {}): Promise<TurnRecord[]> {
    const page = await this.store.readTurns(sessionId, range, this.#scope)
    if (page === null) throw sessionNotFound(sessionId)
    return page.turns
  }

  /**
   * The conversation as chat messages, to resume a model with: no call without its result, no result
   * without its call. `last` takes only the last n turns, without the system messages of older ones: put
   * your own in front.
   */
  async getMessages(sessionId: string, options: { last?: number } = {}): Promise<ChatMessage[]> {
    checkMembers(options, 'options', ['last'])
    const { last } = options
    const range = last === undefined ? {} : { last: wholeNumber(last, 'options.last', 0) }
    return messagesFromTurns(await this.getTurns(sessionId, range))
  }

  /** Ids of the sessions of one workspace, or of all that the manager sees. */
  async listSessions(options: ScopeOptions = {}): Promise<string[]> {
    checkMembers(options, 'options', ['workspaceId'])
    return this.store.listSessions(this.#scopeOf(options))
  }

  /** One page of the sessions that the manager sees; `cursor` leads to the next. */
  async querySessions(query: SessionQuery = {}): Promise<SessionPage> {
    return this.store.querySessions(this.#scopedQuery(query))
  }

  /**
   * All sessions that the manager sees and a query means, page by page; `limit` is the size of a page.
   * An error shows when the iteration begins, or where it comes to it.
   * @throws `CORRUPT_SESSION`, `SCHEMA_TOO_NEW` behind the last session, where there were some that cannot
   *   be read; `INVALID_ARGUMENT`
   *
   * @example
   * for await (const { sessionId, turnCount } of manager.sessions({ ended: false })) console.log(sessionId, turnCount)
   */
  sessions(query: SessionQuery = {}): AsyncIterable<SessionSummary> {
    return iterate(attempt(() => this.store.sessions(this.#scopedQuery(query))))
  }

  /**
   * A new session that begins with the first n turns of this one: what a copy rewound to n turns would
   * hold, with `parentSessionId`, metadata merged, and not ended.
   * @throws `SESSION_EXISTS`
   */
  async forkSession(sessionId: string, options: ForkOptions = {}): Promise<SessionRecord> {
    const { turns, metadata, sessionId: forkId = this.#factory.newId() } = withOutcome('not-stored', () => readFork(options))
    const stored = await withOutcome('not-stored', () => this.store.loadSession(sessionId, this.#scope))
    if (stored === null) throw sessionNotFound(sessionId)
    const now = this.#factory.now()
    const change: SessionChange = {
      ...(turns === undefined ? {} : { keepTurns: turns }),
      unsetMetadata: ['ended'],
      updatedAt: now,
    }
    const fork = withOutcome('not-stored', () => {
      const { session } = applyNormalChange(stored, readChange(change, hardLimits), undefined, hardLimits)
      return this.#factory.session({
        ...session,
        sessionId: forkId,
        parentSessionId: sessionId,
        createdAt: now,
        updatedAt: now,
        metadata: { ...session.metadata, ...metadata },
      })
    })
    try {
      return { ...fork, revision: await this.store.saveSession(fork, { ifRevision: 0 }) }
    } catch (error) {
      throw isTurnstoreError(error, 'REVISION_CONFLICT') ? sessionExists(forkId) : error
    }
  }

  /** Keeps the first n turns and drops the rest, with the transitions recorded in them. */
  async rewindSession(sessionId: string, turns: number, options: { ifRevision?: number } = {}): Promise<ChangeResult> {
    withOutcome('not-stored', () => {
      checkMembers(options, 'options', ['ifRevision'])
      wholeNumber(turns, 'turns', 0)
    })
    return this.#change(sessionId, { keepTurns: turns }, options)
  }

  /**
   * Whether there was something to delete.
   * @throws `CORRUPT_SESSION` for a session that cannot be read, unless `evenIfDamaged` says that it may go
   */
  async deleteSession(sessionId: string, options: Pick<DeleteOptions, 'evenIfDamaged'> = {}): Promise<boolean> {
    withOutcome('not-stored', () => checkMembers(options, 'options', ['evenIfDamaged']))
    return this.store.deleteSession(sessionId, { ...options, ...this.#scope })
  }

  /**
   * Deletes old sessions, ended ones, or those that are both, and gives their ids; `onDeleted` hears of
   * each at once. At least one of `updatedBefore` and `ended` must be named.
   *
   * Each session is looked at again before it is deleted, so one that has been taken up since it was
   * listed stays. One that is taken up in the moment between that look and the deletion goes.
   *
   * A session that cannot be read stays, and the others go; the first such error is thrown when all
   * else is done. Any other error ends it at once. Either way what `onDeleted` has told of is deleted.
   * @throws `INVALID_ARGUMENT`; `CORRUPT_SESSION` and `SCHEMA_TOO_NEW` at the end
   */
  async pruneSessions(options: PruneOptions): Promise<string[]> {
    return prune(this.store, withOutcome('not-stored', () => readPrune(options, this.#scopeOf(options))))
  }

  #change(
    sessionId: string,
    change: Omit<SessionChange, 'updatedAt'>,
    options: { ifRevision?: number } = {},
  ): Promise<ChangeResult> {
    return this.store.changeSession(sessionId, { ...change, updatedAt: this.#factory.now() }, { ...this.#scope, ...options })
  }

  /** The workspace that a call names, which must be the manager's own where it is bound to one. */
  #scopeOf(options: ScopeOptions, what = 'options'): ScopeOptions {
    const named = readOwnScope(options, what)
    if (!('workspaceId' in this.#scope)) return named
    if ('workspaceId' in named && named.workspaceId !== this.#scope.workspaceId) {
      throw new TurnstoreError('INVALID_ARGUMENT', `${what}.workspaceId is not the workspace that this manager is bound to`)
    }
    return this.#scope
  }

  #scopedQuery(query: SessionQuery): SessionQuery {
    checkMembers(query, 'query', queryMembers)
    return { ...query, ...this.#scopeOf(query, 'query') }
  }
}

/** The workspace that options name, if they do. @throws `INVALID_ARGUMENT`, `INVALID_ID` */
function readOwnScope(options: ScopeOptions, what = 'options'): ScopeOptions {
  const workspaceId = scopeOf({ ...options }, what)
  return workspaceId === undefined ? {} : { workspaceId }
}

/** @throws `INVALID_ARGUMENT`: a session with another time would never be old, nor in its place in a list */
function readNow(time: Date | string): string {
  let text = ''
  try {
    text = typeof time === 'string' ? time : time.toISOString()
  } catch {
    // No Date, or an invalid one.
  }
  if (timeKey(text) !== '') return text
  throw new TurnstoreError('INVALID_ARGUMENT', 'options.now must give a Date, or a time in ISO 8601', {
    outcome: 'not-stored',
  })
}

/** Copied, since the session that is forked is loaded first. @throws `INVALID_ARGUMENT`, `INVALID_RECORD` */
function readFork(options: ForkOptions): ForkOptions & { metadata: JsonObject } {
  checkMembers(options, 'options', ['turns', 'sessionId', 'metadata'])
  const { turns, metadata = {} } = options
  if (turns !== undefined) wholeNumber(turns, 'options.turns', 0)
  return { ...options, metadata: readMetadataInput(metadata, hardLimits, 'options.metadata') }
}

async function* iterate<T>(begin: () => AsyncIterable<T>): AsyncGenerator<T> {
  yield* begin()
}
