import type { ChangeResult, ToolCallRecord, TurnItem } from '@turnstore/core'
import {
  type ChangeCondition,
  type CheckedChange,
  type CheckedTurnUpdate,
  checkSameChange,
  encodeTransition,
  idOfPart,
  partJson,
} from '@turnstore/core/adapter'
import { keyField, scopeField, transitionField, turnField } from '../format/keyspace.js'
import { callDigest, NO_CALL, partDigest } from '../format/part-entry.js'
import { partName } from '../format/part-names.js'
import { decodeRememberedText } from '../format/remembered-text.js'
import { encodeStoredTurn } from '../format/stored-turn.js'

/*
 * Changes that the script `change` decides itself: appends of turns and transitions, and an update of one turn that puts
 * parts or removes some. What a script would have to merge, such as metadata, the client decides.
 */

export interface NativeChange {
  readonly change: CheckedChange
  readonly condition: ChangeCondition
}

/** The result of a change. 'decide' if the script left the decision to the client. */
export type ChangeOutcome = ChangeResult | 'missing' | 'elsewhere' | 'decide'

export function isNative(change: CheckedChange): boolean {
  const { appendTurns, appendAgentTransitions, updateTurns } = change
  const [update] = updateTurns
  return (
    appendTurns.length + appendAgentTransitions.length + updateTurns.length > 0 &&
    change.keepTurns === undefined &&
    change.agentId === undefined &&
    change.unsetMetadata.length === 0 &&
    isEmpty(change.setMetadata) &&
    updateTurns.length <= 1 &&
    (update === undefined || (isStep(update) && !appendTurns.some(({ turnId }) => turnId === update.turnId))) &&
    areUnique(appendTurns.map(({ turnId }) => turnId)) &&
    areUnique(appendAgentTransitions.flatMap(({ transitionId }) => transitionId ?? []))
  )
}

/** Whether an update only puts parts, or only removes some. A part that is removed and put again may get back its place. */
function isStep(update: CheckedTurnUpdate): boolean {
  const { removeToolCalls, removeItems, putToolCalls, putItems } = update
  const removals = removeToolCalls.length + removeItems.length
  const puts = putToolCalls.length + putItems.length
  return (
    update.ifStatus === undefined &&
    isEmpty(update.set) &&
    isEmpty(update.setMetadata) &&
    update.unsetMetadata.length === 0 &&
    (removals === 0) !== (puts === 0) &&
    areUnique(removeToolCalls) &&
    areUnique(removeItems) &&
    areUnique(putToolCalls.map(({ call }) => call.callId)) &&
    areUnique(putItems.map(idOfPart))
  )
}

function isEmpty(members: object): boolean {
  for (const _name in members) return false
  return true
}

function areUnique(ids: readonly string[]): boolean {
  return ids.length < 2 || new Set(ids).size === ids.length
}

/** Adds the items and the values of a change to the arguments of the script. */
export function encodeNativeChange(
  { change, condition }: NativeChange,
  time: string,
  turnBytes: number,
  items: string[],
  values: (string | number)[],
): void {
  const { appendTurns, appendAgentTransitions, updateTurns } = change
  const { idempotency, ifRevision } = condition
  const turns = appendTurns.map(turn => ({ turn, stored: encodeStoredTurn(turn) }))
  values.push(scopeField(condition.scope), JSON.stringify(change.updatedAt), time)
  const [first] = turns
  // Most changes append one turn, and nothing else.
  const isOneTurn = turns.length === 1 && updateTurns.length + appendAgentTransitions.length === 0
  if (isOneTurn && first?.stored.token === '' && idempotency === undefined && ifRevision === undefined) {
    items.push(turnField(first.turn.turnId))
    values.push('', first.stored.text)
    return
  }
  const counts = [turns.length, appendAgentTransitions.length, updateTurns.length, idempotency === undefined ? 0 : 1]
  values.push([...counts, ifRevision ?? ''].join(' '))
  if (idempotency !== undefined) values.push(keyField(idempotency.key), JSON.stringify(idempotency))
  for (const update of updateTurns) {
    items.push(turnField(update.turnId))
    values.push(turnBytes)
    pushStep(update, values)
  }
  for (const { turn, stored } of turns) {
    const { text, token, values: parts } = stored
    items.push(turnField(turn.turnId))
    values.push(text, token === '' ? '' : `${token} ${turn.status === 'running' ? 'running' : 'done'} ${parts.length}`)
    // Not as arguments of one call: there may be too many.
    for (const part of parts) values.push(part)
  }
  for (const transition of appendAgentTransitions) {
    items.push(transitionField(transition.transitionId))
    values.push(JSON.stringify(encodeTransition(transition)))
  }
}

function pushStep(
  { removeToolCalls, removeItems, putToolCalls, putItems }: CheckedTurnUpdate,
  values: (string | number)[],
) {
  values.push(removeToolCalls.length + removeItems.length, putToolCalls.length + putItems.length)
  for (const id of removeToolCalls) values.push(partName('toolCalls', id))
  for (const id of removeItems) values.push(partName('items', id))
  for (const { call, replace } of putToolCalls) pushPut(partName('toolCalls', call.callId), call, replace, values)
  for (const item of putItems) pushPut(partName('items', item.itemId), item, true, values)
}

function pushPut(name: string, part: ToolCallRecord | TurnItem, replace: boolean, values: (string | number)[]): void {
  const json = partJson(part)
  const call = 'callId' in part ? callDigest(part) : NO_CALL
  const finished = 'callId' in part && part.status !== 'running' ? call : NO_CALL
  values.push(name, Buffer.byteLength(json), partDigest(part), call, finished, replace ? 1 : '', json)
}

/** Reads what the script returned for a change. An error is that of this change alone. */
export function nativeOutcome(
  sessionId: string,
  { change, condition }: NativeChange,
  text: string,
): ChangeOutcome | Error {
  if (text.startsWith('known ')) {
    try {
      return replayed(sessionId, condition, text.slice('known '.length))
    } catch (error) {
      return error instanceof Error ? error : new Error('a remembered change cannot be read')
    }
  }
  const [status, revision, turnCount, repeated = ''] = text.split(' ')
  if (status === 'elsewhere') return 'elsewhere'
  if (status !== 'ok' && status !== 'same') return 'decide'
  const places = repeated === '' ? [] : repeated.split(',').map(Number)
  return {
    revision: Number(revision),
    turnCount: Number(turnCount),
    deduplicated: places.flatMap(place => change.appendTurns[place]?.turnId ?? []),
  }
}

/** @throws `IDEMPOTENCY_KEY_CONFLICT`, `CORRUPT_SESSION` */
function replayed(sessionId: string, { idempotency }: ChangeCondition, text: string): ChangeResult {
  const known = decodeRememberedText(sessionId, text)
  if (idempotency !== undefined) checkSameChange(sessionId, known, idempotency)
  return { ...known.result, replayed: true }
}
