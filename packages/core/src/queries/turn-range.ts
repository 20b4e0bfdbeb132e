import { TurnstoreError } from '../basics/errors.js'
import { cloneTurn } from '../records/clone.js'
import type { PartCounts, SessionRecord, TurnHead, TurnRecord } from '../records/models.js'
import { readObject, wholeNumber } from '../basics/arguments.js'

/** Which turns to read: the last n, a range of indexes, or one turn by id. `{}` means all. */
export type TurnRange =
  | { last: number; from?: never; limit?: never; turnId?: never }
  | { from?: number; limit?: number; last?: never; turnId?: never }
  | { turnId: string; last?: never; from?: never; limit?: never }

/** A range of a session's turns and its position in the session. All members come from the same revision. */
export interface TurnPage {
  turns: TurnRecord[]
  /** Index of the first turn in `turns`. For an empty page, where it would be. */
  firstIndex: number
  /** Number of turns in the session. */
  turnCount: number
  revision: number
}

/** The head of a turn, and how many parts it has. */
export type TurnHeadRecord = TurnHead & { partCounts: PartCounts }

/** A range of the heads of a session's turns. As {@link TurnPage}, without the parts. */
export interface TurnHeadPage extends Omit<TurnPage, 'turns'> {
  turns: TurnHeadRecord[]
}

/** The head of a turn that is at hand as a whole. Shares its members. */
export function headOf({ toolCalls, items, ...head }: TurnRecord): TurnHeadRecord {
  return { ...head, partCounts: { toolCalls: toolCalls.length, items: items.length } }
}

/** A checked range, as hooks receive it. */
export type CheckedTurnRange =
  | { readonly kind: 'last'; readonly last: number }
  | { readonly kind: 'from'; readonly from: number; readonly limit: number }
  | { readonly kind: 'turnId'; readonly turnId: string }

/** @throws `INVALID_ARGUMENT` */
export function readTurnRange(source: unknown): CheckedTurnRange {
  const { last, from, limit, turnId } = readObject(source, 'range', ['last', 'from', 'limit', 'turnId'])
  const forms = [last !== undefined, from !== undefined || limit !== undefined, turnId !== undefined]
  if (forms.filter(Boolean).length > 1) {
    throw new TurnstoreError('INVALID_ARGUMENT', 'range takes one of { last }, { from, limit } and { turnId }')
  }
  if (turnId !== undefined) {
    if (typeof turnId !== 'string') throw new TurnstoreError('INVALID_ARGUMENT', 'range.turnId must be a string')
    return { kind: 'turnId', turnId }
  }
  if (last !== undefined) return { kind: 'last', last: wholeNumber(last, 'range.last', 0) }
  return {
    kind: 'from',
    from: from === undefined ? 0 : wholeNumber(from, 'range.from', 0),
    limit: limit === undefined ? Number.MAX_SAFE_INTEGER : wholeNumber(limit, 'range.limit', 1),
  }
}

/**
 * Resolves a range to the indexes `[first, end)` in a session with `turnCount` turns.
 * @param lastIndexOf returns the index of the last turn with an id, or -1
 */
export function resolveTurnRange(
  range: CheckedTurnRange,
  turnCount: number,
  lastIndexOf: (turnId: string) => number,
): { first: number; end: number } {
  if (range.kind === 'last') return { first: Math.max(0, turnCount - range.last), end: turnCount }
  if (range.kind === 'from') {
    const first = Math.min(range.from, turnCount)
    return { first, end: Math.min(turnCount, first + range.limit) }
  }
  const index = lastIndexOf(range.turnId)
  return index === -1 ? { first: turnCount, end: turnCount } : { first: index, end: index + 1 }
}

/** The page of a loaded record. Its turns are copies. */
export function pageOf(session: Pick<SessionRecord, 'turns' | 'revision'>, range: CheckedTurnRange): TurnPage {
  const { turns, revision } = session
  const { first, end } = resolveTurnRange(range, turns.length, id => turns.findLastIndex(turn => turn.turnId === id))
  return { turns: turns.slice(first, end).map(cloneTurn), firstIndex: first, turnCount: turns.length, revision }
}
