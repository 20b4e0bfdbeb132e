import {
  type AgentInputItem,
  type OpenAIResponsesCompactionArgs,
  type OpenAIResponsesCompactionResult,
  RequestUsage,
} from '@openai/agents-core'
import type { JsonObject } from '@turnstore/core'
import { canonicalJson } from '@turnstore/core/adapter'
import { decodeItem, encodeItem } from '../items/item-json.js'
import { asStored } from '../items/stored-item.js'
import { beginning } from './entries.js'
import type { SessionLog } from './session-log.js'

export interface CompactionOptions {
  /** Returns what the model is to see instead of these items. */
  compact: (items: AgentInputItem[]) => CompactedItems | Promise<CompactedItems>
  /**
   * Whether these items are to be compacted. Default: if ten of them or more are no messages of the user, as in the SDK's
   * own compaction.
   */
  shouldCompact?: (items: AgentInputItem[]) => boolean | Promise<boolean>
}

export interface CompactedItems {
  items: AgentInputItem[]
  /** What it cost. The run adds it to its own usage. */
  usage?: RequestUsage | undefined
}

/** What the last call of the model saw and said. */
export interface ModelExchange {
  items: AgentInputItem[]
  responseId?: string
}

/** The largest history that is not compacted by itself. */
const LARGEST = 10

/**
 * Shortens what the model reads once a run has ended. A receipt names the history that a run has read: if another writer
 * has changed it since, or the model has not seen all of it, nothing is compacted. What came before a compaction stays
 * in the session.
 */
export class Compaction {
  readonly #log: SessionLog
  readonly #options: CompactionOptions | undefined
  /** Receipts, and the lineages of the histories that they name. */
  readonly #receipts = new WeakMap<object, object>()

  constructor(log: SessionLog, options: CompactionOptions | undefined) {
    this.#log = log
    this.#options = options
  }

  /** A receipt for the history that was just read. */
  issue(): object {
    const receipt = {}
    this.#receipts.set(receipt, this.#log.lineage)
    return receipt
  }

  /** @param receipt null if the run has none left; undefined to compact whatever was read */
  async run(
    { force = false }: OpenAIResponsesCompactionArgs,
    receipt: object | null | undefined,
    exchange: ModelExchange | undefined,
  ): Promise<OpenAIResponsesCompactionResult | null> {
    const options = this.#options
    if (options === undefined || receipt === null) return null
    const { items, revision, lineage } = await this.#log.exclusive(async () => this.#log.history())
    if (receipt !== undefined) {
      const isOwned = this.#receipts.get(receipt) === lineage
      if (!isOwned || exchange === undefined || !isSeen(items, exchange.items.map(encodeItem))) return null
    }
    const { compact, shouldCompact = isLarge } = options
    // Copies: what the caller does with them is not in the session.
    if (items.length === 0 || (!force && !(await shouldCompact(items.map(decodeItem))))) return null
    const compacted = await compact(items.map(decodeItem))
    const encoded = compacted.items.map(encodeItem)
    const isCurrent = await this.#log.exclusive(async () =>
      this.#log.addAt(revision, encoded, { newTurn: beginning() }),
    )
    return isCurrent ? { usage: compacted.usage ?? new RequestUsage() } : null
  }
}

function isLarge(items: AgentInputItem[]): boolean {
  const others = items.filter(item => !('role' in item && item.role === 'user') && item.type !== 'compaction')
  return others.length >= LARGEST
}

/** Whether the model has seen or said all items, in this order. */
function isSeen(items: readonly JsonObject[], exchange: readonly JsonObject[]): boolean {
  const keys = exchange.map(item => comparable(item))
  let at = 0
  return items.every(item => {
    at = keys.indexOf(comparable(item), at) + 1
    return at > 0
  })
}

/** Without the ids, which the SDK leaves out in what it sends. */
function comparable(item: JsonObject): string {
  const { id: _id, ...others } = asStored(item)
  return canonicalJson(others)
}
