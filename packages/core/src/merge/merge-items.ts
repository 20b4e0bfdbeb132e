import { isJsonObject, type JsonValue, sameJson } from '../basics/json.js'
import type { TurnItem, TurnRecord } from '../records/models.js'
import { areCountsOf, type Contradict, isBeginningOf, occurrences, unitedExtra } from './members.js'
import { shown } from './printable-id.js'

type Items = Pick<TurnRecord, 'items' | 'extra'>

/**
 * Merges the items of a turn, and its unknown members, which may hold something else under `items`. `mayGrow`: the last
 * item may be the beginning of what it is at a later stage.
 */
export function mergeItems(stored: TurnRecord, incoming: TurnRecord, mayGrow: boolean, contradict: Contradict): Items {
  const { extra } = unitedExtra(stored, incoming, () => contradict('unknown members'))
  const items = unitedItems(stored.items, incoming.items, mayGrow, contradict)
  if (extra === undefined || !Object.hasOwn(extra, 'items') || items.length === 0) {
    return { items, ...(extra === undefined ? {} : { extra }) }
  }
  // A record has one of the two. The target keeps its own.
  contradict('its items')
  const { items: foreign, ...others } = extra
  const kept = stored.items.length > 0 || foreign === undefined ? others : { ...others, items: foreign }
  return { items: stored.items, ...(Object.keys(kept).length === 0 ? {} : { extra: kept }) }
}

/**
 * What is in an item is complete, except in the last one of a transcript whose answer was being written. What comes after
 * an item that contradicts, other than a system prompt, belongs to another conversation and is left out.
 */
function unitedItems(
  stored: readonly TurnItem[],
  incoming: readonly TurnItem[],
  mayGrow: boolean,
  contradict: Contradict,
): TurnItem[] {
  const merged = [...stored]
  const places = new Map(occurrences(stored.map(({ itemId }) => itemId)).map((key, index) => [key, index]))
  const keys = occurrences(incoming.map(({ itemId }) => itemId))
  let isOther = false
  for (const [index, item] of incoming.entries()) {
    const place = places.get(keys[index] ?? '')
    const known = place === undefined ? undefined : merged[place]
    if (place === undefined || known === undefined) {
      if (isOther) contradict(`item ${shown(item.itemId)}`)
      else merged.push(item)
    } else if (!isStageOf(item, known, index === incoming.length - 1)) {
      if (mayGrow && isStageOf(known, item, place === stored.length - 1)) {
        merged[place] = item
      } else {
        contradict(`item ${shown(item.itemId)}`)
        isOther ||= !isSystem(known) || !isSystem(item)
      }
    }
  }
  return merged
}

/** Which of two stages of a turn has all items of the other. `same` if both do. */
export function relateItems(stored: readonly TurnItem[], incoming: readonly TurnItem[]): Relation {
  const isEarlier = areStagesOf(incoming, stored)
  const isLater = areStagesOf(stored, incoming)
  return isEarlier && isLater ? 'same' : isEarlier ? 'earlier' : isLater ? 'later' : 'other'
}

export type Relation = 'same' | 'earlier' | 'later' | 'other'

function areStagesOf(before: readonly TurnItem[], after: readonly TurnItem[]): boolean {
  return before.every((item, index) => {
    const other = after[index]
    const isLast = index === before.length - 1
    return isStageOf(item, other, isLast) || (other !== undefined && isSystem(item) && isSystem(other))
  })
}

function isStageOf(before: TurnItem, after: TurnItem | undefined, mayGrow: boolean): boolean {
  if (sameJson(before, after)) return true
  if (!mayGrow || after === undefined) return false
  const { value: written, ...identity } = before
  const { value, ...others } = after
  return sameJson(identity, others) && isBeingWritten(written, value)
}

/**
 * Whether a message may be an earlier stage of another: its texts become longer, its counts larger, and its parts change
 * their state, such as `input-available` to `output-available`.
 */
function isBeingWritten(before: JsonValue, after: JsonValue | undefined): boolean {
  if (areCountsOf(before, after)) return true
  if (typeof before !== 'object' || before === null) return isBeginningOf(before, after)
  if (typeof after !== 'object' || after === null || Array.isArray(before) !== Array.isArray(after)) return false
  const later = new Map(Object.entries(after))
  return Object.entries(before).every(
    ([key, value]) => later.has(key) && (states.has(key) || isBeingWritten(value, later.get(key))),
  )
}

const states = new Set(['state', 'status'])

/** A system prompt may change from one call of the model to the next, in the same conversation. */
function isSystem({ value }: TurnItem): boolean {
  return isJsonObject(value) && (value.role === 'system' || value.role === 'developer')
}
