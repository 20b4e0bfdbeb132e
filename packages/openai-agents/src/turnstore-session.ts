import type {
  AgentInputItem,
  OpenAIResponsesCompactionArgs,
  OpenAIResponsesCompactionOwnershipAwareSession,
  OpenAIResponsesCompactionResult,
  RunContext,
  SessionHistoryRewriteArgs,
  SessionHistoryRewriteAwareSession,
  SessionHistoryTransactionArgs,
  SessionHistoryTransactionAwareSession,
} from '@openai/agents-core'
import { type JsonObject, type SessionStore, TurnstoreError } from '@turnstore/core'
import { canonicalJson, checkMembers, digestOf } from '@turnstore/core/adapter'
import { Compaction, type CompactionOptions, type ModelExchange } from './history/compaction.js'
import { beginning, type Entry, withoutStarted } from './history/entries.js'
import { callReplacements } from './history/replace-calls.js'
import { EVERY_TURN, SessionLog } from './history/session-log.js'
import { readTransaction } from './history/transaction.js'
import { FORMAT, itemsOf } from './items/format.js'
import { decodeItem, encodeItem } from './items/item-json.js'
import type { RecordableAgent } from './run/recorded-agents.js'
import { RecordedRun, type RecordRunOptions } from './run/recorded-run.js'

export interface TurnstoreSessionOptions {
  /** Any store of Turnstore. It stays open: you close it. */
  store: SessionStore
  /** Default: a new one. */
  sessionId?: string
  /** The workspace of the session. Default: none for a new session; the session is found in any. */
  workspaceId?: string | null
  /** The agent of a new session and of its turns; default null. */
  agentId?: string | null
  /** Shortens what the model reads, after runs. Default: it is never shortened. */
  compaction?: CompactionOptions
}

/**
 * A session of OpenAI's Agents SDK in a store of Turnstore. The session is created with its first items.
 *
 * Items come back as the SDK gave them. Turns that another SDK recorded come as items of this one. The methods fail with
 * the errors of the store.
 *
 * @example
 * const session = new TurnstoreSession({ store, sessionId: 'chat-1' })
 * await run(agent, 'Where is my parcel?', { session })
 */
export class TurnstoreSession
  implements
    SessionHistoryTransactionAwareSession,
    SessionHistoryRewriteAwareSession,
    OpenAIResponsesCompactionOwnershipAwareSession
{
  readonly #log: SessionLog
  readonly #compaction: Compaction
  #run: Pick<RecordedRun<unknown, RecordableAgent<unknown>>, 'addItems' | 'knows' | 'takeAhead' | 'forget'> | null =
    null

  /** @throws `INVALID_ARGUMENT` */
  constructor(options: TurnstoreSessionOptions) {
    checkMembers(options, 'options', ['store', 'sessionId', 'workspaceId', 'agentId', 'compaction'])
    const { store, sessionId = crypto.randomUUID(), workspaceId, agentId = null, compaction } = options
    if (compaction !== undefined) checkMembers(compaction, 'options.compaction', ['compact', 'shouldCompact'])
    this.#log = new SessionLog({ store, sessionId, workspaceId, agentId })
    this.#compaction = new Compaction(this.#log, compaction)
  }

  async getSessionId(): Promise<string> {
    return this.#log.sessionId
  }

  /**
   * The items in order, or the last ones.
   * @param limit how many at most
   */
  async getItems(limit?: number): Promise<AgentInputItem[]> {
    const items = await this.#log.exclusive(async () => this.#read(limit))
    return items.map(decodeItem)
  }

  /** Adds items to the open turn. A user message opens the next one. */
  async addItems(items: AgentInputItem[]): Promise<void> {
    const encoded = items.map(encodeItem)
    await this.#log.exclusive(async () => {
      // A session around this one passes on here what the SDK writes. Anything else is not the run's.
      if (this.#run?.knows(encoded) === true) await this.#run.addItems(encoded)
      else await this.#log.add(encoded)
    })
  }

  /** Removes the last item and returns it. */
  async popItem(): Promise<AgentInputItem | undefined> {
    let popped: Entry | undefined
    await this.#log.exclusive(async () => {
      await this.#log.edit(
        entries => entries.length > 0,
        entries => {
          popped = entries.at(-1)
          return popped === undefined ? null : entries.slice(0, -1)
        },
      )
      this.#run?.forget(popped?.itemId ?? null)
    })
    return popped === undefined ? undefined : decodeItem(popped.value)
  }

  /** Deletes the session, with all that it remembers. The next items create it anew. */
  async clearSession(): Promise<void> {
    await this.#log.exclusive(async () => {
      this.#run?.takeAhead()
      await this.#log.clear()
    })
  }

  /**
   * Appends items, or replaces the last ones, in one step. Repeating it with the same id changes nothing.
   * @throws `IDEMPOTENCY_KEY_CONFLICT` for another transaction under the id; `MESSAGE_CONFLICT` if the history does not
   *   end with `expectedSuffix`
   */
  async applyHistoryTransaction(args: SessionHistoryTransactionArgs): Promise<void> {
    const { operationId, type, removed, added } = readTransaction(args)
    const operation = {
      idempotencyKey: digestOf([FORMAT, operationId]),
      idempotencyDigest: digestOf([type, removed, added]),
    }
    await this.#log.exclusive(async () => {
      if (removed.length === 0) {
        if (this.#run === null) await this.#log.add(added, { operation })
        else await this.#run.addItems(added, operation)
        return
      }
      const ahead = this.#run?.takeAhead() ?? new Set()
      await this.#log.edit(
        entries => entries.length >= removed.length + ahead.size,
        async all => {
          const entries = all.filter(({ itemId }) => itemId === null || !ahead.has(itemId))
          const kept = entries.length - removed.length
          const isSame =
            kept >= 0 &&
            removed.every((item, index) => canonicalJson(item) === canonicalJson(entries[kept + index]?.value ?? null))
          if (isSame) return [...entries.slice(0, kept), ...added.map(value => ({ value, itemId: null, turn: null }))]
          if (await this.#log.knows(operation)) return null
          throw new TurnstoreError('MESSAGE_CONFLICT', `Session ${this.#log.sessionId} does not end with these items`, {
            outcome: 'not-stored',
            sessionId: this.#log.sessionId,
          })
        },
        operation,
      )
    })
  }

  /** Replaces calls of functions by their ids, where they are. Calls that another SDK recorded stay as they are. */
  async applyHistoryMutations({ mutations }: SessionHistoryRewriteArgs): Promise<void> {
    const replacements = mutations.map(({ callId, replacement }, index) => ({
      callId,
      item: encodeItem(replacement, index),
    }))
    await this.#log.exclusive(async () => this.#log.update(turns => callReplacements(turns, replacements)))
  }

  /** Reading begins at these items from now on. What came before stays in the session, for people. */
  async replaceHistoryWithCompaction(items: AgentInputItem[]): Promise<void> {
    const encoded = items.map(encodeItem)
    await this.#log.exclusive(async () => {
      // The items have those of the run that are to be kept.
      this.#run?.takeAhead()
      await this.#log.add(encoded, { newTurn: beginning() })
    })
  }

  /** For the SDK, which compacts the history that a run has read: the items, with a receipt for them. */
  async getItemsWithCompactionOwnership(): Promise<{ items: AgentInputItem[]; ownership: object }> {
    return this.#log.exclusive(async () => {
      // A run begins. What is left of one before it is history.
      this.#run?.takeAhead()
      const { items } = await this.#log.history()
      return { items: items.map(decodeItem), ownership: this.#compaction.issue() }
    })
  }

  /** For the SDK. A receipt stays valid when the run that has it adds items. */
  async addItemsWithCompactionOwnership(items: AgentInputItem[]): Promise<void> {
    const encoded = items.map(encodeItem)
    await this.#log.exclusive(async () => {
      if (this.#run === null) await this.#log.add(encoded)
      else await this.#run.addItems(encoded)
    })
  }

  /**
   * Compacts the history if the options say how and if it is long. The SDK calls it after each run.
   * @param ownership the receipt of the run; without it, whatever the session has is compacted
   * @returns null if nothing was compacted, as when another process has added items meanwhile
   */
  async runCompaction(
    args: OpenAIResponsesCompactionArgs = {},
    _runContext?: RunContext,
    ownership?: object | null,
    modelExchange?: ModelExchange,
  ): Promise<OpenAIResponsesCompactionResult | null> {
    return this.#compaction.run(args, ownership, modelExchange)
  }

  /**
   * Makes the next run survive a crash, and settles what the last run of a process that died has left. Call it before
   * each run, when no other process runs the session.
   * @throws `INVALID_ARGUMENT`
   *
   * @example
   * const { agent, callModelInputFilter, isUnfinished } = await session.recordRun({ agent: support, repeatable: ['track'] })
   * const input = isUnfinished ? [] : 'Where is my parcel?'
   * await run(agent, input, { session, callModelInputFilter })
   */
  async recordRun<Context, RunAgent extends RecordableAgent<Context>>(
    options: RecordRunOptions<Context, RunAgent>,
  ): Promise<RecordedRun<Context, RunAgent>> {
    checkMembers(options, 'options', ['agent', 'repeatable', 'callModelInputFilter', 'context'])
    const recorded = new RecordedRun<Context, RunAgent>(this.#log, options)
    await recorded.recover()
    this.#run = recorded
    return recorded
  }

  async #read(limit?: number): Promise<JsonObject[]> {
    if (limit !== undefined && limit <= 0) return []
    const all = limit === undefined
    const tail = await this.#log.tail(entries => !all && entries.length >= limit, all ? EVERY_TURN : limit)
    const turns = tail?.turns ?? []
    // The SDK writes the calls of its own run. Those that another process has begun are shown as far as they got.
    const items = itemsOf(this.#run === null ? turns : turns.map(withoutStarted))
    return all ? items : items.slice(-limit)
  }
}
