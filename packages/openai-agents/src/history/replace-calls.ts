import type { JsonObject, TurnRecord, TurnUpdate } from '@turnstore/core'
import { FORMAT, isOwn, ownItems, turnsOf } from '../items/format.js'

export interface CallReplacement {
  readonly callId: string
  readonly item: JsonObject
}

/** Replaces calls of functions: the first with an id, and the others with it go. */
export function callReplacements(turns: readonly TurnRecord[], replacements: readonly CallReplacement[]): TurnUpdate[] {
  const byId = new Map(replacements.map(({ callId, item }) => [callId, item]))
  const seen = new Set<string>()
  return turns.filter(isOwn).flatMap((turn): TurnUpdate[] => {
    const putItems: { itemId: string; format: string; value: JsonObject }[] = []
    const removeItems: string[] = []
    const items = ownItems(turn).flatMap(({ itemId, value }) => {
      const { callId } = value
      if (value.type !== 'function_call' || typeof callId !== 'string') return [value]
      const item = byId.get(callId)
      if (item === undefined) return [value]
      if (seen.has(callId)) {
        removeItems.push(itemId)
        return []
      }
      seen.add(callId)
      putItems.push({ itemId, format: FORMAT, value: item })
      return [item]
    })
    if (putItems.length === 0 && removeItems.length === 0) return []
    const calls = turnsOf(items, () => turn.turnId)[0]?.toolCalls ?? []
    const named = new Set(calls.map(({ callId }) => callId))
    return [
      {
        turnId: turn.turnId,
        removeItems,
        putItems,
        removeToolCalls: turn.toolCalls.map(({ callId }) => callId).filter(callId => !named.has(callId)),
        putToolCalls: calls.map(call => ({ ...call, replace: true })),
      },
    ]
  })
}
