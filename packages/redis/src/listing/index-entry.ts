import { randomBytes } from 'node:crypto'
import type { CheckedQuery, Position } from '@turnstore/core/adapter'
import type { Stamped } from '../format/session-head.js'

/**
 * An entry of an index. It is a member of a sorted set whose scores are all 0: instant, space, id, unit separator,
 * stamp. Members sort in the order of the contract, and no id contains the separator.
 *
 * The stamp names the write that made the entry: the deadline of its call on the server's clock, and a suffix. An entry
 * is current if the head of its session has the same instant and stamp. Any other entry was made by an earlier change,
 * by a write in progress, or by a write that failed or whose client died. After its deadline that write cannot happen,
 * and the entry may be removed.
 */
export interface Entry extends Position {
  readonly stamp: string
  readonly member: string
}

/** 32 bits in base 36. */
const STAMP_SUFFIX = 7

/** Sorts after every stamp. */
const LAST = '~'

/** How far the clocks of the servers of a Cluster may differ. */
const CLOCK_SLACK_MS = 60_000

export function memberOf(sessionId: string, { time, stamp }: Stamped): string {
  return `${time} ${sessionId}\u001f${stamp}`
}

/** Null for a member of another form. */
export function decodeEntry(member: string): Entry | null {
  const blank = member.startsWith(' ') ? 0 : 27
  const end = member.lastIndexOf('\u001f')
  if (member[blank] !== ' ' || end <= blank) return null
  return { time: member.slice(0, blank), sessionId: member.slice(blank + 1, end), stamp: member.slice(end + 1), member }
}

/** Counts from a random number, so that the stamps of two processes differ. */
let stamps = randomBytes(4).readUInt32BE()

/** @param deadline the deadline of the call on the server's clock */
export function newStamp(deadline: number): string {
  stamps = (stamps + 1) >>> 0
  return deadline.toString(36) + stamps.toString(36).padStart(STAMP_SUFFIX, '0')
}

/** Whether the write that made an entry can no longer happen. */
export function isOver(entry: Entry, serverTime: number): boolean {
  const deadline = Number.parseInt(entry.stamp.slice(0, -STAMP_SUFFIX), 36)
  return !(serverTime <= deadline + CLOCK_SLACK_MS)
}

/** The range of an index that a query covers, as bounds of ZRANGEBYLEX. */
export function rangeOf(query: CheckedQuery): { min: string; max: string } {
  const { orderBy, order, after } = query
  const above = orderBy === 'updatedAt' ? query.updatedAfter : query.createdAfter
  const below = orderBy === 'updatedAt' ? query.updatedBefore : query.createdBefore
  // '!' follows the space: after all entries of an instant or, without one, after the entries that have none.
  let min = above === undefined ? (below === undefined ? '-' : '[!') : `[${above}!`
  let max = below === undefined ? '+' : `(${below} `
  if (after !== undefined) {
    const place = `${after.time} ${after.sessionId}\u001f`
    // The cursor is from a page of this query, so it is within the bounds.
    if (order === 'asc') min = `(${place}${LAST}`
    else max = `(${place}`
  }
  return { min, max }
}
