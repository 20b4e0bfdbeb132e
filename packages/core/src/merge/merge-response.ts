import type { JsonValue } from '../basics/json.js'
import type { TurnItem, TurnRecord } from '../records/models.js'
import { filled, furtherOf, hasInferredEnd, isOpen } from './members.js'
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
  // What is replaced stays in an item. A response that was recorded without one would be lost.
  if (relation === 'later' && mayGrow && holdText(stored.items, stored.responseContent ?? '')) {
    return filled(incoming.responseContent, stored.responseContent)
  }
  const isPassing = isOpen(incoming) || hasInferredEnd(incoming)
  const further = furtherOf(
    { value: stored.responseContent, isOpen: mayGrow },
    { value: incoming.responseContent, isOpen: isPassing },
  )
  if (further === undefined) contradict()
  return further ?? stored.responseContent
}

/** Whether items hold a text, in one piece or in parts that follow each other. */
function holdText(items: readonly TurnItem[], text: string): boolean {
  const pieces = items.flatMap(({ value }) => textsIn(value))
  if (text === '' || pieces.includes(text)) return true
  let rest = text
  for (const piece of pieces) {
    if (piece !== '' && rest.startsWith(piece)) rest = rest.slice(piece.length).replace(/^\n/, '')
  }
  return rest === ''
}

function textsIn(value: JsonValue): string[] {
  if (typeof value === 'string') return [value]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsIn) : []
}
