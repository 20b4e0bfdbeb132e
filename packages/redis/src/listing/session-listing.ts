import { type DamagedSession, isTurnstoreError, type SessionPage } from '@turnstore/core'
import { comparePositions, damageOf, inScope, type CheckedQuery, type Scope } from '@turnstore/core/adapter'
import type { Keyspace } from '../format/keyspace.js'
import { decodeFields, decodeState, type Head, HEAD_FIELDS, STATE_FIELD } from '../format/session-head.js'
import { readTexts, readTextsOrNull } from '../server/redis-client.js'
import { wasRefusedWith } from '../server/redis-errors.js'
import type { Call, ServerConnection } from '../server/server-connection.js'
import { decodeEntry, type Entry, isOver, memberOf, rangeOf } from './index-entry.js'
import { type HeadFields, HeadReader } from './head-reader.js'
import type { IndexWriter } from './index-writer.js'
import { ListingPage } from './listing-page.js'

/** What an entry leads to: the session's head, its damage, no session, or null for a session outside the scope. */
type Found = Head | DamagedSession | 'gone' | null

/** What is read of each session. */
type What = 'heads' | 'states'

/** What a listing asks of the loader. */
interface GoneCheck {
  /** @throws `CORRUPT_SESSION`, `SCHEMA_TOO_NEW` if a session without a head has other keys */
  checkGone(sessionId: string, call: Call): Promise<void>
}

/** The most entries that a page examines. A filter may match so few that the page would take too long. */
const MOST_ENTRIES = 2000

/** The number of entries that are read together. */
const BATCH = 500

/**
 * Reads pages from the indexes. The head of a session decides whether and where it is shown; an entry only leads to it.
 * Missing and obsolete entries are repaired along the way.
 */
export class SessionListing {
  readonly #connection: ServerConnection
  readonly #keyspace: Keyspace
  readonly #index: IndexWriter
  readonly #loader: GoneCheck
  readonly #heads: HeadReader

  constructor(connection: ServerConnection, keyspace: Keyspace, index: IndexWriter, loader: GoneCheck) {
    this.#connection = connection
    this.#keyspace = keyspace
    this.#index = index
    this.#loader = loader
    this.#heads = new HeadReader(connection, keyspace)
  }

  async page(query: CheckedQuery, call: Call): Promise<SessionPage> {
    const key = this.#keyspace.index(query.orderBy === 'updatedAt' ? 'updated' : 'created', query.scope)
    const page = new ListingPage(query)
    const bounds = rangeOf(query)
    for (let size = Math.min(query.limit + 1, BATCH); ; size = BATCH) {
      const members = await this.#members(key, bounds, query.order, size, call)
      const entries = members.flatMap(member => decodeEntry(member) ?? [])
      const found = await this.#findAll(entries, query.scope, call)
      const batch = new Set(members)
      let again: Entry | null = null
      for (const [index, entry] of entries.entries()) {
        const verdict = await this.#judge(key, query, entry, found[index] ?? null, batch, page, call)
        if (verdict === 'full') return page.result()
        if (verdict === 'again') {
          again = entry
          break
        }
      }
      if (again === null && members.length < size) return page.end()
      if (page.entries >= MOST_ENTRIES) return page.result()
      const passed = again?.member ?? members.at(-1)
      if (query.order === 'asc') bounds.min = `(${passed}`
      else bounds.max = `(${passed}`
    }
  }

  /** Shows the session of an entry, or not, and repairs the index. 'again': the entries after it must be read again. */
  async #judge(
    key: string,
    query: CheckedQuery,
    entry: Entry,
    found: Found,
    batch: ReadonlySet<string>,
    page: ListingPage,
    call: Call,
  ): Promise<'next' | 'again' | 'full'> {
    if (found === null || found === 'gone') {
      this.#removeIfOver(found === null ? [key] : this.#both(key, query.orderBy), entry)
      return page.pass(entry)
    }
    if ('code' in found) return page.damage(entry, found)
    const current = query.orderBy === 'updatedAt' ? found.state.updated : found.created
    const member = memberOf(entry.sessionId, current)
    if (member === entry.member) return page.show(entry, found)

    // The entry is obsolete, or ahead of its write. Look for the current one.
    const hasEntry =
      batch.has(member) ||
      (await this.#connection.send('zscore', [key, member], call)) !== null ||
      (await this.#hasMoved(query, entry, member, call))
    if (!hasEntry && !(await this.#repair(key, member, call))) return page.show(entry, found)
    this.#removeIfOver([key], entry)
    const direction = query.order === 'asc' ? 1 : -1
    const isAhead = comparePositions({ time: current.time, sessionId: entry.sessionId }, entry) * direction >= 0
    if (!isAhead) {
      // Earlier pages may not have shown it: it had no entry, or has just moved to the front.
      return !hasEntry || query.after === undefined ? page.show(entry, found) : page.pass(entry)
    }
    if (page.sawMoving(entry.sessionId, member)) return page.show(entry, found)
    page.pass(entry)
    // If its entry was added after this batch was read, the batch lacks it.
    return batch.has(member) ? 'next' : 'again'
  }

  /** Adds a missing entry. False if the server is full: then the obsolete entry has to do. */
  async #repair(key: string, member: string, call: Call): Promise<boolean> {
    try {
      await this.#index.add([{ key, member }], call)
      return true
    } catch (error) {
      if (!wasRefusedWith(error, 'OOM')) throw error
      return false
    }
  }

  /** Whether a session has moved since its head was read: then its entry was removed, and is not missing. */
  async #hasMoved({ orderBy, scope }: CheckedQuery, entry: Entry, member: string, call: Call): Promise<boolean> {
    const [found = null] = await this.#findAll([entry], scope, call)
    if (found === null || found === 'gone' || 'code' in found) return true
    return memberOf(entry.sessionId, orderBy === 'updatedAt' ? found.state.updated : found.created) !== member
  }

  /** The ids of all sessions of a scope. Reads the index page by page. */
  async list(scope: Scope, newCall: () => Call): Promise<string[]> {
    const key = this.#keyspace.index('created', scope)
    const ids = new Set<string>()
    let min = '-'
    for (;;) {
      const call = newCall()
      const members = await this.#members(key, { min, max: '+' }, 'asc', BATCH, call)
      const entries = members.flatMap(member => decodeEntry(member) ?? [])
      const heads = await this.#readHeads(entries, 'states', call)
      for (const [index, entry] of entries.entries()) {
        const fields = heads[index] ?? []
        // A damaged session exists. Reading it reports the damage.
        if ('code' in fields) ids.add(entry.sessionId)
        else if (fields[0] === null) this.#removeIfOver(this.#both(key, 'createdAt'), entry)
        else if (isInScope(entry.sessionId, fields[0], scope)) ids.add(entry.sessionId)
        else this.#removeIfOver([key], entry)
      }
      const last = members.at(-1)
      if (last === undefined || members.length < BATCH) return [...ids]
      min = `(${last}`
    }
  }

  async #members(
    key: string,
    { min, max }: { min: string; max: string },
    order: 'asc' | 'desc',
    count: number,
    call: Call,
  ): Promise<string[]> {
    const range = order === 'asc' ? (['zrangebylex', min, max] as const) : (['zrevrangebylex', max, min] as const)
    return readTexts(await this.#connection.send(range[0], [key, range[1], range[2], 'LIMIT', 0, count], call))
  }

  async #findAll(entries: readonly Entry[], scope: Scope, call: Call): Promise<Found[]> {
    const heads = await this.#readHeads(entries, 'heads', call)
    return entries.map(({ sessionId }, index) => {
      const fields = heads[index] ?? []
      if ('code' in fields) return fields
      try {
        const head = decodeFields(sessionId, fields)
        if (head === null) return 'gone'
        return inScope(head.summary, scope) ? head : null
      } catch (error) {
        return damageOrThrow(sessionId, error)
      }
    })
  }

  /**
   * The heads that entries lead to, or their states alone, or the damage of a session. A missing head is damage if the session
   * has other keys.
   */
  async #readHeads(entries: readonly Entry[], what: What, call: Call): Promise<(HeadFields | DamagedSession)[]> {
    const heads = await this.#askHeads(entries, what, call)
    const check = async (head: HeadFields | DamagedSession, entry: Entry | undefined) => {
      const hasHead = 'code' in head || head.slice(0, HEAD_FIELDS.length).some(field => field !== null)
      if (hasHead || entry === undefined) return head
      const { sessionId } = entry
      try {
        await this.#loader.checkGone(sessionId, { ...call, sessionId })
        return head
      } catch (error) {
        return damageOrThrow(sessionId, error)
      }
    }
    return Promise.all(heads.map((head, index) => check(head, entries[index])))
  }

  async #askHeads(entries: readonly Entry[], what: What, call: Call): Promise<(HeadFields | DamagedSession)[]> {
    if (!this.#connection.spreadsKeys && entries.length > 0) {
      try {
        const ids = entries.map(({ sessionId }) => sessionId)
        if (what === 'heads') return await this.#heads.readTogether(ids, call)
        const commands = ids.map(id => ['hmget', this.#keyspace.session(id)[0], STATE_FIELD])
        return (await this.#connection.sendTogether(commands, call)).map(readTextsOrNull)
      } catch (error) {
        // If one key is of another type, read each head on its own to find out which.
        if (!isTurnstoreError(error)) throw error
      }
    }
    const readOne = async ({ sessionId }: Entry): Promise<HeadFields | DamagedSession> => {
      const own = { ...call, sessionId }
      try {
        if (what === 'heads') return await this.#heads.readOne(sessionId, own)
        const [key] = this.#keyspace.session(sessionId)
        return readTextsOrNull(await this.#connection.send('hmget', [key, STATE_FIELD], own))
      } catch (error) {
        return damageOrThrow(sessionId, error)
      }
    }
    return Promise.all(entries.map(readOne))
  }

  /**
   * An index and the index of all sessions, which has the same entry of a session that is gone. If only workspaces are
   * listed, no other listing would find it there.
   */
  #both(key: string, orderBy: CheckedQuery['orderBy']): readonly string[] {
    const all = this.#keyspace.index(orderBy === 'updatedAt' ? 'updated' : 'created', undefined)
    return key === all ? [key] : [key, all]
  }

  #removeIfOver(keys: readonly string[], entry: Entry): void {
    if (isOver(entry, this.#connection.serverTime(performance.now())))
      this.#index.remove(keys.map(key => ({ key, member: entry.member })))
  }
}

/** A damaged session counts: it exists, and reading it reports the damage. */
function isInScope(sessionId: string, state: string | undefined, scope: Scope): boolean {
  try {
    return scope === undefined || inScope(decodeState(sessionId, state), scope)
  } catch (error) {
    damageOrThrow(sessionId, error)
    return true
  }
}

/** What a listing reports about a damaged session. Any other error ends the listing. */
function damageOrThrow(sessionId: string, error: unknown): DamagedSession {
  const damage = damageOf(sessionId, error)
  if (damage === null) throw error
  return damage
}
