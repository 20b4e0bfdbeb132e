import type { JsonObject, ToolCallRecord, TurnRecord } from '@turnstore/core'
import { isJsonObject, isValidId } from '@turnstore/core/adapter'
import { type Format, formatByName } from '@turnstore/formats'

export const FORMAT = 'claude-code'

const format = formatByName(FORMAT)

/** The entry that a turn holds; null for a turn that another SDK recorded. */
export function entryIn({ items }: TurnRecord): JsonObject | null {
  for (const item of items) if (item.format === FORMAT && isJsonObject(item.value)) return item.value
  return null
}

/** The uuid of an entry, if it can be the id of a turn. */
export function uuidOf({ uuid }: JsonObject): string | null {
  return isValidId(uuid) ? uuid : null
}

/**
 * The entries of a session: its own exactly as they were, and what another SDK recorded in the form in which the SDK can
 * resume it.
 */
export function entriesOf(turns: readonly TurnRecord[], sessionId: string): JsonObject[] {
  // Without their calls, turns of this format give their entries and nothing else.
  const asItems = turns.map(turn => (entryIn(turn) === null ? turn : { ...turn, toolCalls: [] }))
  return known(format).fromTurns?.(asItems, { sessionId }).messages ?? []
}

/**
 * The turn of an entry. What is asked and answered stands in its head and calls, for readers of other SDKs. A turn with
 * a call is running until the result comes in a later entry, and a replay of it is then known by its beginning.
 */
export function turnOf(entry: JsonObject, turnId: string, agentId: string | null): TurnRecord {
  const [read] = turnsOf([entry], turnId)
  const { model } = read?.metadata ?? {}
  const startedAt = read?.startedAt ?? ''
  const toolCalls = read?.toolCalls ?? []
  const isRunning = toolCalls.some(({ status }) => status === 'running')
  return {
    turnId,
    agentId,
    prompt: read?.prompt ?? '',
    responseContent: read?.responseContent ?? null,
    toolCalls,
    items: [{ itemId: `${FORMAT}:0`, format: FORMAT, value: entry }],
    startedAt,
    endedAt: isRunning || startedAt === '' ? null : startedAt,
    status: isRunning ? 'running' : 'success',
    error: null,
    auditEventIds: [],
    // Not the usage: each entry of a message repeats that of the whole.
    metadata: model === undefined ? {} : { model },
  }
}

/** What the user asks in an entry; '' if nothing. */
export function promptOf(entry: JsonObject): string {
  return turnsOf([entry], 'made')[0]?.prompt ?? ''
}

/** The ids of the calls that an entry makes. */
export function calledIn(entry: JsonObject): string[] {
  return idsIn(entry, 'id')
}

/** The ids of the calls whose results an entry has. */
export function answeredIn(entry: JsonObject): string[] {
  return idsIn(entry, 'tool_use_id')
}

function idsIn({ message }: JsonObject, name: 'id' | 'tool_use_id'): string[] {
  if (!isJsonObject(message) || !Array.isArray(message.content)) return []
  return message.content.flatMap(block => {
    const id = isJsonObject(block) ? block[name] : undefined
    return typeof id === 'string' && id !== '' ? [id] : []
  })
}

/** The uuid of the entry before: that which made the calls whose results an entry has, if it says so. */
export function callerOf({ sourceToolAssistantUUID: source, parentUuid }: JsonObject): string | null {
  return isValidId(source) ? source : isValidId(parentUuid) ? parentUuid : null
}

/** A call with the result that an entry has of it. */
export function answered(call: ToolCallRecord, entry: JsonObject): ToolCallRecord {
  const { callId: id, toolName: name, arguments: input } = call
  const content = [{ type: 'tool_use', id, name, input }]
  const made = { type: 'assistant', uuid: 'made', sessionId: 'made', message: { role: 'assistant', content } }
  const [first] = turnsOf([made, entry], 'made')
  return first?.toolCalls.find(({ callId }) => callId === id) ?? call
}

/** A reader reports what it does not know, and keeps it: here nothing is lost by it. */
function turnsOf(entries: readonly JsonObject[], turnId: string): TurnRecord[] {
  return known(format).toTurns(entries, { turnId: index => (index === 0 ? turnId : `made-${index}`), onProblem() {} })
}

function known(found: Format | undefined): Format {
  if (found === undefined) throw new Error(`@turnstore/formats does not have the format ${FORMAT}`)
  return found
}
