import type { TurnItem, TurnRecord } from '@turnstore/core'
import { type ChangeCondition, type CheckedChange, PartWrite, timeKey } from '@turnstore/core/adapter'
import { exact, listCodes, partValues, rowsOfTurn, type Statement } from '@turnstore/core/adapter/sql'
import { appendedPart, appendTurn, putPart } from '../tables/operations.js'

/*
 * The changes that agents make all the time: one turn is appended; one part is added to an opened turn, or a tool call
 * there gets its result. They are written without a look at the session. The database checks that nothing else is to be
 * decided: that the id is new, the turn is opened, the session has not ended. If there is, it skips them, and they are
 * planned as other changes are.
 */

export interface PlainWrite {
  readonly statements: readonly Statement[]
  /** How many turns it adds. It raises the revision by one. */
  readonly turns: 0 | 1
  /** About the size of what it writes. */
  readonly length: number
}

/** Null for a change that has to be planned. */
export function plainWriteOf(
  change: CheckedChange,
  { idempotency, ifRevision }: ChangeCondition,
  turnBytes: number,
): PlainWrite | null {
  if (idempotency !== undefined || !isPlain(change)) return null
  const { appendTurns, updateTurns } = change
  const [turn] = appendTurns
  const [update] = updateTurns
  const condition = {
    updated_at: exact(change.updatedAt),
    updated_key: timeKey(change.updatedAt),
    if_revision: ifRevision ?? null,
  }
  if (turn !== undefined && appendTurns.length === 1 && updateTurns.length === 0) {
    return plainAppend(turn, { ...condition, reopen: change.reopen ? 1 : 0 })
  }
  if (update === undefined || updateTurns.length !== 1 || appendTurns.length > 0 || !onlyPuts(update)) return null
  const [put] = update.putToolCalls
  const [item] = update.putItems
  if (update.putToolCalls.length + update.putItems.length !== 1) return null
  const part = new PartWrite(put?.call ?? itemOf(item))
  const values = {
    turn_id: exact(update.turnId),
    list: put === undefined ? listCodes.items : listCodes.toolCalls,
    ...partValues(part),
    bytes: part.bytes,
    most_bytes: turnBytes,
  }
  return { statements: [putPart({ ...values, ...condition })], turns: 0, length: part.json.length }
}

function plainAppend(turn: TurnRecord, condition: Record<string, string | number | null>): PlainWrite {
  const { body, opened } = rowsOfTurn(turn)
  const row = {
    turn_id: exact(turn.turnId),
    body,
    tool_calls: opened?.partCounts.toolCalls ?? null,
    items: opened?.partCounts.items ?? null,
    bytes: opened?.bytes ?? null,
  }
  const parts = (opened?.parts ?? []).map(({ list, part }) =>
    appendedPart({ list: listCodes[list], ...partValues(part) }),
  )
  const statements = [appendTurn({ ...row, ...condition }), ...parts]
  return { statements, turns: 1, length: body.length + (opened?.bytes ?? 0) }
}

/** Nothing but turns and their parts. */
function isPlain(change: CheckedChange): boolean {
  const { keepTurns, appendAgentTransitions, setMetadata, unsetMetadata, agentId } = change
  return (
    keepTurns === undefined &&
    appendAgentTransitions.length === 0 &&
    Object.keys(setMetadata).length === 0 &&
    unsetMetadata.length === 0 &&
    agentId === undefined
  )
}

function onlyPuts({
  ifStatus,
  set,
  setMetadata,
  unsetMetadata,
  removeToolCalls,
  removeItems,
}: CheckedChange['updateTurns'][number]): boolean {
  return (
    ifStatus === undefined &&
    Object.keys(set).length === 0 &&
    Object.keys(setMetadata).length === 0 &&
    unsetMetadata.length + removeToolCalls.length + removeItems.length === 0
  )
}

function itemOf(item: TurnItem | undefined): TurnItem {
  if (item === undefined) throw new TypeError('an update without a part')
  return item
}
