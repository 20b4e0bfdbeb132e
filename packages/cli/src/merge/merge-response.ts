import type { TurnRecord } from '@turnstore/core'
import { filled, furtherOf, isOpen, lacks } from './members.js'
import { relateItems } from './merge-items.js'

/**
 * Merges the response of two stages of a turn: that of the stage with more items, else the more advanced one. `mayGrow`:
 * what comes after the target's items counts as growth.
 */
export function mergeResponse(
  stored: TurnRecord,
  incoming: TurnRecord,
  mayGrow: boolean,
  contradict: () => void,
): string | null {
  const relation = relateItems(stored.items, incoming.items)
  if (relation === 'earlier') return filled(stored.responseContent, incoming.responseContent)
  if (relation === 'later' && mayGrow) return filled(incoming.responseContent, stored.responseContent)
  const isPassing = isOpen(incoming) || (lacks(incoming.startedAt) && lacks(incoming.endedAt))
  const further = furtherOf(
    { value: stored.responseContent, isOpen: mayGrow },
    { value: incoming.responseContent, isOpen: isPassing },
  )
  if (further === undefined) contradict()
  return further ?? stored.responseContent
}
