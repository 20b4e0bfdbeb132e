import { randomBytes } from 'node:crypto'
import type { NormalQuery, Position } from '@turnstore/core/adapter'
import type { Call, Connection } from './connection.js'
import type { Stamped } from './stored-session.js'

/**
 * An entry of an index, as its member in a sorted set whose scores are all 0: instant, blank, id, unit
 * separator, stamp. So members are in the order of the contract, and no id holds the separator.
 *
 * The stamp names the write that made the entry: the deadline of its call on the server's clock, and
 * something random. An entry is right if the head of its session has its instant and its stamp. Any other
 * is left over from a change since, or of a write that is on its way, or of one that failed or whose
 * client died; once its deadline has passed, that write can never come, and the entry may go.
 */
export interface Entry extends Position {
  readonly stamp: string
  readonly member: string
}

/** 32 bits in base 36. */
const STAMP_SUFFIX = 7

/** Sorts behind every stamp. */
const LAST = '~'

/** What clocks of the servers of a Cluster may differ by. */
export const CLOCK_SLACK_MS = 60_000

export function memberOf(sessionId: string, { time, stamp }: Stamped): string {
  return `${time} ${sessionId}\u001f${stamp}`
}

/** Null for what is not ours. */
export function decodeEntry(member: string): Entry | null {
  const blank = member.startsWith(' ') ? 0 : 27
  const end = member.lastIndexOf('\u001f')
  if (member[blank] !== ' ' || end <= blank) return null
  return { time: member.slice(0, blank), sessionId: member.slice(blank + 1, end), stamp: member.slice(end + 1), member }
}

/** Of this process, and told from others' by the random part that it counts on from. */
let stamps = randomBytes(4).readUInt32BE()

/** @param deadline of the call, on the server's clock */
export function newStamp(deadline: number): string {
  stamps = (stamps + 1) >>> 0
  return deadline.toString(36) + stamps.toString(36).padStart(STAMP_SUFFIX, '0')
}

/** Whether the write that made an entry can no longer come. */
export function isOver(entry: Entry, serverTime: number): boolean {
  const deadline = Number.parseInt(entry.stamp.slice(0, -STAMP_SUFFIX), 36)
  return !(serverTime <= deadline + CLOCK_SLACK_MS)
}

/** The stretch of an index that a query means, as the bounds of ZRANGEBYLEX, the lower one first. */
export function rangeOf(query: NormalQuery): { min: string; max: string } {
  const { orderBy, order, after } = query
  const above = orderBy === 'updatedAt' ? query.updatedAfter : query.createdAfter
  const below = orderBy === 'updatedAt' ? query.updatedBefore : query.createdBefore
  // '!' follows the blank: behind all entries of an instant, and with no instant before it behind those without.
  let min = above === undefined ? (below === undefined ? '-' : '[!') : `[${above}!`
  let max = below === undefined ? '+' : `(${below} `
  if (after !== undefined) {
    const place = `${after.time} ${after.sessionId}\u001f`
    // The place of the cursor lies between the bounds, as it is of a page of this query.
    if (order === 'asc') min = `(${place}${LAST}`
    else max = `(${place}`
  }
  return { min, max }
}

/** An entry's member and the index that it belongs to. */
export interface Placed {
  readonly key: string
  readonly member: string
}

/** Entries that are left over are taken away with the next write, or after this many milliseconds. */
const LINGER_MS = 25

/** Most of them that one command takes away. */
const MOST_REMOVALS = 200

/** Writes entries. What has to be there is waited for; what may be there for a while is taken away beside. */
export class IndexWriter {
  readonly #connection: Connection
  readonly #left = new Map<string, string[]>()
  #timer: NodeJS.Timeout | null = null
  #removing: Promise<void> = Promise.resolve()

  constructor(connection: Connection) {
    this.#connection = connection
  }

  /** Resolves when the entries are in the indexes. */
  async add(entries: readonly Placed[], call: Call): Promise<void> {
    await this.#send(
      entries.map(({ key, member }) => ({
        key,
        add: [member],
        remove: this.#left.get(key)?.splice(0, MOST_REMOVALS) ?? [],
      })),
      call,
    )
  }

  /** Takes entries away, some time soon. One that stays is found by whoever reads the index. */
  leave(entries: readonly Placed[]): void {
    if (entries.length === 0) return
    for (const { key, member } of entries) {
      const left = this.#left.get(key)
      if (left === undefined) this.#left.set(key, [member])
      else left.push(member)
    }
    this.#timer ??= setTimeout(() => this.#sweep(), LINGER_MS).unref()
  }

  /** Resolves when nothing is left that could be taken away. */
  async flush(): Promise<void> {
    this.#sweep()
    await this.#removing
  }

  #sweep(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    const updates = [...this.#left].flatMap(([key, left]) =>
      left.length === 0 ? [] : [{ key, add: [], remove: left }],
    )
    this.#left.clear()
    if (updates.length === 0) return
    const sent = this.#send(updates, { deadline: this.#connection.deadline() }).catch(() => undefined)
    this.#removing = Promise.all([this.#removing, sent]).then(() => undefined)
  }

  async #send(
    updates: readonly { key: string; add: readonly string[]; remove: readonly string[] }[],
    { deadline }: Call,
  ): Promise<void> {
    // The indexes are in slots of their own.
    const calls = this.#connection.spreadsKeys ? updates.map(update => [update]) : [updates]
    await Promise.all(
      calls.map(group =>
        this.#connection.run(
          'index',
          group.map(({ key }) => key),
          group.flatMap(({ add, remove }) => [add.length, remove.length, ...add, ...remove]),
          // Of no session: an index that is none is not its damage.
          { deadline },
        ),
      ),
    )
  }
}
