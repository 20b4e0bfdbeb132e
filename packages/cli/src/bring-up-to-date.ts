import { isDeepStrictEqual } from 'node:util'
import {
  type AgentTransitionRecord,
  type ChatMessage,
  isTurnstoreError,
  type JsonObject,
  messagesFromTurns,
  NO_RESULT,
  type SessionChange,
  type SessionRecord,
  type SessionStore,
  type TurnRecord,
} from '@turnstore/core'
import { isRetryOfTurn, type NormalTurnUpdate, sameTransition, sameTurn, updateTurn } from '@turnstore/core/adapter'

/** What became of a session that was brought to a store. */
export type Outcome = 'added' | 'grown' | 'unchanged'

/**
 * How a stored session relates to one that comes: nothing is missing, something is to be added, it holds more
 * already, or it holds something else.
 */
export type Comparison =
  | { readonly kind: 'same' | 'ahead' }
  | { readonly kind: 'behind'; readonly change: Omit<SessionChange, 'updatedAt'> }
  | { readonly kind: 'other'; readonly where: string }

export type Compare = (stored: SessionRecord, incoming: SessionRecord) => Comparison

/** The session is there with other content. It is left as it is. */
export class OtherContent extends Error {}

/** Somebody else who changes the session all the time wins in the end. */
const ATTEMPTS = 20

/**
 * Brings a session to a store: creates it, or adds what is missing. Nothing that the store has is taken away or
 * altered but for the growth of its last turn. Any number may do so at once.
 *
 * @throws {OtherContent}; errors of the store, `SESSION_EXISTS` where another workspace holds the id
 */
export async function bringUpToDate(store: SessionStore, incoming: SessionRecord, compare: Compare): Promise<Outcome> {
  const { sessionId, workspaceId } = incoming
  for (let attempt = 1; ; attempt++) {
    try {
      const stored = await store.loadSession(sessionId, { workspaceId })
      if (stored === null) {
        await store.saveSession(incoming, { ifRevision: 0 })
        return 'added'
      }
      const comparison = compare(stored, incoming)
      if (comparison.kind === 'other') throw new OtherContent(comparison.where)
      if (comparison.kind !== 'behind') return 'unchanged'
      await store.changeSession(
        sessionId,
        { ...comparison.change, updatedAt: incoming.updatedAt },
        { workspaceId, ifRevision: stored.revision },
      )
      return 'grown'
    } catch (error) {
      // Somebody was there between the two looks.
      const isOvertaken = isTurnstoreError(error, 'REVISION_CONFLICT') || isTurnstoreError(error, 'SESSION_NOT_FOUND')
      if (!isOvertaken || attempt === ATTEMPTS) throw error
    }
  }
}

/**
 * A transcript is compared by what was said: its last stored turn may have gone on. Metadata that it has in
 * addition is taken over; where it differs the transcript is right if it has grown, else the store.
 */
export function compareTranscript(stored: SessionRecord, incoming: SessionRecord): Comparison {
  const turns = compareTurns(stored.turns, incoming.turns, { isSame: sameTurn, hasGrown: hasGoneOn })
  if (turns.kind === 'other' || turns.kind === 'ahead') return turns
  const setMetadata = differingMembers(stored.metadata, incoming.metadata, turns.kind === 'same')
  if (Object.keys(setMetadata).length === 0) return turns
  return { kind: 'behind', change: { ...(turns.kind === 'behind' ? turns.change : {}), setMetadata } }
}

/** A session is compared in all but its revision and the time of its last change. Only what is missing is added. */
export function compareSession(stored: SessionRecord, incoming: SessionRecord): Comparison {
  const other = ['parentSessionId', 'createdAt', 'extra'].find(
    name => !isDeepStrictEqual(memberOf(stored, name), memberOf(incoming, name)),
  )
  if (other !== undefined) return { kind: 'other', where: `its ${other}` }
  if (stored.agentId !== null && stored.agentId !== incoming.agentId) return { kind: 'other', where: 'its agentId' }
  const key = Object.keys(stored.metadata).find(
    each => !isDeepStrictEqual(memberOf(stored.metadata, each), memberOf(incoming.metadata, each)),
  )
  if (key !== undefined) return { kind: 'other', where: 'its metadata' }

  const turns = compareTurns(stored.turns, incoming.turns, {
    isSame: isDeepStrictEqual,
    hasGrown: (before, after) => isRetryOfTurn(after, before),
  })
  if (turns.kind === 'other' || turns.kind === 'ahead') return turns
  const transitions = missingTransitions(stored.agentTransitions, incoming.agentTransitions)
  if (transitions === null) return { kind: 'other', where: 'its agent transitions' }
  const setMetadata = differingMembers(stored.metadata, incoming.metadata, true)
  const change = {
    ...(turns.kind === 'behind' ? turns.change : {}),
    ...(transitions.length === 0 ? {} : { appendAgentTransitions: transitions }),
    ...(Object.keys(setMetadata).length === 0 ? {} : { setMetadata }),
    ...(stored.agentId === incoming.agentId ? {} : { agentId: incoming.agentId }),
  }
  return Object.keys(change).length === 0 ? { kind: 'same' } : { kind: 'behind', change }
}

interface TurnRules {
  readonly isSame: (a: TurnRecord, b: TurnRecord) => boolean
  /** Whether a turn is an earlier stage of another with the same id. */
  readonly hasGrown: (before: TurnRecord, after: TurnRecord) => boolean
}

function compareTurns(stored: readonly TurnRecord[], incoming: readonly TurnRecord[], rules: TurnRules): Comparison {
  const { isSame, hasGrown } = rules
  const grows = (before: TurnRecord, after: TurnRecord): boolean =>
    before.turnId === after.turnId && hasGrown(before, after)
  const appendTurns = incoming.slice(stored.length)
  const repeated = repeatedFrom(stored.length, incoming.map(({ turnId }) => turnId))
  if (repeated !== -1) return { kind: 'other', where: `turn ${repeated + 1}, whose id one before it has` }
  for (const [index, before] of stored.entries()) {
    const after = incoming[index]
    if (after === undefined) break
    if (isSame(before, after)) continue
    if (index === stored.length - 1 && grows(before, after)) {
      const update = updateOf(before, after)
      // Of two calls with one id an update means the last, so not every turn that has them can be reached.
      if (!isDeepStrictEqual(updateTurn(before, update), after)) return { kind: 'other', where: `turn ${index + 1}` }
      return { kind: 'behind', change: { updateTurns: [update], appendTurns } }
    }
    if (index === incoming.length - 1 && grows(after, before)) return { kind: 'ahead' }
    return { kind: 'other', where: `turn ${index + 1}` }
  }
  if (stored.length > incoming.length) return { kind: 'ahead' }
  return appendTurns.length === 0 ? { kind: 'same' } : { kind: 'behind', change: { appendTurns } }
}

/** Whether a turn says what another did, and perhaps more behind it. Calls may have been answered since. */
function hasGoneOn(before: TurnRecord, after: TurnRecord): boolean {
  const isOpen = (index: number): boolean => before.toolCalls[index]?.status === 'running'
  const unanswered = after.toolCalls.map((call, index) =>
    isOpen(index) ? { ...call, result: null, error: null, status: 'running' } : call,
  )
  const now = saidIn({ ...after, toolCalls: unanswered })
  return saidIn(before).every((message, index) => isDeepStrictEqual(message, now[index]))
}

/** Without what stands for results that are not there: where those will stand, shows when they come. */
function saidIn(turn: TurnRecord): ChatMessage[] {
  return messagesFromTurns([turn]).filter(({ role, content }) => role !== 'tool' || content !== NO_RESULT)
}

/**
 * The first place from which on a list has an id again, -1 where there is none. What an old file repeats goes in with
 * a whole record, but no change appends it.
 */
function repeatedFrom(start: number, ids: readonly (string | null)[]): number {
  const known = new Set<string>()
  return ids.findIndex((id, index) => {
    if (id === null) return false
    if (index >= start && known.has(id)) return true
    known.add(id)
    return false
  })
}

/** What is to be set for one turn to become another with the same id. */
function updateOf(before: TurnRecord, after: TurnRecord): NormalTurnUpdate {
  const { turnId, toolCalls, extra = {}, ...members } = after
  const putToolCalls = toolCalls.filter((call, place) => !isDeepStrictEqual(before.toolCalls[place], call))
  return { turnId, set: { ...members, extra }, putToolCalls }
}

/** Those behind the ones that are there; null where those are others. */
function missingTransitions(
  stored: readonly AgentTransitionRecord[],
  incoming: readonly AgentTransitionRecord[],
): AgentTransitionRecord[] | null {
  const isSame = stored.every((transition, index) => {
    const other = incoming[index]
    return other !== undefined && sameTransition(transition, other)
  })
  const isRepeated = repeatedFrom(stored.length, incoming.map(({ transitionId }) => transitionId)) !== -1
  return isSame && !isRepeated ? incoming.slice(stored.length) : null
}

function differingMembers(stored: JsonObject, incoming: JsonObject, onlyMissing: boolean): JsonObject {
  return Object.fromEntries(
    Object.entries(incoming).filter(([key, value]) =>
      onlyMissing ? !Object.hasOwn(stored, key) : !isDeepStrictEqual(memberOf(stored, key), value),
    ),
  )
}

function memberOf(object: object, name: string): unknown {
  return Object.hasOwn(object, name) ? Reflect.get(object, name) : undefined
}
