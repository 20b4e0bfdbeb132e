import { type ChangeResult, type NormalChange, readChange, type SessionChange } from './change.js'
import { TurnstoreError } from '../basics/errors.js'
import { defaultLimits, type Limits } from '../records/limits.js'
import type { SessionRecord } from '../records/models.js'
import { checkMembers } from '../basics/arguments.js'
import { type ChangePlan, isDropped, planChange, type SessionView } from './plan-change.js'
import { readSessionInput } from '../records/record-input.js'

export interface AppliedChange {
  session: SessionRecord
  /** False where the change altered nothing: revision and `updatedAt` are as before. */
  changed: boolean
  deduplicated: string[]
}

/**
 * What a change does to a session, as a pure function: the definition that every store is held to.
 * The session that goes in is not altered and shares nothing with the one that comes out.
 *
 * @throws `INVALID_ARGUMENT`, `INVALID_ID`, `INVALID_RECORD`, `TURN_NOT_FOUND`, `TURN_ID_CONFLICT`,
 *   `TRANSITION_ID_CONFLICT`, `REVISION_CONFLICT`
 *
 * @example
 * const { session } = applyChange(before, { appendTurns: [turn], updatedAt: new Date().toISOString() })
 */
export function applyChange(
  session: SessionRecord,
  change: SessionChange,
  options: { ifRevision?: number } = {},
): AppliedChange {
  checkMembers(options, 'options', ['ifRevision'])
  const copy = readSessionInput(session, defaultLimits)
  return applyNormalChange(copy, readChange(change, defaultLimits), checkChangeRevision(options.ifRevision), defaultLimits)
}

/** A change needs a session, so there is no "must not exist". @throws `INVALID_ARGUMENT` */
export function checkChangeRevision(ifRevision: number | undefined): number | undefined {
  if (ifRevision !== undefined && !(Number.isSafeInteger(ifRevision) && ifRevision >= 1)) {
    throw new TurnstoreError('INVALID_ARGUMENT', 'options.ifRevision of a change must be a whole number of at least 1')
  }
  return ifRevision
}

/** {@link applyChange} for arguments that are checked already. What comes out shares what stays. */
export function applyNormalChange(
  session: SessionRecord,
  change: NormalChange,
  ifRevision: number | undefined,
  limits: Limits,
): AppliedChange {
  const plan = planChange(viewOf(session), change, ifRevision, limits)
  return { session: applyPlan(session, plan), changed: plan.changed, deduplicated: plan.deduplicated }
}

/** Carries a plan out on a record. What comes out shares what stays. */
export function applyPlan(session: SessionRecord, plan: ChangePlan): SessionRecord {
  if (!plan.changed) return session
  const turns = session.turns.slice(0, plan.keepTurns)
  for (const { index, turn } of plan.replaceTurns) turns[index] = turn
  const view = viewOf(session)
  const kept = session.agentTransitions.filter(transition => !isDropped(view, transition, plan.keepTurns))
  return {
    ...session,
    turns: turns.concat(plan.appendTurns),
    agentTransitions: kept.concat(plan.appendAgentTransitions),
    metadata: plan.metadata ?? session.metadata,
    agentId: plan.agentId === undefined ? session.agentId : plan.agentId,
    updatedAt: plan.updatedAt,
    revision: plan.revision,
  }
}

/** A record as a view, without an index: for what happens once. */
export function viewOf(session: SessionRecord): SessionView {
  return {
    sessionId: session.sessionId,
    revision: session.revision,
    turnCount: session.turns.length,
    agentId: session.agentId,
    updatedAt: session.updatedAt,
    metadata: session.metadata,
    findTurn: (turnId, before) => {
      const index = session.turns.findLastIndex((turn, place) => place < before && turn.turnId === turnId)
      const turn = session.turns[index]
      return turn === undefined ? undefined : { turn, index }
    },
    firstIndexOfTurn: turnId => session.turns.findIndex(turn => turn.turnId === turnId),
    findTransition: id => session.agentTransitions.find(transition => transition.transitionId === id),
  }
}

/** What a store answers once a plan is carried out. */
export function resultOf(plan: ChangePlan): ChangeResult {
  return { revision: plan.revision, turnCount: plan.turnCount, deduplicated: plan.deduplicated }
}
