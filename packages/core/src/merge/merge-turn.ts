import type { TurnRecord } from '../records/models.js'
import { type Contradict, filled, hasInferredEnd, isOpen, lacks, united, unitedFacts } from './members.js'
import { mergeItems, relateItems } from './merge-items.js'
import { mergeCalls } from './merge-tool-calls.js'
import { mergeResponse } from './merge-response.js'

/** Why two turns with one id are different turns, or null if they are the same. */
export function otherTurn(stored: TurnRecord, incoming: TurnRecord): string | null {
  if (filled(stored.prompt, incoming.prompt) !== filled(incoming.prompt, stored.prompt)) return 'another prompt'
  if (lacks(stored.agentId) || lacks(incoming.agentId) || stored.agentId === incoming.agentId) return null
  return 'another agent'
}

/** Merges two stages of a turn. `isLast`: it is the target's last turn. */
export function mergeTurn(
  stored: TurnRecord,
  incoming: TurnRecord,
  isLast: boolean,
  contradict: Contradict,
): TurnRecord {
  const mayGrow = isOpen(stored) || (isLast && (hasInferredEnd(stored) || hasInferredEnd(incoming)))
  const { extra: _extra, ...members } = stored
  return {
    ...members,
    agentId: filled(stored.agentId, incoming.agentId),
    prompt: filled(stored.prompt, incoming.prompt),
    toolCalls: mergeCalls(stored.toolCalls, incoming.toolCalls, contradict),
    responseContent: mergeResponse(stored, incoming, mayGrow, () => contradict('its response')),
    metadata: unitedFacts(stored.metadata, incoming.metadata, mayGrow, () => contradict('its metadata')),
    startedAt: filled(stored.startedAt, incoming.startedAt),
    ...mergeEnd(stored, incoming, mayGrow, contradict),
    auditEventIds: stored.auditEventIds.concat(incoming.auditEventIds.filter(id => !stored.auditEventIds.includes(id))),
    ...mergeItems(stored, incoming, mayGrow, contradict),
  }
}

type End = Pick<TurnRecord, 'status' | 'endedAt' | 'error'>

/**
 * A turn ends once, and its end is indivisible. An inferred end does not contradict a stored one, and gives way to what
 * more messages say.
 */
function mergeEnd(stored: TurnRecord, incoming: TurnRecord, mayGrow: boolean, contradict: Contradict): End {
  const { status, endedAt, error } = stored
  if (mayGrow && hasInferredEnd(stored) && relateItems(stored.items, incoming.items) === 'later') {
    return { status: incoming.status, endedAt: incoming.endedAt, error: filled(error, incoming.error) }
  }
  if (isOpen(stored)) {
    return {
      status: isOpen(incoming) ? filled(status, incoming.status) : incoming.status,
      endedAt: filled(endedAt, incoming.endedAt),
      error: isOpen(incoming) ? filled(error, incoming.error) : filled(incoming.error, error),
    }
  }
  if (isOpen(incoming) || hasInferredEnd(incoming)) return { status, endedAt, error }
  if (status !== incoming.status) {
    contradict('its status')
    return { status, endedAt, error }
  }
  return {
    status,
    endedAt: filled(endedAt, incoming.endedAt),
    error: united(error, incoming.error, () => contradict('its error')),
  }
}
