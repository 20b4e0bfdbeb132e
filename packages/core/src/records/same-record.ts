import { sameJson } from '../basics/json.js'
import { encodeItem, encodeToolCall, encodeTransition, encodeTurn, encodeTurnHead } from './encode-record.js'
import type { AgentTransitionRecord, ToolCallRecord, TurnHead, TurnItem, TurnRecord } from './models.js'

/** Whether two turns are equal, except for `startedAt` and `endedAt`, which a retry sets again. */
export function sameTurn(a: TurnRecord, b: TurnRecord): boolean {
  return (
    a.turnId === b.turnId &&
    a.prompt === b.prompt &&
    sameJson(encodeTurn({ ...a, startedAt: '', endedAt: null }), encodeTurn({ ...b, startedAt: '', endedAt: null }))
  )
}

/**
 * Whether appending `incoming` is a retry of the append that created `stored`. Either the turns are equal, or `incoming`
 * is `running` with the same agent and prompt: whatever its parts are, they may have changed since.
 */
export function isRetryOfTurn(stored: TurnRecord, incoming: TurnRecord): boolean {
  return hasBegunAs(stored, incoming) || sameTurn(stored, incoming)
}

/** Whether `incoming` is the beginning of `stored`, which needs no look at the parts. */
export function hasBegunAs(stored: TurnHead, incoming: TurnHead): boolean {
  return incoming.status === 'running' && stored.agentId === incoming.agentId && stored.prompt === incoming.prompt
}

/** Whether two heads are equal, their times included. */
export function sameHead(a: TurnHead, b: TurnHead): boolean {
  return sameJson(encodeTurnHead(a), encodeTurnHead(b))
}

/** Whether two parts of one list are equal. */
export function samePart(a: ToolCallRecord | TurnItem, b: ToolCallRecord | TurnItem): boolean {
  if ('callId' in a) return 'callId' in b && sameJson(encodeToolCall(a), encodeToolCall(b))
  return 'itemId' in b && sameJson(encodeItem(a), encodeItem(b))
}

/** Whether two agent transitions are equal, except for `timestamp`. */
export function sameTransition(a: AgentTransitionRecord, b: AgentTransitionRecord): boolean {
  return sameJson(encodeTransition({ ...a, timestamp: '' }), encodeTransition({ ...b, timestamp: '' }))
}
