import type { JsonObject } from '@turnstore/core'
import { isJsonObject } from '@turnstore/core/adapter'
import type { FoldSessionSummary, SessionKey, SessionSummaryEntry } from '../keys/sdk-types.js'
import { promptOf } from './format.js'
import { jsonObject, sdkEntry } from './entry-json.js'

/** The member of a session's metadata with what the SDK shows of it in lists. */
const SUMMARY = 'claudeSummary'
/** The member that says where the title is from. */
const TITLE_SOURCE = 'claudeTitle'

/** In ascending order: a title gives way to one from a better source, and to a newer one from the same. */
const SOURCES = ['prompt', 'ai', 'custom']
const BEST = SOURCES.length - 1

const MOST_OF_A_PROMPT = 200

/** Makes what lists show of a session from its entries, without reading those before. */
export class Folding {
  readonly #foldSummary: FoldSessionSummary | undefined

  constructor(foldSummary: FoldSessionSummary | undefined) {
    this.#foldSummary = foldSummary
  }

  /**
   * The members of a session's metadata that entries change.
   * @param at the time of the write
   * @param before the entries before these, if the summary has to be folded anew
   */
  fold(
    metadata: JsonObject,
    key: SessionKey,
    entries: readonly JsonObject[],
    at: string,
    before: readonly JsonObject[] | null,
  ): JsonObject {
    return { ...titleAfter(metadata, entries), ...this.#summary(metadata, key, entries, at, before) }
  }

  /** Whether a session that is there has no summary of all its entries: others have written, or did not fold. */
  needsAll(metadata: JsonObject, key: SessionKey, updatedAt: string): boolean {
    if (this.#foldSummary === undefined || key.subpath !== undefined) return false
    return summaryIn(metadata, key.sessionId)?.mtime !== Date.parse(updatedAt)
  }

  #summary(
    metadata: JsonObject,
    key: SessionKey,
    entries: readonly JsonObject[],
    at: string,
    before: readonly JsonObject[] | null,
  ): JsonObject {
    if (this.#foldSummary === undefined || key.subpath !== undefined) return {}
    const previous = before === null ? (summaryIn(metadata, key.sessionId) ?? undefined) : undefined
    const folding = [...(before ?? []), ...entries].map(sdkEntry)
    if (folding.length === 0 && previous === undefined) return {}
    const folded = this.#foldSummary(previous, key, folding, { mtime: Date.parse(at) })
    return { [SUMMARY]: { mtime: folded.mtime, data: jsonObject(folded.data) } }
  }
}

/** What the SDK folded of a session; null if it has not. */
export function summaryIn(metadata: JsonObject, sessionId: string): SessionSummaryEntry | null {
  const { [SUMMARY]: summary } = metadata
  if (!isJsonObject(summary) || !isJsonObject(summary.data) || typeof summary.mtime !== 'number') return null
  return { sessionId, mtime: summary.mtime, data: { ...summary.data } }
}

function titleAfter(metadata: JsonObject, entries: readonly JsonObject[]): JsonObject {
  const { title: known, [TITLE_SOURCE]: told } = metadata
  // A title that was given in another way stays, unless it is changed by hand.
  let source = told === undefined && typeof known === 'string' ? BEST : SOURCES.findIndex(each => each === told)
  let title: string | null = null
  const offer = (text: unknown, from: number): void => {
    if (typeof text !== 'string' || text === '' || from < source) return
    title = text
    source = from
  }
  for (const entry of entries) {
    const { type, customTitle, aiTitle } = entry
    if (source === -1 && type === 'user') offer(beginningOf(promptOf(entry)), 0)
    else if (type === 'ai-title') offer(aiTitle, 1)
    else if (type === 'custom-title') offer(customTitle, 2)
  }
  return title === null || title === known ? {} : { title, [TITLE_SOURCE]: SOURCES[source] ?? null }
}

/** Not half a character at its end. */
function beginningOf(prompt: string): string {
  return prompt.slice(0, MOST_OF_A_PROMPT).replace(/[\ud800-\udbff]$/, '')
}
