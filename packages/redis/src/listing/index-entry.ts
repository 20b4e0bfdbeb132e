import { randomBytes } from 'node:crypto'
import type { NormalQuery, Position } from '@turnstore/core/adapter'
import type { Stamped } from '../format/session-head.js'

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
