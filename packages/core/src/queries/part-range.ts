import { readObject, wholeNumber } from '../basics/arguments.js'
import { TurnstoreError } from '../basics/errors.js'
import { clonePart } from '../records/clone.js'
import type { PartList, Parts, TurnRecord } from '../records/models.js'

/** Which parts of a turn to read: the last n of a list, or a range of indexes. Without either, all. */
export type PartRange<List extends PartList = PartList> =
  | { list: List; last: number; from?: never; limit?: never }
  | { list: List; from?: number; limit?: number; last?: never }

/** A range of the parts of a turn. All members come from the same revision. */
export interface PartPage<List extends PartList = PartList> {
  parts: Parts[List][]
  /** Index of the first part in `parts`. For an empty page, where it would be. */
  firstIndex: number
  /** Number of parts in the list. */
  count: number
  revision: number
}

/** A checked range, as hooks receive it. */
export type CheckedPartRange<List extends PartList = PartList> = { readonly list: List } & (
  | { readonly kind: 'last'; readonly last: number }
  | { readonly kind: 'from'; readonly from: number; readonly limit: number }
)

/** @throws `INVALID_ARGUMENT` */
export function readPartRange<List extends PartList>(source: PartRange<List>): CheckedPartRange<List> {
  const { last, from, limit } = readObject(source, 'range', ['list', 'last', 'from', 'limit'])
  const { list } = source
  if (list !== 'toolCalls' && list !== 'items') {
    throw new TurnstoreError('INVALID_ARGUMENT', "range.list must be 'toolCalls' or 'items'")
  }
  if (last !== undefined && (from !== undefined || limit !== undefined)) {
    throw new TurnstoreError('INVALID_ARGUMENT', 'range takes one of { last } and { from, limit }')
  }
  if (last !== undefined) return { list, kind: 'last', last: wholeNumber(last, 'range.last', 0) }
  return {
    list,
    kind: 'from',
    from: from === undefined ? 0 : wholeNumber(from, 'range.from', 0),
    limit: limit === undefined ? Number.MAX_SAFE_INTEGER : wholeNumber(limit, 'range.limit', 1),
  }
}

/** Resolves a range to the indexes `[first, end)` in a list of `count` parts. */
export function resolvePartRange(range: CheckedPartRange, count: number): { first: number; end: number } {
  if (range.kind === 'last') return { first: Math.max(0, count - range.last), end: count }
  const first = Math.min(range.from, count)
  return { first, end: Math.min(count, first + range.limit) }
}

/** The page of a turn that is at hand as a whole. Its parts are copies. */
export function pageOfParts<List extends PartList>(
  turn: TurnRecord,
  range: CheckedPartRange<List>,
  revision: number,
): PartPage<List> {
  const lists: { readonly [L in PartList]: readonly Parts[L][] } = turn
  const list: readonly Parts[List][] = lists[range.list]
  const { first, end } = resolvePartRange(range, list.length)
  return { parts: list.slice(first, end).map(clonePart), firstIndex: first, count: list.length, revision }
}
