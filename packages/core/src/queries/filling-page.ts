import type { SessionSummary } from '../records/models.js'
import { matches } from './filter.js'
import { cursorAfter, type DamagedSession, type Listed, type SessionPage } from './page.js'
import type { Position } from './position.js'
import type { CheckedQuery } from './query.js'

/**
 * A page that is being filled from an index, in the order of the query. The index may lead to more than the query asks
 * for: what does not match is passed over.
 *
 * @example
 * const page = new FillingPage(query)
 * for (const row of rows) if (!page.add(summaryOrDamageOf(row), positionOf(row))) return page.cut()
 * return page.end()
 */
export class FillingPage {
  readonly #query: CheckedQuery
  /** By id: a session that is changed while the page is filled may be met twice. */
  readonly #sessions = new Map<string, SessionSummary>()
  readonly #damaged = new Map<string, DamagedSession>()
  #passed: Position | null = null

  constructor(query: CheckedQuery) {
    this.#query = query
  }

  /** How many more sessions it takes. */
  get room(): number {
    return this.#query.limit - this.#sessions.size
  }

  /** Whether it shows this session or reports its damage. */
  has(sessionId: string): boolean {
    return this.#sessions.has(sessionId) || this.#damaged.has(sessionId)
  }

  /**
   * Adds what is at the next position, if it matches. False: the page is full, and this session begins the next one.
   * @param position null if it is damaged too, so that no cursor can be made of it
   */
  add(listed: Listed, position: Position | null): boolean {
    if ('code' in listed) {
      this.#damaged.set(listed.sessionId, listed)
    } else if (!this.#sessions.has(listed.sessionId) && matches(this.#query, listed)) {
      if (this.room === 0) return false
      this.#sessions.set(listed.sessionId, listed)
    }
    this.#passed = position ?? this.#passed
    return true
  }

  /** Notes that everything up to a position has been examined. */
  pass(position: Position): void {
    this.#passed = position
  }

  /** The page, if nothing follows. */
  end(): SessionPage {
    return this.#page(null)
  }

  /** The page, if more may follow. The next one begins after the last position that was examined. */
  cut(after: Position | null = this.#passed): SessionPage {
    return this.#page(after === null ? null : cursorAfter(this.#query, after))
  }

  #page(cursor: string | null): SessionPage {
    const page = { sessions: [...this.#sessions.values()], cursor }
    return this.#damaged.size === 0 ? page : { ...page, damaged: [...this.#damaged.values()] }
  }
}
