import type { ChangeResult, SessionRecord } from '@turnstore/core'
import { holds, same, show } from '../checks/expect.js'
import { turnIdsOf } from '../samples/samples.js'

/** An acknowledged append: its turn and its revision. */
export interface Acknowledged {
  readonly turnId: string
  readonly revision: number
  readonly turnCount?: number
}

/**
 * Asserts that appends of one turn each happened in one order: their revisions are consecutive, and the turns are stored
 * in the order of the revisions.
 */
export function expectOneOrder(
  acknowledged: readonly Acknowledged[],
  session: SessionRecord,
  before: SessionRecord,
): void {
  const inOrder = acknowledged.toSorted((a, b) => a.revision - b.revision)
  const revisions = inOrder.map(({ revision }) => revision)
  for (const [index, { turnId, revision }] of inOrder.entries()) {
    const next = inOrder[index + 1]
    holds(
      next?.revision !== revision,
      `the appends of ${show(turnId)} and ${show(next?.turnId)} were both given revision ${revision}: one did not see ` +
        'the other and overwrote it',
    )
  }
  same(
    revisions,
    revisions.map((_, index) => before.revision + 1 + index),
    'the revisions of all acknowledged appends',
  )
  same(
    turnIdsOf(session),
    [...turnIdsOf(before), ...inOrder.map(({ turnId }) => turnId)],
    'the turns, in the order of their revisions',
  )
  same(session.revision, before.revision + acknowledged.length, 'the revision of the session')
  for (const { revision, turnCount } of inOrder) {
    if (turnCount !== undefined)
      same(
        turnCount,
        before.turns.length + revision - before.revision,
        `the turnCount that came with revision ${revision}`,
      )
  }
}

/** What a reader saw at one moment. */
export interface Seen {
  readonly revision: number
  readonly turnCount: number
  readonly turnIds?: readonly string[]
}

/** Asserts that a reader never went back in time and always saw a prefix of the final session. */
export function expectPrefixes(seen: readonly Seen[], session: SessionRecord, before: SessionRecord): void {
  const final = turnIdsOf(session)
  let last = 0
  for (const { revision, turnCount, turnIds } of seen) {
    holds(revision >= last, `a reader saw revision ${revision} after ${last}`)
    last = revision
    same(
      turnCount,
      before.turns.length + revision - before.revision,
      `the turnCount that a reader saw at revision ${revision}`,
    )
    if (turnIds !== undefined)
      same(turnIds, final.slice(0, turnCount), `the turns that a reader saw at revision ${revision}`)
  }
}

export function acknowledgedBy(turnId: string, { revision, turnCount }: ChangeResult): Acknowledged {
  return { turnId, revision, turnCount }
}
