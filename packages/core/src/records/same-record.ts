import { sameJson } from '../basics/json.js'
import type { AgentTransitionRecord, TurnRecord } from './models.js'
import { encodeTransition, encodeTurn } from './wire.js'

/** Whether two turns are equal, except for `startedAt` and `endedAt`, which a retry sets again. */
export function sameTurn(a: TurnRecord, b: TurnRecord): boolean {
  return (
    a.turnId === b.turnId &&
    a.prompt === b.prompt &&
    sameJson(encodeTurn({ ...a, startedAt: '', endedAt: null }), encodeTurn({ ...b, startedAt: '', endedAt: null }))
  )
}

/**
 * Whether appending `incoming` is a retry of the append that created `stored`. Either the turns are equal,
 * or `incoming` is `running` with the same agent and prompt, and `stored` has grown since.
 */
export function isRetryOfTurn(stored: TurnRecord, incoming: TurnRecord): boolean {
  return sameTurn(stored, incoming) || hasGrownFrom(stored, incoming)
}

/** A turn grows by adding and replacing tool calls. It never loses one. */
function hasGrownFrom(stored: TurnRecord, incoming: TurnRecord): boolean {
  return (
    incoming.status === 'running' &&
    stored.agentId === incoming.agentId &&
    stored.prompt === incoming.prompt &&
    incoming.toolCalls.every(call => stored.toolCalls.some(known => known.callId === call.callId))
  )
}

/** Whether two agent transitions are equal, except for `timestamp`. */
export function sameTransition(a: AgentTransitionRecord, b: AgentTransitionRecord): boolean {
  return sameJson(encodeTransition({ ...a, timestamp: '' }), encodeTransition({ ...b, timestamp: '' }))
}
