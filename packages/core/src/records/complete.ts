import type { ToolCallInput, ToolCallRecord, TurnInput, TurnItem, TurnItemInput, TurnRecord } from './models.js'
import { partIdOf } from './part-ids.js'

/*
 * Inputs that a store has taken, as the records that they became: with their defaults, and without another check or
 * copy. The values are the caller's own.
 */

export function completeTurn(input: TurnInput & Pick<TurnRecord, 'turnId'>): TurnRecord {
  const { toolCalls = [], items = [], extra } = input
  return {
    turnId: input.turnId,
    agentId: input.agentId ?? null,
    prompt: input.prompt ?? '',
    responseContent: input.responseContent ?? null,
    toolCalls: toolCalls.map((call, index) => completeToolCall(call, partIdOf('toolCalls', input.turnId, index))),
    items: items.map((item, index) => completeItem(item, partIdOf('items', input.turnId, index))),
    startedAt: input.startedAt ?? '',
    endedAt: input.endedAt ?? null,
    status: input.status ?? 'success',
    error: input.error ?? null,
    auditEventIds: input.auditEventIds ?? [],
    metadata: input.metadata ?? {},
    ...(extra === undefined || Object.keys(extra).length === 0 ? {} : { extra }),
  }
}

/** @param missingId for an item whose id is missing or empty */
function completeItem({ itemId, format, value, extra }: TurnItemInput, missingId: string): TurnItem {
  return {
    itemId: itemId === undefined || itemId === '' ? missingId : itemId,
    format,
    value,
    ...(extra === undefined || Object.keys(extra).length === 0 ? {} : { extra }),
  }
}

/** @param missingId for a call whose id is missing or empty */
export function completeToolCall(input: ToolCallInput, missingId: string): ToolCallRecord {
  const { extra } = input
  return {
    callId: input.callId === undefined || input.callId === '' ? missingId : input.callId,
    toolName: input.toolName,
    arguments: input.arguments ?? {},
    result: input.result ?? null,
    status: input.status ?? 'success',
    error: input.error ?? null,
    durationMs: input.durationMs ?? null,
    sandboxContext: input.sandboxContext ?? null,
    metadata: input.metadata ?? {},
    ...(extra === undefined || Object.keys(extra).length === 0 ? {} : { extra }),
  }
}
