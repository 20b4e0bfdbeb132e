import type { DamagedSession, SessionPage } from '@turnstore/core'
import { comparePositions, cursorBehind, matches, type NormalQuery } from '@turnstore/core/adapter'
import type { Entry } from './index-entry.js'
import type { Head } from '../format/session-head.js'

/** A page that is being filled. */
export class ListingPage {
  /** How many entries were looked at. */
  entries = 0
  readonly #query: NormalQuery
  readonly #shown = new Map<string, Head>()
  readonly #damaged = new Map<string, DamagedSession>()
  readonly #moving = new Map<string, string>()
  /** The place of the entry that was looked at last, and the one before it. */
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

  /** 'full' where there is no room any more: then there is a next page. */
  show(entry: Entry, head: Head): 'next' | 'full' {
    if (this.#shown.has(entry.sessionId) || !matches(this.#query, head.summary)) return this.pass(entry)
    if (this.#shown.size === this.#query.limit) return 'full'
    this.#shown.set(entry.sessionId, head)
    return this.pass(entry)
  }

  /** Whether a session was found at two places that are not where it was looked for: somebody is changing it. */
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
    const isTold = this.#shown.has(last.sessionId) || this.#damaged.has(last.sessionId)
    // At one place there may be several entries, and the right one is yet to come where the session was not told of.
    return this.#page(cursorBehind(this.#query, isTold ? last : (this.#before ?? last)))
  }

  #page(cursor: string | null): SessionPage {
    return {
      sessions: [...this.#shown.values()].map(({ summary }) => summary),
      cursor,
      ...(this.#damaged.size === 0 ? {} : { damaged: [...this.#damaged.values()] }),
    }
  }
}
