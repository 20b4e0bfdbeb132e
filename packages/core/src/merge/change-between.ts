import { isTurnstoreError } from '../basics/errors.js'
import { sameJson } from '../basics/json.js'
import { applyChange } from '../changes/apply-change.js'
import type { TimedChange } from '../changes/change.js'
import type { SessionRecord, TurnRecord } from '../records/models.js'
import { memberOf } from './members.js'

/**
 * The change that turns one session into another, or null if none can. A change cannot set `createdAt`, append a
 * duplicate id or insert a turn between others: that takes a save of the whole record.
 */
export function changeBetween(stored: SessionRecord, merged: SessionRecord): TimedChange | null {
  const updateTurns = stored.turns.flatMap((before, index) => {
    const after = merged.turns[index]
    return after === undefined || sameJson(before, after) ? [] : [updateBetween(before, after)]
  })
  const appendTurns = merged.turns.slice(stored.turns.length)
  const appendAgentTransitions = merged.agentTransitions.slice(stored.agentTransitions.length)
  const setMetadata = Object.fromEntries(
    Object.entries(merged.metadata).filter(([key, value]) => !sameJson(memberOf(stored.metadata, key), value)),
  )
  const change = {
    updateTurns,
    appendTurns,
    appendAgentTransitions,
    setMetadata,
    ...(stored.agentId === merged.agentId ? {} : { agentId: merged.agentId }),
    updatedAt: merged.updatedAt,
  }
  return sameJson(changed(stored, change), merged) ? change : null
}

function changed(stored: SessionRecord, change: TimedChange): SessionRecord | null {
  try {
    return { ...applyChange(stored, change).session, revision: stored.revision }
  } catch (error) {
    if (isTurnstoreError(error)) return null
    throw error
  }
}

function updateBetween(before: TurnRecord, after: TurnRecord): NonNullable<TimedChange['updateTurns']>[number] {
  const { turnId, toolCalls, items, ...members } = after
  const set = Object.fromEntries(
    Object.entries(members).filter(([name, value]) => !sameJson(Reflect.get(before, name), value)),
  )
  return {
    turnId,
    set,
    putToolCalls: toolCalls
      .filter((call, place) => !sameJson(before.toolCalls[place], call))
      .map(call => ({ ...call, replace: true })),
    putItems: items.filter((item, place) => !sameJson(before.items[place], item)),
  }
}
