import type { JsonObject } from '../basics/json.js'
import type { SessionPage } from '../queries/page.js'
import type { SearchPage } from '../search/search-query.js'
import type { SessionRecord, SessionSummary } from '../records/models.js'

/**
 * With `SessionManager<Metadata>` the caller says what the metadata of its sessions is. Types alone know it: a store
 * keeps any JSON, and checks only that it is JSON.
 */
export function typed<Metadata>(session: SessionRecord): SessionRecord<Metadata>
export function typed<Metadata>(session: SessionRecord | null): SessionRecord<Metadata> | null
export function typed<Metadata>(summary: SessionSummary | null): SessionSummary<Metadata> | null
export function typed<Metadata>(page: SessionPage): SessionPage<Metadata>
export function typed<Metadata>(page: SearchPage): SearchPage<Metadata>
export function typed<Metadata>(summaries: AsyncIterable<SessionSummary>): AsyncIterable<SessionSummary<Metadata>>
export function typed(stored: unknown): unknown {
  return stored
}

/** The way back: the store checks that it is JSON. */
export function untyped(metadata: object): JsonObject
export function untyped(metadata: unknown): unknown {
  return metadata
}
