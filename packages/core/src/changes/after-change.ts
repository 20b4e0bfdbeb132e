import { type ChangePlan, isDropped, type SessionView } from './decide-change.js'
import type { AgentTransitionRecord, SessionRecord } from '../records/models.js'

/** The members of a session that every change may alter, besides its turns and agent transitions. */
type Head = Pick<SessionRecord, 'agentId' | 'metadata' | 'updatedAt' | 'revision'>

/** Those members after a planned change. */
export function headAfter({ agentId, metadata }: Pick<Head, 'agentId' | 'metadata'>, plan: ChangePlan): Head {
  return {
    agentId: plan.agentId === undefined ? agentId : plan.agentId,
    metadata: plan.metadata ?? metadata,
    updatedAt: plan.updatedAt,
    revision: plan.revision,
  }
}

/**
 * The agent transitions that a planned change keeps; it appends others. Without a rewind, these are all.
 * @param view as it was before the change
 */
export function keptTransitions<T extends AgentTransitionRecord>(
  view: Pick<SessionView, 'firstIndexOfTurn'>,
  transitions: readonly T[],
  { keepTurns }: Pick<ChangePlan, 'keepTurns'>,
): T[] {
  return transitions.filter(transition => !isDropped(view, transition, keepTurns))
}
