import type { DamagedSession, SessionPage } from '@turnstore/core'
import { comparePositions, cursorBehind, matches, type NormalQuery } from '@turnstore/core/adapter'
import type { Head } from '../format/session-head.js'
import type { Entry } from './index-entry.js'

/** A page that is being filled, in the order of the index. */
export class ListingPage {
  /** The number of entries that were examined. */
  entries = 0
  readonly #query: NormalQuery
  readonly #shown = new Map<string, Head>()
  readonly #damaged = new Map<string, DamagedSession>()
  readonly #moving = new Map<string, string>()
  /** The last entry that was examined, and the last one at an earlier place. */
  #last: Entry | null = null
  #before: Entry | null = null

  constructor(query: NormalQuery) {
    this.#query = query
  }

  pass(entry: Entry): 'next' {
    this.entries++
    if (this.#last !== null && comparePositions(this.#last, entry) !== 0) this.#before = this.#last
    this.#last = entry
    return 'next'
  }

  damage(entry: Entry, damage: DamagedSession): 'next' {
    this.#damaged.set(damage.sessionId, damage)
    return this.pass(entry)
  }

  /** 'full' if the page has no room: then there is a next page. */
  show(entry: Entry, head: Head): 'next' | 'full' {
    if (this.#shown.has(entry.sessionId) || !matches(this.#query, head.summary)) return this.pass(entry)
    if (this.#shown.size === this.#query.limit) return 'full'
    this.#shown.set(entry.sessionId, head)
    return this.pass(entry)
  }

  /** Whether the session had another current entry when it was last met: then it is being changed right now. */
  sawMoving(sessionId: string, member: string): boolean {
    const before = this.#moving.get(sessionId)
    this.#moving.set(sessionId, member)
    return before !== undefined && before !== member
  }

  end(): SessionPage {
    return this.#page(null)
  }

  result(): SessionPage {
    const last = this.#last
    if (last === null) return this.#page(null)
    const isReported = this.#shown.has(last.sessionId) || this.#damaged.has(last.sessionId)
    // A place may have several entries. If the session is not on this page, its current entry may still come.
    return this.#page(cursorBehind(this.#query, isReported ? last : (this.#before ?? last)))
  }

  #page(cursor: string | null): SessionPage {
    return {
      sessions: [...this.#shown.values()].map(({ summary }) => summary),
      cursor,
      ...(this.#damaged.size === 0 ? {} : { damaged: [...this.#damaged.values()] }),
    }
  }
}
