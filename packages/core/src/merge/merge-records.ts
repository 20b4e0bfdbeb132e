import { laterTime } from '../basics/time.js'
import type { AgentTransitionRecord, SessionRecord, TurnRecord } from '../records/models.js'
import { type Contradict, filled, occurrences, united, unitedExtra, unitedObjects } from './members.js'
import { mergeTransitions } from './merge-transitions.js'
import { mergeTurn, otherTurn } from './merge-turn.js'
import { shown } from './printable-id.js'

export interface Merge {
  readonly merged: SessionRecord
  /** Where the two differ, each place once: `turn 3 (t3): the result of call c1`. Never contains payload. */
  readonly contradictions: readonly string[]
}

/**
 * Adds to a stored session what the incoming one has in addition. Stored values are never removed or replaced, nor
 * are stages that have advanced further. Does not modify its arguments.
 */
export function mergeRecords(stored: SessionRecord, incoming: SessionRecord): Merge {
  const contradictions = new Set<string>()
  const contradict: Contradict = what => void contradictions.add(what)
  const agentId = united(stored.agentId, incoming.agentId, () => contradict('its agent'))
  const parentSessionId = united(stored.parentSessionId, incoming.parentSessionId, () => contradict('its parent'))
  const metadata = unitedObjects(stored.metadata, incoming.metadata, () => contradict('its metadata'))
  const extra = unitedExtra(stored, incoming, () => contradict('unknown members'))
  const { turns, foreign } = mergeTurns(stored.turns, incoming.turns, contradict)
  const merged = {
    ...stored,
    parentSessionId,
    agentId,
    createdAt: filled(stored.createdAt, incoming.createdAt),
    updatedAt: laterTime(filled(stored.updatedAt, incoming.updatedAt), incoming.updatedAt),
    turns,
    agentTransitions: mergeTransitions(
      stored.agentTransitions,
      withoutThoseOf(foreign, incoming.agentTransitions),
      contradict,
    ),
    metadata,
    ...extra,
  }
  return { merged, contradictions: [...contradictions] }
}

interface MergedTurns {
  readonly turns: TurnRecord[]
  /** Incoming turns that belong to another conversation. */
  readonly foreign: readonly TurnRecord[]
}

/** Missing turns are inserted before the next turn that both have, which is at the end in almost every case. */
function mergeTurns(
  stored: readonly TurnRecord[],
  incoming: readonly TurnRecord[],
  contradict: Contradict,
): MergedTurns {
  const keys = occurrences(incoming.map(({ turnId }) => turnId))
  const places = new Map(occurrences(stored.map(({ turnId }) => turnId)).map((key, index) => [key, index]))
  const merged = stored.map(turn => ({ missing: noTurns, turn, problems: noProblems }))
  let missing: TurnRecord[] = []
  let foreign: readonly TurnRecord[] = []
  for (const [index, turn] of incoming.entries()) {
    const place = places.get(keys[index] ?? '')
    const known = place === undefined ? undefined : merged[place]
    if (known === undefined) {
      missing.push(turn)
      continue
    }
    known.missing = missing
    missing = []
    const other = otherTurn(known.turn, turn)
    if (other !== null) {
      known.problems = [`, which has ${other}`]
      foreign = incoming.slice(index)
      break
    }
    const problems: string[] = []
    known.turn = mergeTurn(known.turn, turn, place === stored.length - 1, what => problems.push(`: ${what}`))
    known.problems = problems
  }
  const turns: TurnRecord[] = []
  for (const { missing, turn, problems } of merged) {
    for (const each of missing) turns.push(each)
    turns.push(turn)
    for (const problem of problems) contradict(`turn ${turns.length} (${shown(turn.turnId)})${problem}`)
  }
  return { turns: turns.concat(missing), foreign }
}

const noTurns: readonly TurnRecord[] = []
const noProblems: readonly string[] = []

function withoutThoseOf(
  foreign: readonly TurnRecord[],
  transitions: readonly AgentTransitionRecord[],
): readonly AgentTransitionRecord[] {
  const ids = new Set(foreign.map(({ turnId }) => turnId))
  return transitions.filter(({ turnId }) => !ids.has(turnId))
}
