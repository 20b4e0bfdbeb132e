import { sessionExists, sessionNotFound, type TurnstoreError } from '../basics/errors.js'
import type { Limits } from '../records/limits.js'
import type { SessionRecord } from '../records/models.js'
import { applyPlan, viewOf } from './apply-change.js'
import type { ChangeResult, CheckedChange } from './change.js'
import type { ChangeCondition, NewSession } from './change-options.js'
import { planChange, resultOf } from './decide-change.js'
import type { RememberedChange } from './remembered-change.js'

/** A session that a change creates, with the change applied, at revision 1. */
export interface Creation {
  readonly session: SessionRecord
  readonly result: ChangeResult
  /** What the session is to remember. */
  readonly remember: RememberedChange | undefined
}

/**
 * What a change with `createIfMissing` creates. Store it only if there still is no session with this id.
 * @throws `TURN_NOT_FOUND` for an update, as there is no turn yet; `INVALID_RECORD`, `TURN_ID_CONFLICT`,
 *   `TRANSITION_ID_CONFLICT`
 */
export function planCreation(
  sessionId: string,
  creation: NewSession,
  change: CheckedChange,
  { idempotency }: ChangeCondition,
  limits: Limits,
): Creation {
  const empty: SessionRecord = {
    sessionId,
    workspaceId: creation.workspaceId,
    parentSessionId: creation.parentSessionId,
    agentId: creation.agentId,
    createdAt: change.updatedAt,
    updatedAt: change.updatedAt,
    turns: [],
    agentTransitions: [],
    metadata: creation.metadata,
    revision: 0,
  }
  const plan = planChange(viewOf(empty), { ...change, keepTurns: undefined }, {}, limits)
  const session = { ...applyPlan(empty, plan), revision: 1 }
  const result = (): ChangeResult => ({ ...resultOf(plan), revision: 1, created: true })
  return { session, result: result(), remember: idempotency && { ...idempotency, result: result() } }
}

/**
 * Why a change cannot see a session: there is none, or only one of another workspace.
 * @param exists whether there is one
 */
export function outOfReach(sessionId: string, { creation }: ChangeCondition, exists: boolean): TurnstoreError {
  return creation !== undefined && exists ? sessionExists(sessionId) : sessionNotFound(sessionId)
}
