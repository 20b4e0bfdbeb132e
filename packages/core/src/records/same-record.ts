import { sameJson } from '../basics/json.js'
import type { AgentTransitionRecord, TurnRecord } from './models.js'
import { encodeTransition, encodeTurn } from './wire.js'

/** Whether two turns hold the same: equal in all but `startedAt` and `endedAt`, which a retry sets anew. */
export function sameTurn(a: TurnRecord, b: TurnRecord): boolean {
  return (
    a.turnId === b.turnId &&
    a.prompt === b.prompt &&
    sameJson(encodeTurn({ ...a, startedAt: '', endedAt: null }), encodeTurn({ ...b, startedAt: '', endedAt: null }))
  )
}

/**
 * Whether appending `incoming` repeats what `stored` came from: the same turn; or one that came as
 * `running`, with the same agent and prompt, and has grown since.
 */
export function isRetryOfTurn(stored: TurnRecord, incoming: TurnRecord): boolean {
  return sameTurn(stored, incoming) || hasGrownFrom(stored, incoming)
}

/** Growing adds and replaces tool calls and takes none away. */
function hasGrownFrom(stored: TurnRecord, incoming: TurnRecord): boolean {
  return (
    incoming.status === 'running' &&
    stored.agentId === incoming.agentId &&
    stored.prompt === incoming.prompt &&
    incoming.toolCalls.every(call => stored.toolCalls.some(known => known.callId === call.callId))
  )
}

/** Whether two transitions hold the same: equal in all but `timestamp`. */
export function sameTransition(a: AgentTransitionRecord, b: AgentTransitionRecord): boolean {
  return sameJson(encodeTransition({ ...a, timestamp: '' }), encodeTransition({ ...b, timestamp: '' }))
}
