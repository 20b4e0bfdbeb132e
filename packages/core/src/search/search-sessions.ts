import { TimeSlice } from '../basics/time-slice.js'
import { throwIfAborted, type Signal } from '../basics/signal.js'
import { type DamagedSession, damageOf } from '../queries/page.js'
import { decodeCursor } from '../queries/cursor.js'
import { matches } from '../queries/filter.js'
import { type Position, positionOf } from '../queries/position.js'
import type { CheckedQuery } from '../queries/query.js'
import type { SessionPage } from '../queries/page.js'
import type { TurnHeadPage, TurnHeadRecord, TurnPage } from '../queries/turn-range.js'
import type { SessionSummary, ToolCallRecord, TurnRecord } from '../records/models.js'
import {
  type CheckedSearch,
  type SearchHit,
  type SearchPage,
  type SearchPosition,
  searchCursor,
} from './search-query.js'
import { snippetOf } from './snippet.js'
import type { Terms } from './terms.js'
import { type Place, TurnMatch } from './turn-match.js'

/** Turns that follow each other, without those that cannot match. */
export interface ScannedTurns {
  /** Whole, or without their parts if they may be large. */
  readonly turns: readonly { readonly index: number; readonly turn: TurnRecord | TurnHeadRecord }[]
  /** The index at which to continue; null at the end of the session. */
  readonly next: number | null
  /** How many UTF-16 units of JSON were passed over. */
  readonly units: number
}

/** Turns of a page, all of which may match. */
export function scannedOf({ turns, firstIndex, turnCount }: TurnPage | TurnHeadPage): ScannedTurns {
  const next = firstIndex + turns.length
  return {
    turns: turns.map((turn, index) => ({ index: firstIndex + index, turn })),
    next: next < turnCount && turns.length > 0 ? next : null,
    units: 0,
  }
}

/** What search reads of a store. */
export interface SearchedStore {
  querySessions(query: CheckedQuery): Promise<SessionPage>
  loadSummary(sessionId: string): Promise<SessionSummary | null>
  scanTurns(sessionId: string, from: number, terms: Terms): Promise<ScannedTurns | null>
  readCalls(sessionId: string, turnId: string, from: number, limit: number): Promise<readonly ToolCallRecord[]>
}

/** A page ends after so much, whether it has hits or not. */
const MOST_UNITS = 4_194_304
const MOST_SESSIONS = 1000

/** Sessions that are listed at first. A page that needs more takes all that it may have: some stores list all of them. */
const FIRST_LISTED = 100

/** Calls of a turn that are read at a time, if they are large and if they are small. */
const FEWEST_CALLS = 1
const MOST_CALLS = 64
/** So many units of calls at a time are large. */
const MANY_UNITS = 262_144

/** Searches until the page is full, or until it has read enough. */
export async function searchSessions(
  store: SearchedStore,
  search: CheckedSearch,
  signal: Signal | undefined,
): Promise<SearchPage> {
  return new Search(store, search, signal).page()
}

class Search {
  readonly #store: SearchedStore
  readonly #search: CheckedSearch
  readonly #signal: Signal | undefined
  readonly #slice = new TimeSlice()
  readonly #hits: SearchHit[] = []
  readonly #damaged = new Map<string, DamagedSession>()
  /** A session that is changed meanwhile may be listed again. */
  readonly #met = new Set<string>()
  #units = 0

  constructor(store: SearchedStore, search: CheckedSearch, signal: Signal | undefined) {
    this.#store = store
    this.#search = search
    this.#signal = signal
  }

  async page(): Promise<SearchPage> {
    const stopped = await this.#searchAll()
    const { terms, sessions } = this.#search
    const page = { hits: this.#hits, cursor: stopped === null ? null : searchCursor(stopped, terms, sessions) }
    return this.#damaged.size === 0 ? page : { ...page, damaged: [...this.#damaged.values()] }
  }

  /** @returns where to continue */
  async #searchAll(): Promise<SearchPosition | null> {
    const { from, sessions } = this.#search
    let { after } = sessions
    if (from !== null && from.turn !== null) {
      const stopped = await this.#searchSession(from.session, from)
      if (stopped !== null) return stopped
    }
    for (let limit = FIRST_LISTED; ; limit = MOST_SESSIONS - FIRST_LISTED) {
      const page = await this.#store.querySessions({ ...sessions, limit, after })
      for (const each of page.damaged ?? []) this.#damaged.set(each.sessionId, each)
      for (const session of page.sessions) {
        after = positionOf(session, 'updatedAt')
        if (this.#met.has(session.sessionId)) continue
        const stopped = await this.#searchSession(after, null, session)
        if (stopped !== null) return stopped
      }
      if (page.cursor === null) return null
      // A page may be short, or empty: it continues behind what it has passed over.
      after = decodeCursor(page.cursor, sessions)
      if (this.#isFull) return done(after)
    }
  }

  get #isFull(): boolean {
    const { limit } = this.#search.sessions
    return this.#hits.length >= limit || this.#units > MOST_UNITS || this.#met.size >= MOST_SESSIONS
  }

  /** @returns where to continue, if the page is full */
  async #searchSession(
    position: Position,
    from: SearchPosition | null,
    listed: SessionSummary | null = null,
  ): Promise<SearchPosition | null> {
    const { sessionId } = position
    this.#met.add(sessionId)
    try {
      const session = listed ?? (await this.#store.loadSummary(sessionId))
      if (session === null || !matches(this.#search.sessions, session)) return null
      return await this.#searchTurns(position, session, from)
    } catch (error) {
      const damage = damageOf(sessionId, error)
      if (damage === null) throw error
      this.#damaged.set(sessionId, damage)
      return null
    }
  }

  async #searchTurns(
    session: Position,
    summary: SessionSummary,
    begun: SearchPosition | null,
  ): Promise<SearchPosition | null> {
    let resumed = begun
    for (let from = begun?.turn ?? 0; ;) {
      if (this.#slice.isOver) await this.#pause()
      throwIfAborted(this.#signal)
      const scanned = await this.#store.scanTurns(session.sessionId, from, this.#search.terms)
      if (scanned === null) return null
      for (const { index, turn } of scanned.turns) {
        const stopped = await this.#searchTurn(session, summary, index, turn, resumed?.turn === index ? resumed : null)
        if (stopped !== null) return stopped
        resumed = null
        if (this.#isFull) return { session, turn: index + 1, call: 0, found: 0, first: null }
      }
      this.#units += scanned.units
      if (scanned.next === null) return this.#isFull ? done(session) : null
      from = scanned.next
      if (this.#isFull) return { session, turn: from, call: 0, found: 0, first: null }
    }
  }

  async #searchTurn(
    session: Position,
    summary: SessionSummary,
    index: number,
    turn: TurnRecord | TurnHeadRecord,
    begun: SearchPosition | null,
  ): Promise<SearchPosition | null> {
    const { terms } = this.#search
    const match = new TurnMatch(terms, begun?.found, await this.#placeOf(session.sessionId, turn, begun))
    if (begun === null || begun.call === 0) await this.#run(match.head(turn))
    if ('toolCalls' in turn) {
      for (const [at, call] of turn.toolCalls.entries()) {
        if (match.isDecided) break
        await this.#run(match.call(call, at))
      }
    } else {
      const { toolCalls } = turn.partCounts
      let limit = FEWEST_CALLS
      for (let at = begun?.call ?? 0; at < toolCalls && !match.isDecided;) {
        throwIfAborted(this.#signal)
        const before = match.examined
        const calls = await this.#store.readCalls(session.sessionId, turn.turnId, at, limit)
        if (calls.length === 0) break
        for (const call of calls) await this.#run(match.call(call, at++))
        const units = match.examined - before
        limit = units > MANY_UNITS ? Math.max(FEWEST_CALLS, limit >> 1) : Math.min(MOST_CALLS, limit * 2)
        if (this.#units + match.examined > MOST_UNITS && at < toolCalls && !match.isDecided) {
          const { found, first } = match
          return { session, turn: index, call: at, found, first }
        }
      }
    }
    this.#units += match.examined
    if (match.isMatch && match.first !== null) {
      const { snippet, ranges } = snippetOf(match.first.text, terms)
      const { turnId } = turn
      const { field } = match.first
      this.#hits.push({ session: summary, turnId, field, snippet, ranges: ranges.map(([from, to]) => [from, to]) })
    }
    return null
  }

  /** The place of the first term that an earlier page found. */
  async #placeOf(
    sessionId: string,
    turn: TurnRecord | TurnHeadRecord,
    begun: SearchPosition | null,
  ): Promise<Place | null> {
    const first = begun?.first ?? null
    if (first === null) return null
    const { field, call: index } = first
    if (field === 'prompt' || field === 'responseContent' || field === 'error') {
      return { field, call: index, text: turn[field] ?? '' }
    }
    const [call] = await this.#store.readCalls(sessionId, turn.turnId, index, 1)
    if (call === undefined) return null
    const match = new TurnMatch({ ...this.#search.terms, folded: this.#search.terms.folded.slice(0, 1) })
    await this.#run(match.call(call, index))
    return match.first
  }

  async #run(steps: Generator<void>): Promise<void> {
    for (let step = steps.next(); step.done !== true; step = steps.next()) {
      if (this.#slice.isOver) await this.#pause()
    }
    if (this.#slice.isOver) await this.#pause()
  }

  async #pause(): Promise<void> {
    await this.#slice.yield()
    throwIfAborted(this.#signal)
  }
}

/** After a session. */
function done(session: Position): SearchPosition {
  return { session, turn: null, call: 0, found: 0, first: null }
}
