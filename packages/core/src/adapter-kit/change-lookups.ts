import type { CheckedChange } from '../changes/change.js'
import type { SessionView } from '../changes/decide-change.js'
import type { AgentTransitionRecord, TurnRecord } from '../records/models.js'

/** What `planChange` may ask about a session when it decides on a change. */
export interface Lookups {
  /** For each: the last turn with this id, among the first `before`, and its index. */
  readonly turnIds: readonly string[]
  /** The number of turns that the change keeps. Undefined: all. */
  readonly before: number | undefined
  /**
   * For each: the first agent transition with this id; and if `before` is given, the index of the first turn with the
   * `turnId` of that transition.
   */
  readonly transitionIds: readonly string[]
  /** Whether the session's metadata is needed. */
  readonly metadata: boolean
}

/**
 * What to look up before a decision, for a driver that is not synchronous: fetch all of it, and the head of the session,
 * in one round trip and from one moment. Then `viewOfAnswers` and `planChange` run without waiting.
 *
 * @example
 * const answers = await fetchAll(sessionId, lookupsOf(change))
 * const plan = planChange(viewOfAnswers(answers), change, condition.ifRevision, this.limits)
 */
export function lookupsOf(change: CheckedChange): Lookups {
  const { updateTurns, appendTurns, appendAgentTransitions, keepTurns, setMetadata, unsetMetadata } = change
  return {
    turnIds: [...new Set([...updateTurns, ...appendTurns].map(({ turnId }) => turnId))],
    before: keepTurns,
    transitionIds: [...new Set(appendAgentTransitions.flatMap(({ transitionId }) => transitionId ?? []))],
    metadata: Object.keys(setMetadata).length > 0 || unsetMetadata.length > 0,
  }
}

/** The answers to {@link Lookups}, and the head of the session at the same moment. */
export interface Answers extends Pick<
  SessionView,
  'sessionId' | 'revision' | 'turnCount' | 'agentId' | 'updatedAt' | 'metadata'
> {
  /** By id. */
  readonly turns: ReadonlyMap<string, { readonly turn: TurnRecord; readonly index: number }>
  /** By id. */
  readonly transitions: ReadonlyMap<string, AgentTransitionRecord>
  /** The index of the first turn with each id, as far as it was looked up. */
  readonly firstIndexes: ReadonlyMap<string, number>
}

/** A view for `planChange` that was looked up before. */
export function viewOfAnswers({ turns, transitions, firstIndexes, ...head }: Answers): SessionView {
  return {
    ...head,
    findTurn: turnId => turns.get(turnId),
    firstIndexOfTurn: turnId => firstIndexes.get(turnId) ?? -1,
    findTransition: transitionId => transitions.get(transitionId),
  }
}
