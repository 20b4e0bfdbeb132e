import { type ChangeResult, type CheckedChange, readChange, type SessionChange } from './change.js'
import { TurnstoreError } from '../basics/errors.js'
import { defaultLimits, type Limits } from '../records/limits.js'
import type { SessionRecord } from '../records/models.js'
import { checkMembers } from '../basics/arguments.js'
import { headAfter, keptTransitions } from './after-change.js'
import { type ChangePlan, planChange, type SessionView } from './decide-change.js'
import { readSessionInput } from '../records/record-input.js'

export interface AppliedChange {
  session: SessionRecord
  /** False if the change altered nothing. Then `revision` and `updatedAt` are as before. */
  changed: boolean
  /** Ids of appended turns that the session already had. */
  deduplicated: string[]
}

/**
 * Applies a change to a session record. This pure function defines what `changeSession` does in every
 * store. It does not modify its arguments, and the result shares no objects with them.
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
  return applyCheckedChange(
    copy,
    readChange(change, defaultLimits),
    checkChangeRevision(options.ifRevision),
    defaultLimits,
  )
}

/** Refuses 0 ("must not exist"), because a change needs an existing session. @throws `INVALID_ARGUMENT` */
export function checkChangeRevision(ifRevision: number | undefined): number | undefined {
  if (ifRevision !== undefined && !(Number.isSafeInteger(ifRevision) && ifRevision >= 1)) {
    throw new TurnstoreError('INVALID_ARGUMENT', 'options.ifRevision of a change must be a whole number of at least 1')
  }
  return ifRevision
}

/** Like {@link applyChange}, for checked arguments. The result shares unchanged parts with `session`. */
export function applyCheckedChange(
  session: SessionRecord,
  change: CheckedChange,
  ifRevision: number | undefined,
  limits: Limits,
): AppliedChange {
  const plan = planChange(viewOf(session), change, ifRevision, limits)
  return { session: applyPlan(session, plan), changed: plan.changed, deduplicated: plan.deduplicated }
}

/** Applies a plan to a record. The result shares unchanged parts with `session`. */
export function applyPlan(session: SessionRecord, plan: ChangePlan): SessionRecord {
  if (!plan.changed) return session
  const turns = session.turns.slice(0, plan.keepTurns)
  for (const { index, turn } of plan.replaceTurns) turns[index] = turn
  const kept = keptTransitions(viewOf(session), session.agentTransitions, plan)
  return {
    ...session,
    ...headAfter(session, plan),
    turns: turns.concat(plan.appendTurns),
    agentTransitions: kept.concat(plan.appendAgentTransitions),
  }
}

/** A view of a record. It scans instead of using an index, so it suits a single change. */
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

/** The result of `changeSession` for an applied plan. */
export function resultOf(plan: ChangePlan): ChangeResult {
  return { revision: plan.revision, turnCount: plan.turnCount, deduplicated: plan.deduplicated }
}
