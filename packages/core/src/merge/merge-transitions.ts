import { sameJson } from '../basics/json.js'
import type { AgentTransitionRecord } from '../records/models.js'
import { type Contradict, filled, occurrences, united, unitedExtra } from './members.js'
import { shown } from './printable-id.js'

/** Agent transitions are matched by id. Those without an id are matched by content, duplicates one by one. */
export function mergeTransitions(
  stored: readonly AgentTransitionRecord[],
  incoming: readonly AgentTransitionRecord[],
  contradict: Contradict,
): AgentTransitionRecord[] {
  const merged = [...stored]
  const keys = occurrences(stored.map(({ transitionId }) => transitionId ?? ''))
  const places = new Map(keys.map((key, index) => [key, index]))
  const nameless = stored.filter(({ transitionId }) => transitionId === null)
  for (const [index, key] of occurrences(incoming.map(({ transitionId }) => transitionId ?? '')).entries()) {
    const transition = incoming[index]
    if (transition === undefined) continue
    if (transition.transitionId === null) {
      const same = nameless.findIndex(known => sameJson(known, transition))
      if (same === -1) merged.push(transition)
      else nameless.splice(same, 1)
      continue
    }
    const place = places.get(key)
    const known = place === undefined ? undefined : stored[place]
    if (place === undefined || known === undefined) merged.push(transition)
    else merged[place] = mergeTransition(known, transition, contradict)
  }
  return merged
}

function mergeTransition(
  stored: AgentTransitionRecord,
  incoming: AgentTransitionRecord,
  contradict: Contradict,
): AgentTransitionRecord {
  const differs = (): void => contradict(`agent transition ${shown(stored.transitionId ?? '')}`)
  return {
    ...stored,
    fromAgent: united(stored.fromAgent, incoming.fromAgent, differs),
    toAgent: united(stored.toAgent, incoming.toAgent, differs),
    reason: united(stored.reason, incoming.reason, differs),
    turnId: united(stored.turnId, incoming.turnId, differs),
    timestamp: filled(stored.timestamp, incoming.timestamp),
    ...unitedExtra(stored, incoming, differs),
  }
}
