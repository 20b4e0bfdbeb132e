import type { JsonObject, TurnRecord, TurnUpdate } from '@turnstore/core'
import { callKey, isCall, isOwn, isResult, ownItems, turnsOf } from '../items/format.js'
import type { TurnState } from './turn-state.js'

/** Whether a result may answer a call of an earlier turn: the user went on before a call was approved. */
export function hasLateResult(open: TurnState | null, added: readonly JsonObject[]): boolean {
  const waiting = (open?.openCalls ?? []).map(callKey)
  return added.some(item => {
    if (isCall(item)) waiting.push(callKey(item))
    if (!isResult(item)) return false
    const at = waiting.indexOf(callKey(item))
    if (at === -1) return true
    // Turns may repeat an id: each result answers one call.
    waiting.splice(at, 1)
    return false
  })
}

/**
 * The calls of earlier turns that added items answer.
 * @param turns all turns
 */
export function lateResults(
  turns: readonly TurnRecord[],
  openTurnId: string | undefined,
  added: readonly JsonObject[],
): TurnUpdate[] {
  const own = turns.filter(isOwn)
  const items = own.flatMap(turn => ownItems(turn).map(({ value }) => value))
  const read = turnsOf([...items, ...added], index => own[index]?.turnId ?? crypto.randomUUID())
  return own.flatMap((turn, index): TurnUpdate[] => {
    if (turn.turnId === openTurnId || read[index]?.items.length !== turn.items.length) return []
    const waiting = new Set(turn.toolCalls.filter(({ status }) => status === 'running').map(({ callId }) => callId))
    const answered = read[index].toolCalls.filter(({ callId, status }) => status !== 'running' && waiting.has(callId))
    if (answered.length === 0) return []
    return [{ turnId: turn.turnId, putToolCalls: answered.map(call => ({ ...call, replace: true })) }]
  })
}
