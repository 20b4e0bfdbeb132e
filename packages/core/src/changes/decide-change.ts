import { type ChangeResult, type CheckedChange, onlyAppends } from './change.js'
import type { ChangeCondition } from './change-options.js'
import { revisionConflict, TurnstoreError } from '../basics/errors.js'
import { type JsonObject, sameJson } from '../basics/json.js'
import { defaultLimits, hardLimits, type Limits } from '../records/limits.js'
import { invalidRecord } from '../records/members.js'
import { type AgentTransitionRecord, isEnded, type TurnRecord } from '../records/models.js'
import { revisionAfter } from './next-revision.js'
import { checkSameChange, type RememberedChange } from './remembered-change.js'
import { jsonLength } from '../records/part-sizes.js'
import { isRetryOfTurn, sameTransition } from '../records/same-record.js'
import { quote } from '../basics/text.js'
import { laterTime } from '../basics/time.js'
import { applyTurnPlan, mergedMetadata, TurnDraft, type TurnPlan } from './turn-draft.js'
import { isRetryOfView, type TurnView, turnViewOf } from './turn-view.js'

/**
 * What {@link planChange} needs to know about a session. An adapter can answer from an array, an index or
 * a SELECT, without loading the whole session.
 */
export interface SessionView {
  readonly sessionId: string
  readonly revision: number
  readonly turnCount: number
  readonly agentId: string | null
  readonly updatedAt: string
  readonly metadata: JsonObject
  /** Whether the session has ended. Without it, the metadata says so; give it if reading the metadata costs more. */
  readonly isEnded?: boolean
  /** The last turn with this id among the first `before` turns. Old files may contain an id twice; the last one counts. */
  findTurn(turnId: string, before: number): TurnView | undefined
  /** The index of the first turn with this id, or -1. */
  firstIndexOfTurn(turnId: string): number
  findTransition(transitionId: string): AgentTransitionRecord | undefined
  /** What the session remembers under an idempotency key. */
  findRemembered(key: string): RememberedChange | undefined
}

/** The writes that a change requires. All decisions are made; the adapter only stores the result. */
export interface ChangePlan {
  /** If false, the session stays as it is. Write nothing but what {@link remember} says. */
  readonly changed: boolean
  /** What to remember by its key, in the same atomic operation, also if nothing else changes. */
  readonly remember: RememberedChange | undefined
  /** The first result of a change that the session remembers. */
  readonly replay: ChangeResult | undefined
  readonly revision: number
  readonly turnCount: number
  readonly deduplicated: string[]
  readonly skipped: string[]
  /** How many turns to keep; `undefined` keeps all. Drop the later turns and their agent transitions first. */
  readonly keepTurns: number | undefined
  /** What to change in the turns that are kept. */
  readonly updateTurns: readonly TurnPlan[]
  readonly appendTurns: readonly TurnRecord[]
  readonly appendAgentTransitions: readonly AgentTransitionRecord[]
  /** The complete new metadata, if it changes. */
  readonly metadata: JsonObject | undefined
  /** The session's new agent, if it changes. */
  readonly agentId: string | null | undefined
  readonly updatedAt: string
}

/**
 * Decides what a change does to a session. The rules are the same for every adapter. Only reads the view.
 *
 * @throws `IDEMPOTENCY_KEY_CONFLICT`, `REVISION_CONFLICT`, `TURN_NOT_FOUND`, `TURN_ID_CONFLICT`, `TRANSITION_ID_CONFLICT`,
 *   `INVALID_RECORD` if a limit is exceeded or the session is at the highest possible revision
 */
export function planChange(
  view: SessionView,
  change: CheckedChange,
  { ifRevision, idempotency }: Partial<Pick<ChangeCondition, 'ifRevision' | 'idempotency'>>,
  limits: Limits = defaultLimits,
): ChangePlan {
  const known = idempotency && view.findRemembered(idempotency.key)
  if (idempotency === undefined || known === undefined) {
    const plan = planNew(view, change, ifRevision, limits)
    return idempotency === undefined ? plan : { ...plan, remember: { ...idempotency, result: resultOf(plan) } }
  }
  checkSameChange(view.sessionId, known, idempotency)
  return { ...unchanged(view, [], []), replay: known.result }
}

/** The result of `changeSession` for a plan that was stored. */
export function resultOf({ revision, turnCount, deduplicated, skipped, replay }: ChangePlan): ChangeResult {
  if (replay !== undefined) {
    return {
      ...replay,
      deduplicated: [...replay.deduplicated],
      ...(replay.skipped && { skipped: [...replay.skipped] }),
      replayed: true,
    }
  }
  // Copies: the caller owns its result, and the session may remember the same.
  return { revision, turnCount, deduplicated: [...deduplicated], ...(skipped.length > 0 && { skipped: [...skipped] }) }
}

function planNew(view: SessionView, change: CheckedChange, ifRevision: number | undefined, limits: Limits): ChangePlan {
  if (ifRevision !== undefined && ifRevision !== view.revision) {
    // The append may already be stored: a retry after a lost response must succeed.
    if (!isAppliedAlready(view, change)) throw revisionConflict(view.sessionId, ifRevision, view.revision)
    return unchanged(
      view,
      change.appendTurns.map(turn => turn.turnId),
      [],
    )
  }

  const keepTurns = change.keepTurns !== undefined && change.keepTurns < view.turnCount ? change.keepTurns : undefined
  const kept = keepTurns ?? view.turnCount

  const { updateTurns, skipped } = planUpdates(view, change, kept, limits)
  const { appendTurns, deduplicated } = planAppends(view, change, kept)
  const appendAgentTransitions = planTransitions(view, change, keepTurns)
  const metadata = planMetadata(view, change, reopens(view, change, appendTurns), limits)
  const agentId = change.agentId === view.agentId ? undefined : change.agentId

  const changed =
    keepTurns !== undefined ||
    updateTurns.length > 0 ||
    appendTurns.length > 0 ||
    appendAgentTransitions.length > 0 ||
    metadata !== undefined ||
    agentId !== undefined
  if (!changed) return unchanged(view, deduplicated, skipped)

  return {
    changed,
    remember: undefined,
    replay: undefined,
    revision: revisionAfter(view.sessionId, view.revision),
    turnCount: kept + appendTurns.length,
    deduplicated,
    skipped,
    keepTurns,
    updateTurns,
    appendTurns,
    appendAgentTransitions,
    metadata,
    agentId,
    updatedAt: laterTime(view.updatedAt, change.updatedAt),
  }
}

function unchanged(view: SessionView, deduplicated: string[], skipped: string[]): ChangePlan {
  return {
    changed: false,
    remember: undefined,
    replay: undefined,
    revision: view.revision,
    turnCount: view.turnCount,
    deduplicated,
    skipped,
    keepTurns: undefined,
    updateTurns: [],
    appendTurns: [],
    appendAgentTransitions: [],
    metadata: undefined,
    agentId: undefined,
    updatedAt: view.updatedAt,
  }
}

/** Whether everything that a change appends is already stored, so that a conditional retry may succeed. */
function isAppliedAlready(view: SessionView, change: CheckedChange): boolean {
  return (
    onlyAppends(change) &&
    change.appendTurns.every(turn => {
      const stored = view.findTurn(turn.turnId, view.turnCount)
      return stored !== undefined && isRetryOfView(stored, turn)
    }) &&
    change.appendAgentTransitions.every(transition => {
      const stored = transition.transitionId === null ? undefined : view.findTransition(transition.transitionId)
      return stored !== undefined && sameTransition(stored, transition)
    })
  )
}

function planUpdates(
  view: SessionView,
  change: CheckedChange,
  kept: number,
  limits: Limits,
): { updateTurns: TurnPlan[]; skipped: string[] } {
  if (change.updateTurns.length === 0) return { updateTurns: [], skipped: [] }
  const skipped: string[] = []
  const drafts = new Map<string, TurnDraft>()
  for (const update of change.updateTurns) {
    const { turnId } = update
    let draft = drafts.get(turnId)
    if (draft === undefined) {
      const found = view.findTurn(turnId, kept)
      if (found === undefined) throw turnNotFound(view.sessionId, turnId)
      draft = new TurnDraft(found, turnId, view.sessionId)
      drafts.set(turnId, draft)
    }
    if (!draft.apply(update)) skipped.push(turnId)
  }
  return { updateTurns: [...drafts.values()].flatMap(draft => draft.plan(limits) ?? []), skipped }
}

function turnNotFound(sessionId: string, turnId: string): TurnstoreError {
  const message = `Session ${sessionId} has no turn ${quote(turnId)} to update`
  return new TurnstoreError('TURN_NOT_FOUND', message, { sessionId, outcome: 'not-stored' })
}

function planAppends(
  view: SessionView,
  change: CheckedChange,
  kept: number,
): { appendTurns: TurnRecord[]; deduplicated: string[] } {
  const appendTurns: TurnRecord[] = []
  const deduplicated: string[] = []
  const batch = new Map<string, TurnRecord>()
  for (const turn of change.appendTurns) {
    const appended = batch.get(turn.turnId)
    const stored = view.findTurn(turn.turnId, kept)
    if (appended === undefined && stored === undefined) {
      batch.set(turn.turnId, turn)
      appendTurns.push(turn)
    } else if (
      (appended !== undefined && isRetryOfTurn(appended, turn)) ||
      (stored !== undefined && isRetryOfView(afterUpdates(view, stored, change), turn))
    ) {
      deduplicated.push(turn.turnId)
    } else {
      throw new TurnstoreError(
        'TURN_ID_CONFLICT',
        `Session ${view.sessionId} already has a turn ${quote(turn.turnId)} with different content; give the new turn another id`,
        { sessionId: view.sessionId, outcome: 'not-stored' },
      )
    }
  }
  return { appendTurns, deduplicated }
}

/** A stored turn as it is after the updates of the same change. */
function afterUpdates(view: SessionView, stored: TurnView, change: CheckedChange): TurnView {
  const updates = change.updateTurns.filter(({ turnId }) => turnId === stored.head.turnId)
  if (updates.length === 0) return stored
  const whole = stored.whole()
  const draft = new TurnDraft(turnViewOf(whole, stored.index), whole.turnId, view.sessionId)
  for (const update of updates) draft.apply(update)
  const plan = draft.plan(hardLimits)
  return plan === null ? stored : turnViewOf(applyTurnPlan(whole, plan), stored.index)
}

function planTransitions(
  view: SessionView,
  change: CheckedChange,
  keepTurns: number | undefined,
): AgentTransitionRecord[] {
  const result: AgentTransitionRecord[] = []
  const batch = new Map<string, AgentTransitionRecord>()
  for (const transition of change.appendAgentTransitions) {
    const { transitionId } = transition
    if (transitionId === null) {
      result.push(transition)
      continue
    }
    const stored = view.findTransition(transitionId)
    const known = batch.get(transitionId) ?? stored
    if (known === undefined || (known === stored && isDropped(view, stored, keepTurns))) {
      result.push(transition)
      batch.set(transitionId, transition)
    } else if (!sameTransition(known, transition)) {
      throw new TurnstoreError(
        'TRANSITION_ID_CONFLICT',
        `Session ${view.sessionId} already has an agent transition ${quote(transitionId)} with different content; give the new one another id`,
        { sessionId: view.sessionId, outcome: 'not-stored' },
      )
    }
  }
  return result
}

/**
 * Whether a rewind to `keepTurns` turns drops an agent transition. It drops those recorded in a dropped
 * turn and keeps all others.
 */
export function isDropped(
  view: Pick<SessionView, 'firstIndexOfTurn'>,
  transition: AgentTransitionRecord,
  keepTurns: number | undefined,
): boolean {
  return keepTurns !== undefined && view.firstIndexOfTurn(transition.turnId) >= keepTurns
}

/** Asked at every turn that is recorded, so it reads the metadata only if it must. */
function reopens(view: SessionView, { reopen }: CheckedChange, appendTurns: readonly TurnRecord[]): boolean {
  return reopen && appendTurns.length > 0 && (view.isEnded ?? isEnded(view))
}

function planMetadata(
  view: SessionView,
  change: CheckedChange,
  isReopened: boolean,
  limits: Limits,
): JsonObject | undefined {
  const { setMetadata, unsetMetadata } = change
  if (Object.keys(setMetadata).length === 0 && unsetMetadata.length === 0 && !isReopened) return undefined
  const before = mergedMetadata(view.metadata, {}, isReopened ? ['ended'] : [])
  const metadata = mergedMetadata(before, setMetadata, unsetMetadata)
  if (sameJson(metadata, view.metadata)) return undefined
  if (jsonLength(metadata) > limits.metadataBytes) {
    throw invalidRecord('metadata', `would exceed ${limits.metadataBytes} bytes of JSON`)
  }
  return metadata
}
