import { isJsonObject, type JsonObject } from '../basics/json.js'
import { type Members, type Name, nameOf, namesOf, type NamesOf, shape, type Shape } from './members.js'
import type { AgentTransitionRecord, SessionRecord, ToolCallRecord, TurnItem, TurnRecord } from './models.js'
import { partIdOf } from './part-ids.js'
import { itemBytes, toolCallBytes } from './part-sizes.js'

/*
 * The members of each record, which of them are required, and their defaults. One description for both
 * dialects: caller input and the wire format.
 */

export const turnNames: NamesOf<TurnRecord> = namesOf(
  'turnId',
  'agentId',
  'prompt',
  'responseContent',
  'toolCalls',
  'startedAt',
  'endedAt',
  'status',
  'error',
  'auditEventIds',
  'metadata',
  'items',
)

/** Whether a value on the wire is a list of items. Records of other programs may have something else under this key. */
function isItemList(value: unknown): boolean {
  return Array.isArray(value) && value.every(isWireItem)
}

function isWireItem(value: unknown): boolean {
  return (
    isJsonObject(value) &&
    typeof value.item_id === 'string' &&
    typeof value.format === 'string' &&
    Object.hasOwn(value, 'value')
  )
}

export const turnShape: Shape = { ...shape(turnNames), foreign: { key: turnNames.items.wire, isOurs: isItemList } }

export const itemNames: NamesOf<TurnItem> = namesOf('itemId', 'format', 'value')
export const itemShape: Shape = shape(itemNames)

export const toolCallNames: NamesOf<ToolCallRecord> = namesOf(
  'callId',
  'toolName',
  'arguments',
  'result',
  'status',
  'error',
  'durationMs',
  'sandboxContext',
  'metadata',
)
export const toolCallShape: Shape = shape(toolCallNames)

const transitionNames: NamesOf<AgentTransitionRecord> = namesOf(
  'transitionId',
  'fromAgent',
  'toAgent',
  'reason',
  'turnId',
  'timestamp',
)
export const transitionShape: Shape = shape(transitionNames)

export const sessionNames: NamesOf<SessionRecord> = namesOf(
  'sessionId',
  'workspaceId',
  'parentSessionId',
  'agentId',
  'createdAt',
  'updatedAt',
  'turns',
  'agentTransitions',
  'metadata',
  'revision',
)
/** Exists only in the wire format. */
export const schemaVersionName: Name = nameOf('schemaVersion')
export const sessionShape: Shape = shape(sessionNames, schemaVersionName)

/** @param missingCallId makes the id of a call without one */
export function readToolCall(members: Members, missingCallId?: () => string): ToolCallRecord {
  return {
    callId: textOr(members, toolCallNames.callId, missingCallId),
    toolName: members.text(toolCallNames.toolName),
    arguments: members.object(toolCallNames.arguments),
    result: members.json(toolCallNames.result),
    status: members.text(toolCallNames.status, 'success'),
    error: members.textOrNull(toolCallNames.error),
    durationMs: members.numberOrNull(toolCallNames.durationMs),
    sandboxContext: members.json(toolCallNames.sandboxContext),
    metadata: members.object(toolCallNames.metadata),
    ...members.extra(toolCallShape),
  }
}

function textOr(members: Members, name: Name, missing: (() => string) | undefined): string {
  return missing === undefined || members.has(name) ? members.text(name) : missing()
}

/** @param missingItemId makes the id of an item without one */
export function readItem(members: Members, missingItemId?: () => string): TurnItem {
  // On the wire, null counts as missing.
  if (members.dialect === 'input' && !members.has(itemNames.value)) members.fail(itemNames.value, 'is missing')
  return {
    itemId: textOr(members, itemNames.itemId, missingItemId),
    format: members.text(itemNames.format),
    value: members.json(itemNames.value),
    ...members.extra(itemShape),
  }
}

export function readTurn(members: Members): TurnRecord {
  const turnId = members.text(turnNames.turnId)
  const isInput = members.dialect === 'input'
  const { extra } = members.extra(turnShape)
  const hasForeignItems = extra !== undefined && Object.hasOwn(extra, turnNames.items.wire)
  const items =
    hasForeignItems && !isInput
      ? []
      : members.parts(
          turnNames.items,
          (item, index) => readItem(item, isInput ? () => partIdOf('items', turnId, index) : undefined),
          itemBytes,
        )
  if (hasForeignItems && items.length > 0) members.fail(turnNames.items, 'cannot be given beside extra.items')
  return {
    turnId,
    agentId: members.textOrNull(turnNames.agentId),
    prompt: members.text(turnNames.prompt, ''),
    responseContent: members.textOrNull(turnNames.responseContent),
    toolCalls: members.parts(
      turnNames.toolCalls,
      (call, index) => readToolCall(call, isInput ? () => partIdOf('toolCalls', turnId, index) : undefined),
      toolCallBytes,
    ),
    items,
    startedAt: members.text(turnNames.startedAt, ''),
    endedAt: members.textOrNull(turnNames.endedAt),
    status: members.text(turnNames.status, 'success'),
    error: members.textOrNull(turnNames.error),
    auditEventIds: members.texts(turnNames.auditEventIds),
    metadata: members.object(turnNames.metadata),
    ...(extra === undefined ? {} : { extra }),
  }
}

export function readTransition(members: Members): AgentTransitionRecord {
  return {
    transitionId: members.textOrNull(transitionNames.transitionId),
    fromAgent: members.textOrNull(transitionNames.fromAgent),
    toAgent: members.text(transitionNames.toAgent),
    reason: members.textOrNull(transitionNames.reason),
    turnId: members.text(transitionNames.turnId, ''),
    timestamp: members.text(transitionNames.timestamp, ''),
    ...members.extra(transitionShape),
  }
}

/** Reads a session, given its turns, agent transitions and metadata, which are measured separately. */
export function readSession(
  members: Members,
  turns: TurnRecord[],
  agentTransitions: AgentTransitionRecord[],
  metadata: JsonObject,
): SessionRecord {
  return {
    sessionId: members.text(sessionNames.sessionId),
    workspaceId: members.textOrNull(sessionNames.workspaceId),
    parentSessionId: members.textOrNull(sessionNames.parentSessionId),
    agentId: members.textOrNull(sessionNames.agentId),
    createdAt: members.text(sessionNames.createdAt, ''),
    updatedAt: members.text(sessionNames.updatedAt, ''),
    turns,
    agentTransitions,
    metadata,
    revision: members.numberOrNull(sessionNames.revision) ?? 1,
    ...members.extra(sessionShape),
  }
}
