import type { TurnRecord } from '@turnstore/core'
import { idOfPart, type Part } from '@turnstore/core/adapter'
import type { PartsChange, TurnChange } from '../format/journal-entry.js'

/** The turn with this change. Shares what stays. */
export function changeTurn(turn: TurnRecord, { head, toolCalls, items }: TurnChange): TurnRecord {
  return { ...(head ?? turn), toolCalls: changeParts(turn.toolCalls, toolCalls), items: changeParts(turn.items, items) }
}

function changeParts<P extends Part>(before: P[], { remove, put }: PartsChange<P>): P[] {
  const parts = [...before]
  for (const id of remove) {
    const place = parts.findIndex(part => idOfPart(part) === id)
    if (place !== -1) parts.splice(place, 1)
  }
  for (const part of put) {
    const place = parts.findLastIndex(other => idOfPart(other) === idOfPart(part))
    if (place === -1) parts.push(part)
    else parts[place] = part
  }
  return parts
}
