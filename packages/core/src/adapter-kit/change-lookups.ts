import type { ChangeCondition } from '../changes/change-options.js'
import type { CheckedChange } from '../changes/change.js'
import type { SessionView } from '../changes/decide-change.js'
import type { RememberedChange } from '../changes/remembered-change.js'
import type { TurnView } from '../changes/turn-view.js'
import type { AgentTransitionRecord, PartCounts, PartList, TurnRecord } from '../records/models.js'
import { idOfPart } from '../records/part-ids.js'

/** What `planChange` may ask about a turn: its head and counts, and each of these. */
export interface TurnLookup {
  readonly turnId: string
  /** The parts with these ids. */
  readonly parts: { readonly [List in PartList]: readonly string[] }
  /** Whether a change removes parts and adds some: then how many parts are at the place of each, and after it. */
  readonly countsFrom: boolean
  /**
   * If a turn with this id is appended: the whole turn, if it has as many parts, or in `any` case. Null if it is not
   * appended.
   */
  readonly wholeIf: PartCounts | 'any' | null
}

/** What `planChange` may ask about a session when it decides on a change. */
export interface Lookups {
  /** For each: the last turn with this id, among the first `before`. */
  readonly turns: readonly TurnLookup[]
  /** The number of turns that the change keeps. Undefined: all. */
  readonly before: number | undefined
  /**
   * For each: the first agent transition with this id; and if `before` is given, the index of the first turn with the
   * `turnId` of that transition.
   */
  readonly transitionIds: readonly string[]
  /** Whether the session's metadata is needed. */
  readonly metadata: boolean
  /** What the session remembers under this key. */
  readonly key: string | undefined
}

/**
 * What to look up before a decision, for a driver that is not synchronous: fetch all of it, and the head of the session,
 * in one round trip and from one moment. Then `viewOfAnswers` and `planChange` run without waiting.
 *
 * @example
 * const answers = await fetchAll(sessionId, lookupsOf(change, condition))
 * const plan = planChange(viewOfAnswers(answers), change, condition, this.limits)
 */
export function lookupsOf(
  change: CheckedChange,
  { idempotency }: Partial<Pick<ChangeCondition, 'idempotency'>> = {},
): Lookups {
  const { appendTurns, appendAgentTransitions, keepTurns, setMetadata, unsetMetadata, reopen } = change
  return {
    turns: turnLookups(change),
    before: keepTurns,
    transitionIds: [...new Set(appendAgentTransitions.flatMap(({ transitionId }) => transitionId ?? []))],
    metadata: Object.keys(setMetadata).length > 0 || unsetMetadata.length > 0 || (reopen && appendTurns.length > 0),
    key: idempotency?.key,
  }
}

function turnLookups({ updateTurns, appendTurns }: CheckedChange): TurnLookup[] {
  const appended = new Set(appendTurns.map(({ turnId }) => turnId))
  return [...new Set([...updateTurns.map(({ turnId }) => turnId), ...appended])].map(turnId => {
    const updates = updateTurns.filter(update => update.turnId === turnId)
    const removed = updates.some(update => update.removeToolCalls.length > 0 || update.removeItems.length > 0)
    const put = updates.some(update => update.putToolCalls.length > 0 || update.putItems.length > 0)
    return {
      turnId,
      parts: {
        toolCalls: unique(
          updates.flatMap(update => [...update.removeToolCalls, ...update.putToolCalls.map(({ call }) => call.callId)]),
        ),
        items: unique(updates.flatMap(update => [...update.removeItems, ...update.putItems.map(idOfPart)])),
      },
      countsFrom: removed && put,
      wholeIf: updates.length > 0 && appended.has(turnId) ? 'any' : countsOfAppended(turnId, appendTurns),
    }
  })
}

function countsOfAppended(turnId: string, appendTurns: readonly TurnRecord[]): PartCounts | 'any' | null {
  const [turn, ...others] = appendTurns.filter(appended => appended.turnId === turnId)
  if (turn === undefined) return null
  return others.length > 0 ? 'any' : { toolCalls: turn.toolCalls.length, items: turn.items.length }
}

function unique(ids: readonly string[]): string[] {
  return [...new Set(ids)]
}

/** The answers to {@link Lookups}, and the head of the session at the same moment. */
export interface Answers extends Pick<
  SessionView,
  'sessionId' | 'revision' | 'turnCount' | 'agentId' | 'updatedAt' | 'metadata'
> {
  /** By id. */
  readonly turns: ReadonlyMap<string, TurnView>
  /** By id. */
  readonly transitions: ReadonlyMap<string, AgentTransitionRecord>
  /** The index of the first turn with each id, as far as it was looked up. */
  readonly firstIndexes: ReadonlyMap<string, number>
  readonly remembered: RememberedChange | undefined
}

/** A view for `planChange` that was looked up before. */
export function viewOfAnswers({ turns, transitions, firstIndexes, remembered, ...head }: Answers): SessionView {
  return {
    ...head,
    findTurn: turnId => turns.get(turnId),
    firstIndexOfTurn: turnId => firstIndexes.get(turnId) ?? -1,
    findTransition: transitionId => transitions.get(transitionId),
    findRemembered: key => (remembered?.key === key ? remembered : undefined),
  }
}
