import { isDeepStrictEqual } from 'node:util'
import type { TurnItem, TurnRecord } from '@turnstore/core'
import { type Contradict, occurrences, unitedExtra } from './members.js'
import { shown } from './printable-id.js'

type Items = Pick<TurnRecord, 'items' | 'extra'>

/** Merges the items of a turn, and its unknown members, which may hold something else under `items`. */
export function mergeItems(stored: TurnRecord, incoming: TurnRecord, contradict: Contradict): Items {
  const { extra } = unitedExtra(stored, incoming, () => contradict('unknown members'))
  const items = unitedItems(stored.items, incoming.items, contradict)
  if (extra === undefined || !Object.hasOwn(extra, 'items') || items.length === 0) {
    return { items, ...(extra === undefined ? {} : { extra }) }
  }
  // A record has one of the two. The target keeps its own.
  contradict('its items')
  const { items: foreign, ...others } = extra
  const kept = stored.items.length > 0 || foreign === undefined ? others : { ...others, items: foreign }
  return { items: stored.items, ...(Object.keys(kept).length === 0 ? {} : { extra: kept }) }
}

/** What is in an item is complete, so two items with one id are equal or contradict each other. */
function unitedItems(stored: readonly TurnItem[], incoming: readonly TurnItem[], contradict: Contradict): TurnItem[] {
  const known = new Map(occurrences(stored.map(({ itemId }) => itemId)).map((key, index) => [key, stored[index]]))
  const keys = occurrences(incoming.map(({ itemId }) => itemId))
  const missing = incoming.filter((item, index) => {
    const same = known.get(keys[index] ?? '')
    if (same !== undefined && !isDeepStrictEqual(same, item)) contradict(`item ${shown(item.itemId)}`)
    return same === undefined
  })
  return [...stored, ...missing]
}
