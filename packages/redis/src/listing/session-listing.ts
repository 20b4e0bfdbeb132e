import { type DamagedSession, isTurnstoreError, type SessionPage } from '@turnstore/core'
import {
  comparePositions,
  damageOf,
  inScope,
  type NormalQuery,
  type Scope,
} from '@turnstore/core/adapter'
import type { Call, ServerConnection } from '../server/server-connection.js'
import { type Keyspace, scopeField } from '../format/keyspace.js'
import { ListingPage } from './listing-page.js'
import { readTexts, readTextsOrNull } from '../server/redis-client.js'
import { wasRefusedWith } from '../server/redis-errors.js'
import { decodeEntry, type Entry, isOver, memberOf, rangeOf } from './index-entry.js'
import type { IndexWriter } from './index-writer.js'
import { decodeFields, HEAD_FIELDS, type Head } from '../format/session-head.js'

/** What an entry leads to: the session's head, what is wrong with it, or null where it is not in the scope. */
type Found = Head | DamagedSession | 'gone' | null

/** What a listing asks of the loader. */
interface GoneCheck {
  /** @throws `CORRUPT_SESSION`, `SCHEMA_TOO_NEW` if a session without a head has other keys */
  checkGone(sessionId: string, call: Call): Promise<void>
}

/** Entries that a page looks at before it is given as it is: a filter may be sparse. */
const MOST_ENTRIES = 2000

/** Entries that are looked at together. */
const BATCH = 500

/**
 * Pages out of the indexes. An entry is looked up in the head of its session before it is shown: the head
 * is what counts, and what an index lacks or has left over is put right on the way.
 */
export class SessionListing {
  readonly #connection: ServerConnection
  readonly #keyspace: Keyspace
  readonly #index: IndexWriter
  readonly #loader: GoneCheck

  constructor(connection: ServerConnection, keyspace: Keyspace, index: IndexWriter, loader: GoneCheck) {
    this.#connection = connection
    this.#keyspace = keyspace
    this.#index = index
    this.#loader = loader
  }

  async page(query: NormalQuery, call: Call): Promise<SessionPage> {
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

  /** Shows what an entry stands for, or not, and mends the index; 'again': what follows must be read anew. */
  async #judge(
    key: string,
    query: NormalQuery,
    entry: Entry,
    found: Found,
    batch: ReadonlySet<string>,
    page: ListingPage,
    call: Call,
  ): Promise<'next' | 'again' | 'full'> {
    if (found === null || found === 'gone') {
      this.#dropIfOver(found === null ? [key] : this.#both(key, query.orderBy), entry)
      return page.pass(entry)
    }
    if ('code' in found) return page.damage(entry, found)
    const current = query.orderBy === 'updatedAt' ? found.updated : found.created
    const member = memberOf(entry.sessionId, current)
    if (member === entry.member) return page.show(entry, found)

    // The entry is left over, or ahead of its write. Where the session stands now is looked for once more.
    const isThere =
      batch.has(member) ||
      (await this.#connection.send('zscore', [key, member], call)) !== null ||
      (await this.#hasMoved(query, entry, member, call))
    if (!isThere && !(await this.#mend(key, member, call))) return page.show(entry, found)
    this.#dropIfOver([key], entry)
    const direction = query.order === 'asc' ? 1 : -1
    const isAhead = comparePositions({ time: current.time, sessionId: entry.sessionId }, entry) * direction >= 0
    if (!isAhead) {
      // Where nobody has come by it before, it is shown here: it lacked its entry, or has moved to the front just now.
      return !isThere || query.after === undefined ? page.show(entry, found) : page.pass(entry)
    }
    if (page.sawMoving(entry.sessionId, member)) return page.show(entry, found)
    page.pass(entry)
    // It may stand between entries that were read together, before it came there.
    return batch.has(member) ? 'next' : 'again'
  }

  /** Adds an entry that is lacking. False where a full server takes none: then the one that is left over has to do. */
  async #mend(key: string, member: string, call: Call): Promise<boolean> {
    try {
      await this.#index.add([{ key, member }], call)
      return true
    } catch (error) {
      if (!wasRefusedWith(error, 'OOM')) throw error
      return false
    }
  }

  /** Whether a session stands elsewhere by now: then its entry was taken away, and is not lacking. */
  async #hasMoved({ orderBy, scope }: NormalQuery, entry: Entry, member: string, call: Call): Promise<boolean> {
    const [found = null] = await this.#findAll([entry], scope, call)
    if (found === null || found === 'gone' || 'code' in found) return true
    return memberOf(entry.sessionId, orderBy === 'updatedAt' ? found.updated : found.created) !== member
  }

  /** Ids of all sessions of a scope, a page at a time inside. */
  async list(scope: Scope, newCall: () => Call): Promise<string[]> {
    const key = this.#keyspace.index('created', scope)
    const ids = new Set<string>()
    let min = '-'
    for (;;) {
      const call = newCall()
      const members = await this.#members(key, { min, max: '+' }, 'asc', BATCH, call)
      const entries = members.flatMap(member => decodeEntry(member) ?? [])
      const heads = await this.#readHeads(entries, ['v', 'ws'], call)
      for (const [index, entry] of entries.entries()) {
        const fields = heads[index] ?? []
        // What is damaged is there, and told when it is read.
        if ('code' in fields) ids.add(entry.sessionId)
        else if (fields[0] === null) this.#dropIfOver(this.#both(key, 'createdAt'), entry)
        else if (inWorkspace(fields[1], scope)) ids.add(entry.sessionId)
        else this.#dropIfOver([key], entry)
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
    const heads = await this.#readHeads(entries, HEAD_FIELDS, call)
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
   * Some fields of the heads that entries lead to, or what is wrong with a session: that may be a head which is gone
   * alone.
   */
  async #readHeads(
    entries: readonly Entry[],
    fields: readonly string[],
    call: Call,
  ): Promise<((string | null)[] | DamagedSession)[]> {
    const heads = await this.#askHeads(entries, fields, call)
    const checked = async (head: (string | null)[] | DamagedSession, entry: Entry | undefined) => {
      if ('code' in head || entry === undefined || head.some(field => field !== null)) return head
      const { sessionId } = entry
      try {
        await this.#loader.checkGone(sessionId, { ...call, sessionId })
        return head
      } catch (error) {
        return damageOrThrow(sessionId, error)
      }
    }
    return Promise.all(heads.map((head, index) => checked(head, entries[index])))
  }

  async #askHeads(
    entries: readonly Entry[],
    fields: readonly string[],
    call: Call,
  ): Promise<((string | null)[] | DamagedSession)[]> {
    const commands = entries.map(({ sessionId }) => ['hmget', this.#keyspace.session(sessionId)[0], ...fields])
    if (!this.#connection.spreadsKeys && commands.length > 0) {
      try {
        return (await this.#connection.sendTogether(commands, call)).map(readTextsOrNull)
      } catch (error) {
        // Where one of them is no head, each is asked by itself, which tells the one from the others.
        if (!isTurnstoreError(error)) throw error
      }
    }
    const readOne = async ({ sessionId }: Entry): Promise<(string | null)[] | DamagedSession> => {
      const [key] = this.#keyspace.session(sessionId)
      try {
        return readTextsOrNull(await this.#connection.send('hmget', [key, ...fields], { ...call, sessionId }))
      } catch (error) {
        return damageOrThrow(sessionId, error)
      }
    }
    return Promise.all(entries.map(readOne))
  }

  /**
   * An index, and that of all sessions, in which a session that is gone has left the same entry: where only workspaces
   * are listed, nobody else would come by it.
   */
  #both(key: string, orderBy: NormalQuery['orderBy']): readonly string[] {
    const all = this.#keyspace.index(orderBy === 'updatedAt' ? 'updated' : 'created', undefined)
    return key === all ? [key] : [key, all]
  }

  #dropIfOver(keys: readonly string[], entry: Entry): void {
    if (isOver(entry, this.#connection.serverTime(performance.now())))
      this.#index.leave(keys.map(key => ({ key, member: entry.member })))
  }
}

function inWorkspace(field: string | null | undefined, scope: Scope): boolean {
  return scope === undefined || field === scopeField(scope)
}

/** What a listing tells of a session that cannot be read; any other error ends it. */
function damageOrThrow(sessionId: string, error: unknown): DamagedSession {
  const damage = damageOf(sessionId, error)
  if (damage === null) throw error
  return damage
}
