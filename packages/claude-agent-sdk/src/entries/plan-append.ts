import type { JsonObject, ToolCallRecord, TurnRecord, TurnUpdate } from '@turnstore/core'
import { answered, answeredIn, calledIn, turnOf } from './format.js'
import type { NamedEntry } from './numbering.js'

/** A turn whose calls wait for their results. */
export interface Caller {
  readonly turnId: string
  readonly calls: ReadonlyMap<string, ToolCallRecord>
}

/** The callers of a session, by the id of each call. */
export type OpenCalls = ReadonlyMap<string, Caller>

export interface AppendPlan {
  readonly appendTurns: TurnRecord[]
  readonly updateTurns: TurnUpdate[]
  /** What waits for its result once this is stored: only the calls of the batch. */
  readonly opened: Map<string, Caller>
  /** The calls that the batch has answered. */
  readonly answered: Set<string>
}

export interface AppendContext {
  readonly agentId: string | null
  /** The calls that wait for their results. */
  readonly open: OpenCalls
  /** Turns that are stored already and are not to be appended. */
  readonly stored: ReadonlyMap<string, TurnRecord>
}

/**
 * One entry is one turn. A batch cannot be the unit, since a replay comes in others; an exchange cannot, since a replay
 * may begin in the middle of any, and to find it the session would have to be read. The result of a call is put into
 * the turn that made it, so that readers of any SDK see the call with its result.
 */
export function planAppend(batch: readonly NamedEntry[], { agentId, open, stored }: AppendContext): AppendPlan {
  const appended = new Map<string, TurnRecord>()
  const updates = new Map<string, ToolCallRecord[]>()
  const callers = new Map(open)
  const done = new Set<string>()
  for (const { entry, turnId } of batch) {
    for (const callId of answeredIn(entry)) {
      const caller = callers.get(callId)
      const call = caller?.calls.get(callId)
      if (caller === undefined || call === undefined) continue
      const turn = appended.get(caller.turnId)
      const result = answered(call, entry)
      if (turn === undefined) updates.set(caller.turnId, [...(updates.get(caller.turnId) ?? []), result])
      else appended.set(caller.turnId, withAnswer(turn, result, entry))
      callers.delete(callId)
      done.add(callId)
    }
    const turn = stored.get(turnId) ?? turnOf(entry, turnId, agentId)
    if (!stored.has(turnId) && !appended.has(turnId)) appended.set(turnId, turn)
    for (const [callId, caller] of callersIn(turn)) if (!done.has(callId)) callers.set(callId, caller)
  }
  return {
    appendTurns: [...appended.values()],
    updateTurns: [...updates].map(([turnId, calls]) => updateOf(turnId, calls, open)),
    opened: new Map([...callers].filter(([callId, caller]) => open.get(callId) !== caller)),
    answered: done,
  }
}

/** The calls of a turn that wait for their results. */
export function callersIn({ turnId, toolCalls }: TurnRecord): Map<string, Caller> {
  const calls = new Map(toolCalls.filter(({ status }) => status === 'running').map(call => [call.callId, call]))
  return new Map([...calls.keys()].map(callId => [callId, { turnId, calls }]))
}

/** The entries of a batch with results of calls that are neither in it nor known. */
export function withoutCaller(batch: readonly NamedEntry[], open: OpenCalls): JsonObject[] {
  const made = new Set(batch.flatMap(({ entry }) => calledIn(entry)))
  const isKnown = (callId: string): boolean => open.has(callId) || made.has(callId)
  return batch.flatMap(({ entry }) => (answeredIn(entry).every(isKnown) ? [] : [entry]))
}

function withAnswer(turn: TurnRecord, result: ToolCallRecord, { timestamp }: JsonObject): TurnRecord {
  const toolCalls = turn.toolCalls.map(call => (call.callId === result.callId ? result : call))
  const isRunning = toolCalls.some(({ status }) => status === 'running')
  const endedAt = typeof timestamp === 'string' && timestamp !== '' ? timestamp : turn.startedAt || null
  return { ...turn, toolCalls, ...(isRunning ? {} : { status: 'success', endedAt }) }
}

function updateOf(turnId: string, results: readonly ToolCallRecord[], open: OpenCalls): TurnUpdate {
  const calls = new Set(open.get(results[0]?.callId ?? '')?.calls.keys())
  for (const { callId } of results) calls.delete(callId)
  const isDone = [...calls].every(callId => open.get(callId)?.turnId !== turnId)
  const set = isDone ? { set: { status: 'success', endedAt: new Date().toISOString() } } : {}
  return { turnId, ...set, putToolCalls: results.map(call => ({ ...call, replace: true })) }
}
