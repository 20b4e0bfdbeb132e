import type { JsonObject, TurnRecord } from '@turnstore/core'
import { isJsonObject } from '@turnstore/core/adapter'
import { writableFormat } from '@turnstore/formats'

export const FORMAT = 'openai-agents'

const format = writableFormat(FORMAT)

/** The turns of items, in order. What a reader does not know is kept in its item. */
export function turnsOf(items: readonly JsonObject[], turnId?: (index: number) => string): TurnRecord[] {
  return format.toTurns(items, { onProblem() {}, ...(turnId === undefined ? {} : { turnId }) })
}

/** The items of turns, whoever recorded them. */
export function itemsOf(turns: readonly TurnRecord[]): JsonObject[] {
  return format.fromTurns(turns).messages
}

/** Whether the items of a turn are all this SDK's, so that more can be added to it. */
export function isOwn({ items }: TurnRecord): boolean {
  return items.length > 0 && items.every(item => item.format === FORMAT && isJsonObject(item.value))
}

/** The items of a turn that is this SDK's own. */
export function ownItems({ items }: TurnRecord): { itemId: string; value: JsonObject }[] {
  return items.flatMap(({ itemId, value }) => (isJsonObject(value) ? [{ itemId, value }] : []))
}

/** What this package keeps in the metadata of a turn. */
export function notesOf({ metadata }: Pick<TurnRecord, 'metadata'>): JsonObject {
  const notes = metadata[FORMAT]
  return isJsonObject(notes) ? notes : {}
}

/** Whether a user message would still belong to the turn of these items, as only system messages came before. */
export function isOpening(items: readonly JsonObject[]): boolean {
  return turnsOf([...items, { role: 'user', content: '' }]).length === 1
}

/** What correlates a call and its result; '' for other items. */
export function callKey(item: JsonObject): string {
  const { callId, id } = item
  if (typeof callId === 'string' && callId !== '') return callId
  return typeof id === 'string' ? id : ''
}

export function isCall({ type }: JsonObject): boolean {
  return typeof type === 'string' && (type.endsWith('_call') || type === 'program')
}

export function isResult({ type }: JsonObject): boolean {
  return typeof type === 'string' && /_call_(?:result|output)$|^(?:tool_search|program)_output$/.test(type)
}

export function isFunctionResult({ type }: JsonObject): boolean {
  return type === 'function_call_result'
}
