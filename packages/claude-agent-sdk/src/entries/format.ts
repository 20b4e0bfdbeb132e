import type { JsonObject, ToolCallRecord, TurnRecord } from '@turnstore/core'
import { isJsonObject, isValidId } from '@turnstore/core/adapter'
import { writableFormat } from '@turnstore/formats'

export const FORMAT = 'claude-code'

const format = writableFormat(FORMAT)

/** An item of a turn that is an entry. */
export interface StoredEntry {
  readonly itemId: string
  readonly value: JsonObject
}

/** The entries that a turn holds. */
export function entriesIn({ items }: TurnRecord): StoredEntry[] {
  return items.flatMap(({ itemId, format: name, value }) =>
    name === FORMAT && isJsonObject(value) ? [{ itemId, value }] : [],
  )
}

/** Whether all items of a turn are entries, so that more can be added to it. */
export function isOwn(turn: TurnRecord): boolean {
  return turn.items.length > 0 && entriesIn(turn).length === turn.items.length
}

/** The uuid of an entry, if it can be the id of an item. */
export function uuidOf({ uuid }: JsonObject): string | null {
  return isValidId(uuid) ? uuid : null
}

/**
 * The entries of a session: its own exactly as they were, and what another SDK recorded in the form in which the SDK can
 * resume it.
 */
export function entriesOf(turns: readonly TurnRecord[], sessionId: string): JsonObject[] {
  // Without their calls, turns of this format give their entries and nothing else.
  const asItems = turns.map(turn => (entriesIn(turn).length === 0 ? turn : { ...turn, toolCalls: [] }))
  return format.fromTurns(asItems, { sessionId }).messages
}

/** The turns of entries, in order. What a reader does not know is kept in its item. */
export function turnsOf(entries: readonly JsonObject[], turnId?: (index: number) => string): TurnRecord[] {
  return format.toTurns(entries, { onProblem() {}, ...(turnId === undefined ? {} : { turnId }) })
}

/** What the user asks in an entry; '' if nothing. */
export function promptOf(entry: JsonObject): string {
  return turnsOf([entry])[0]?.prompt ?? ''
}

/** Whether a prompt would still belong to the turn of these entries, as nobody has said anything yet. */
export function isOpening(entries: readonly JsonObject[]): boolean {
  return turnsOf([...entries, question]).length === 1
}

/** The ids of the calls whose results an entry has. */
export function answeredIn({ message }: JsonObject): string[] {
  if (!isJsonObject(message) || !Array.isArray(message.content)) return []
  return message.content.flatMap(block => {
    const id = isJsonObject(block) ? block.tool_use_id : undefined
    return typeof id === 'string' && id !== '' ? [id] : []
  })
}

/** A call with the result that an entry has of it. */
export function answered(call: ToolCallRecord, entry: JsonObject): ToolCallRecord {
  const [first] = turnsOf([calling(call), entry])
  return first?.toolCalls.find(({ callId }) => callId === call.callId) ?? call
}

/** An entry that makes a call. */
export function calling({ callId: id, toolName: name, arguments: input }: ToolCallRecord): JsonObject {
  return said('assistant', [{ type: 'tool_use', id, name, input }])
}

/** Entries for a reader that has not read those before. */
export const question: JsonObject = said('user', '')
export const answer: JsonObject = said('assistant', '')
export const note: JsonObject = { type: 'mode', sessionId: 'made' }

function said(type: string, content: JsonObject[string]): JsonObject {
  return { type, uuid: 'made', sessionId: 'made', message: { role: type, content } }
}
